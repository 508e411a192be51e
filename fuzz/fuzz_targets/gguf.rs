//! Reads any bytes as a GGUF file, without panics, in bounded memory. `cargo +nightly fuzz run gguf`
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use strixlock_formats::gguf::{Header, pairs};

fuzz_target!(|bytes: &[u8]| {
    let _ = Header::read(Cursor::new(bytes), bytes.len() as u64);
    let _ = pairs(Cursor::new(bytes), bytes.len() as u64, |_| true);
});
