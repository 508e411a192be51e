//! Reads any bytes as an ELF file, without panics, in bounded memory. `cargo +nightly fuzz run elf`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = strixlock_formats::elf::read_all(&strixlock_formats::elf::FileBytes::memory(bytes));
});
