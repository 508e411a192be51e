//! Places that keep the files of locks: a directory, or a repository of a registry.

use std::path::Path;

use super::place::pointer;
use super::verify::wanted;
use super::{Archive, Piece};
use crate::digest::{Promise, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::inputs::Kept;

/// A place that keeps files.
pub(super) trait Keeper {
    /// Returns whether the place has the file that holds a part. Compares sizes alone.
    fn has(&self, kept: &Kept) -> bool;

    /// Keeps the file at `from`, which holds a part. `done` receives the number of its bytes that are kept so far.
    /// Returns the number of bytes that this added. Fails with [`Kind::Damaged`] if the file has another digest than was
    /// promised.
    fn keep(&mut self, kept: &Kept, from: &Path, promise: Promise, done: &(dyn Fn(u64) + Sync)) -> Result<u64>;
}

impl Keeper for &Archive {
    fn has(&self, kept: &Kept) -> bool {
        match kept {
            // The cold form of a tarball is not the file.
            Kept::File(file) => {
                let found = self.size(&Piece::Blob(file.digest));
                found.is_some_and(|size| file.size.is_none_or(|wanted| wanted == size))
            }
            other => self.held(other).is_some(),
        }
    }

    fn keep(&mut self, kept: &Kept, from: &Path, promise: Promise, done: &(dyn Fn(u64) + Sync)) -> Result<u64> {
        let bytes = self.keep_blob(from, promise.digest, done)?;
        if !matches!(kept, Kept::File(_)) {
            // The file by which the blob is found.
            self.write(&wanted(kept), pointer(promise).as_bytes())?;
        }
        Ok(bytes)
    }
}

/// Returns the error for a file of the store that has another digest than its name says.
pub(super) fn damaged(file: &Path, expected: Sha256Digest, found: Sha256Digest) -> Error {
    Error::new(Kind::Damaged, "a file of the store is damaged")
        .fact("file", file.display())
        .fact("expected", expected)
        .fact("found", found)
}
