//! Bounded reads in order, each held against the end of the file before it is made.

use std::io::{Read, Seek, SeekFrom};

use super::damaged;
use crate::error::Result;

/// Headers of real models have up to 20 MB, most of it vocabulary. It bounds what a hostile file can make us read.
const LONGEST: u64 = 256 << 20;
/// Names of keys may have 64 kB by the format, and that is more than any value that is kept needs.
const STRING: u64 = (1 << 16) - 1;

/// A reader that knows where it is and where the end is.
pub(super) struct Cursor<R> {
    reader: R,
    at: u64,
    end: u64,
}

impl<R: Read + Seek> Cursor<R> {
    /// At the beginning of a content of `size` bytes.
    pub fn new(reader: R, size: u64) -> Self {
        Self { reader, at: 0, end: size }
    }

    /// The offset of the next byte.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Makes sure that `count` things of at least `each` bytes can still come.
    pub fn demand(&self, what: &str, count: u64, each: u64) -> Result<u64> {
        let size = count.checked_mul(each).filter(|size| *size <= self.end - self.at);
        let size =
            size.ok_or_else(|| damaged(format!("{what} lies beyond the end, at {} bytes", self.end), self.at))?;
        if self.at + size > LONGEST {
            return Err(damaged(format!("{what} is beyond the {LONGEST} bytes that a header can have"), self.at));
        }
        Ok(size)
    }

    fn bytes<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        self.demand(what, 1, N as u64)?;
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.reader.read_exact(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// The first four bytes.
    pub fn magic(&mut self) -> Result<[u8; 4]> {
        self.bytes("the magic number")
    }

    pub fn u32(&mut self, what: &str) -> Result<u32> {
        self.bytes(what).map(u32::from_le_bytes)
    }

    pub fn u64(&mut self, what: &str) -> Result<u64> {
        self.bytes(what).map(u64::from_le_bytes)
    }

    /// A number of `size` bytes, at most 8; `signed` extends the sign.
    pub fn integer(&mut self, size: u64, signed: bool) -> Result<i128> {
        let mut bytes = [0; 8];
        let size = size.min(8) as usize;
        let (used, rest) = bytes.split_at_mut(size);
        self.demand("a number", 1, size as u64)?;
        self.fill(used)?;
        if signed && used.last().is_some_and(|last| *last >= 0x80) {
            rest.fill(0xff);
            return Ok(i64::from_le_bytes(bytes).into());
        }
        let number = u64::from_le_bytes(bytes);
        Ok(if signed { (number as i64).into() } else { number.into() })
    }

    /// A string, which must be short enough to be held.
    pub fn string(&mut self, what: &str) -> Result<Vec<u8>> {
        let size = self.u64(what)?;
        if size > STRING {
            return Err(damaged(format!("{what} of {size} bytes; at most {STRING} make sense"), self.at));
        }
        self.demand(what, size, 1)?;
        let mut bytes = vec![0; size as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Passes over a string of any length.
    pub fn skip_string(&mut self, what: &str) -> Result<()> {
        let size = self.u64(what)?;
        self.skip(what, size, 1)
    }

    /// Passes over `count` things of `each` bytes.
    pub fn skip(&mut self, what: &str, count: u64, each: u64) -> Result<()> {
        let size = self.demand(what, count, each)?;
        // Relative, so that a buffered reader keeps what it has; the limit makes the number fit.
        self.reader.seek_relative(size as i64)?;
        self.at += size;
        Ok(())
    }

    /// Goes back to `offset`, which was passed before, and reads `size` bytes there.
    pub fn reread(&mut self, offset: u64, size: u64) -> Result<Vec<u8>> {
        let here = self.at;
        let mut bytes = vec![0; size.min(LONGEST) as usize];
        self.reader.seek(SeekFrom::Start(offset))?;
        self.reader.read_exact(&mut bytes)?;
        self.reader.seek(SeekFrom::Start(here))?;
        Ok(bytes)
    }
}
