//! Reads any bytes as a patch, and turns it around, without panics. `cargo +nightly fuzz run patch`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = strixlock::parts::is_patch(bytes);
});
