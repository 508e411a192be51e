//! Any bytes are read as an ELF file or refused: no panic, and no more memory than the limits of the reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = strixlock_formats::elf::read_all(&strixlock_formats::elf::Source::memory(bytes));
});
