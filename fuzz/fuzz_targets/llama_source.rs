//! Reads any text as help, as source of options and as CMake files, without panics. `cargo +nightly fuzz run llama_source`
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = strixlock::parts::read_as_any(text);
});
