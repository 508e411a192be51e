//! gzip streams (RFC 1952): any number of members one after the other, then zeros, as tapes and disks leave them.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Most zeros that may follow the last member.
const MOST_ZEROS: u64 = 64 << 20;

/// The decompressed bytes of a gzip stream.
pub(super) struct Members<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Members<R> {
    pub fn new(stream: R) -> Self {
        Self(Some(GzDecoder::new(stream)))
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(member) = &mut self.0 {
            let count = member.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            let rest = self.0.take().map(GzDecoder::into_inner);
            if let Some(mut rest) = rest
                && goes_on(&mut rest)?
            {
                self.0 = Some(GzDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

/// Returns whether another member follows. Skips zeros. Other bytes are an error, since some programs would read
/// them and others not.
fn goes_on(rest: &mut impl BufRead) -> io::Result<bool> {
    let mut zeros: u64 = 0;
    loop {
        let next = rest.fill_buf()?;
        let length = next.len();
        match next.iter().position(|byte| *byte != 0) {
            None if length == 0 => return Ok(false),
            Some(0) if zeros == 0 => return Ok(true),
            Some(_) => return Err(io::Error::other("there are bytes after its compressed stream")),
            None => {
                rest.consume(length);
                zeros += length as u64;
            }
        }
        if zeros > MOST_ZEROS {
            return Err(io::Error::other("there are more than 64 MiB of zeros after its compressed stream"));
        }
    }
}
