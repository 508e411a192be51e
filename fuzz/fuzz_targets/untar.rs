//! Reads any bytes as a tar archive, without panics, in bounded memory. `cargo +nightly fuzz run untar`
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use strixlock_formats::tree::Receiver;
use strixlock_formats::tree::unpack::{SpecialBits, untar};
use strixlock_ground::error::Result;

/// A receiver that reads all contents and keeps none.
struct Nothing;

impl Receiver for Nothing {
    fn directory(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn file(&mut self, _: &[u8], _: bool, contents: &mut dyn Read) -> Result<()> {
        std::io::copy(&mut contents.take(1 << 20), &mut std::io::sink())?;
        Ok(())
    }

    fn link(&mut self, _: &[u8], _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn hard_link(&mut self, _: &[u8], _: &[u8]) -> Result<()> {
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let _ = untar(bytes, &mut Nothing, SpecialBits::Drop);
});
