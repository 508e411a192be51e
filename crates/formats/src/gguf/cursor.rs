//! Bounded reads in order, each compared with the end of the file before it is done.

use std::io::{Read, Seek, SeekFrom};

use super::damaged;
use crate::error::Result;

/// Longest header, in bytes. Real models have up to 20 MB, most of it vocabulary. Bounds what a hostile file can
/// make us read.
const LONGEST: u64 = 256 << 20;
/// Longest string that is kept, in bytes. The format limits keys to this, and no value that is kept needs more.
const STRING: u64 = (1 << 16) - 1;

/// A reader that knows its offset and the end.
pub(super) struct Cursor<R> {
    reader: R,
    at: u64,
    end: u64,
}

impl<R: Read + Seek> Cursor<R> {
    /// Creates a cursor at the beginning of a content of `size` bytes.
    pub fn new(reader: R, size: u64) -> Self {
        Self { reader, at: 0, end: size }
    }

    /// Returns the offset of the next byte.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Fails unless `count` things of at least `each` bytes fit before the end. Returns their size.
    pub fn demand(&self, what: &str, count: u64, each: u64) -> Result<u64> {
        let size = count.checked_mul(each).filter(|size| *size <= self.end - self.at);
        let size =
            size.ok_or_else(|| damaged(format!("{what} extends beyond the end at {} bytes", self.end), self.at))?;
        if self.at + size > LONGEST {
            return Err(damaged(format!("{what} lies beyond {LONGEST} bytes, the limit of a header"), self.at));
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

    /// Reads the first four bytes.
    pub fn magic(&mut self) -> Result<[u8; 4]> {
        self.bytes("the magic number")
    }

    pub fn u32(&mut self, what: &str) -> Result<u32> {
        self.bytes(what).map(u32::from_le_bytes)
    }

    pub fn u64(&mut self, what: &str) -> Result<u64> {
        self.bytes(what).map(u64::from_le_bytes)
    }

    /// Reads a number of `size` bytes, at most 8; `signed` extends the sign.
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

    /// Reads a string. Fails if it is too long to be kept.
    pub fn string(&mut self, what: &str) -> Result<Vec<u8>> {
        let size = self.u64(what)?;
        if size > STRING {
            return Err(damaged(format!("{what} of {size} bytes, the limit is {STRING}"), self.at));
        }
        self.demand(what, size, 1)?;
        let mut bytes = vec![0; size as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Skips a string of any length.
    pub fn skip_string(&mut self, what: &str) -> Result<()> {
        let size = self.u64(what)?;
        self.skip(what, size, 1)
    }

    /// Skips `count` things of `each` bytes.
    pub fn skip(&mut self, what: &str, count: u64, each: u64) -> Result<()> {
        let size = self.demand(what, count, each)?;
        // A relative seek keeps the buffer of a reader; the limit above makes the number fit.
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
