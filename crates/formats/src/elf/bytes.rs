//! Bounded reads at an offset, from a file or from memory.

use std::borrow::Cow;
use std::path::Path;

use fs_err::File;
use fs_err::os::unix::fs::FileExt as _;
use object::pod::{Pod, slice_from_bytes};

use super::damaged;
use crate::error::Result;

/// The bytes of a file: a range of a file on disk or of memory. A file is never read whole.
pub struct FileBytes<'a> {
    bytes: Bytes<'a>,
    /// The offset at which the range begins.
    start: u64,
    len: u64,
}

enum Bytes<'a> {
    Memory(&'a [u8]),
    File(File),
}

impl<'a> FileBytes<'a> {
    /// Opens a file on disk.
    pub fn open(path: &Path) -> Result<Self> {
        Self::file(File::open(path)?)
    }

    /// Wraps an open file.
    pub fn file(file: File) -> Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { bytes: Bytes::File(file), start: 0, len })
    }

    /// Wraps bytes in memory.
    #[must_use]
    pub fn memory(bytes: &'a [u8]) -> Self {
        Self { bytes: Bytes::Memory(bytes), start: 0, len: bytes.len() as u64 }
    }

    /// Returns a range of this source as a source of its own. Fails if the range exceeds it.
    pub fn part(&self, offset: u64, size: u64) -> Result<Self> {
        if offset.checked_add(size).is_none_or(|end| end > self.len) {
            return Err(damaged(format!("{size} bytes extend beyond the end at {} bytes", self.len), offset));
        }
        let bytes = match &self.bytes {
            Bytes::Memory(bytes) => Bytes::Memory(bytes),
            Bytes::File(file) => Bytes::File(file.try_clone()?),
        };
        Ok(Self { bytes, start: self.start + offset, len: size })
    }

    /// Returns the size in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether the source is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads `size` bytes at `offset`. Fails, naming `what`, if that is more than `limit` or exceeds the source.
    pub fn read(&self, what: &str, offset: u64, size: u64, limit: u64) -> Result<Cow<'a, [u8]>> {
        if size > limit {
            return Err(damaged(format!("{what} of {size} bytes, the limit is {limit}"), offset));
        }
        if offset.checked_add(size).is_none_or(|end| end > self.len) {
            return Err(damaged(format!("{what}: beyond the end at {} bytes", self.len), offset));
        }
        let offset = self.start + offset;
        match &self.bytes {
            Bytes::Memory(bytes) => Ok(Cow::Borrowed(&bytes[offset as usize..(offset + size) as usize])),
            Bytes::File(file) => {
                let mut buffer = vec![0; size as usize];
                file.read_exact_at(&mut buffer, offset)?;
                Ok(Cow::Owned(buffer))
            }
        }
    }

    /// Reads a table of `count` entries at `offset`.
    pub(super) fn table<T: Pod>(&self, what: &str, offset: u64, count: u64, limit: u64) -> Result<Vec<T>> {
        let size = count.saturating_mul(size_of::<T>() as u64);
        let bytes = self.read(what, offset, size, limit)?;
        let (entries, _) = slice_from_bytes(&bytes, count as usize).map_err(|()| damaged(what, offset))?;
        Ok(entries.to_vec())
    }

    /// Reads the bytes at `offset` up to the next NUL, which must come before `end`.
    pub(super) fn string(&self, what: &str, offset: u64, end: u64) -> Result<Vec<u8>> {
        const LONGEST: u64 = 16 << 10;
        let size = end.min(self.len).saturating_sub(offset).min(LONGEST);
        let bytes = self.read(what, offset, size, LONGEST)?;
        let len = bytes.iter().position(|byte| *byte == 0);
        let len = len.ok_or_else(|| damaged(format!("{what} is not terminated"), offset))?;
        Ok(bytes[..len].to_vec())
    }
}
