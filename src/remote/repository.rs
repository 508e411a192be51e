//! The storage of a remote: blobs, manifests, and tags of manifests.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::digest::{HashingWriter, Promise, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::oci::Descriptor;
use crate::threads::on_threads;

/// Greatest size of a manifest, in bytes: registries refuse longer ones.
pub const LARGEST_MANIFEST: u64 = 4 << 20;
/// Greatest number of referrers of a manifest that are looked at: anybody who may push can add some.
pub const MOST_REFERRERS: usize = 200;
/// Number of bytes of a blob that are asked for at a time where it is read from beginning to end.
const PART: u64 = 8 << 20;
/// Number of blobs that are asked for at a time.
const ASKERS: usize = 4;

/// The name of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference<'a> {
    /// Its digest.
    Digest(Sha256Digest),
    /// A tag that leads to it.
    Tag(&'a str),
}

impl fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => digest.fmt(f),
            Self::Tag(tag) => f.write_str(tag),
        }
    }
}

/// Storage in which trees are shared, in the terms of the OCI Distribution Specification. Implemented by registries.
///
/// An implementation moves bytes and judges none: whoever asks compares digests. All methods block and may be called
/// from several threads.
pub trait Repository: Sync {
    /// Returns its address for messages, without credentials.
    fn address(&self) -> String;

    /// Returns the size of a blob, if it is there.
    fn blob_size(&self, digest: Sha256Digest) -> Result<Option<u64>>;

    /// Returns `length` bytes of a blob from `offset` on. `blob` is its digest and its whole size; the range lies
    /// within and is not empty. The digest of a part is not known, so these bytes may be wrong.
    fn part(&self, blob: Promise, offset: u64, length: u64) -> Result<Bytes>;

    /// Stores a blob, if it is not there. `file` has exactly these bytes. `sent` receives the number of bytes as they
    /// are sent, at the end all of them.
    fn put_blob(&self, blob: Promise, file: &File, sent: &(dyn Fn(u64) + Sync)) -> Result<()>;

    /// Returns a manifest, if it is there. If it is named by a digest, it has that. Fails for one that is longer than
    /// [`LARGEST_MANIFEST`].
    fn manifest(&self, reference: Reference) -> Result<Option<Vec<u8>>>;

    /// Stores a manifest of this media type whose blobs are all there, under its digest and, if one is named, a tag.
    /// Replaces the manifest that the tag led to.
    fn put_manifest(&self, manifest: &[u8], media_type: &str, tag: Option<&str>) -> Result<()>;

    /// Returns all tags, in any order.
    fn tags(&self) -> Result<Vec<String>>;

    /// Returns the first [`MOST_REFERRERS`] manifests whose `subject` is this one, or `None` if the storage does not keep
    /// account of them. Then they are kept in an index under the tag `sha256-<hex>`, as the specification says.
    fn referrers(&self, _subject: Sha256Digest) -> Result<Option<Vec<Descriptor>>> {
        Ok(None)
    }

    /// Removes a manifest with all tags that lead to it, if it is there.
    fn delete_manifest(&self, digest: Sha256Digest) -> Result<()>;

    /// Removes a blob that no manifest needs any more, if it is there. A registry may keep its bytes until it collects its
    /// garbage.
    fn delete_blob(&self, digest: Sha256Digest) -> Result<()>;

    /// Prepares for removing: keeps others from writing until `self` is dropped, where the storage can. Fails with
    /// [`Kind::Busy`] if somebody writes.
    fn begin_removal(&self) -> Result<()> {
        Ok(())
    }

    /// Frees the space of blobs that no manifest needs. Does nothing where the storage does this by itself, as
    /// registries do.
    fn free_space(&self) -> Result<()> {
        Ok(())
    }
}

/// Returns whether an error says that what the remote has is odd or missing, not that it cannot be asked.
#[must_use]
pub fn is_odd(error: &Error) -> bool {
    matches!(error.kind(), Kind::Mismatch | Kind::Invalid | Kind::NotFound)
}

/// Receives a blob from beginning to end, a part at a time, and returns the digest of what came. `told` receives the
/// numbers of bytes as they come.
pub fn receive(remote: &dyn Repository, blob: Promise, into: impl Write, told: &dyn Fn(u64)) -> Result<Sha256Digest> {
    let mut writer = HashingWriter::new(into);
    let mut at = 0;
    while at < blob.size {
        let bytes = remote.part(blob, at, PART.min(blob.size - at))?;
        writer.write_all(&bytes)?;
        at += bytes.len() as u64;
        told(bytes.len() as u64);
    }
    Ok(writer.finish().0)
}

/// Returns true if a remote has a blob with other bytes than its name says. Nothing that a manifest says of it counts:
/// anybody who may push can name a blob that is whole with a wrong size.
pub fn is_damaged(remote: &dyn Repository, digest: Sha256Digest) -> Result<bool> {
    let Some(size) = remote.blob_size(digest)? else { return Ok(false) };
    match receive(remote, Promise { size, digest }, std::io::sink(), &|_| {}) {
        Ok(found) => Ok(found != digest),
        Err(error) if error.kind() == Kind::NotFound => Ok(false),
        Err(error) if is_odd(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Returns the numbers of those blobs that a remote does not have.
pub fn missing(remote: &dyn Repository, blobs: &[Promise]) -> Result<HashSet<usize>> {
    let next = AtomicUsize::new(0);
    let missing = on_threads(ASKERS.min(blobs.len()), "a thread that asks for blobs", |_| {
        let mut missing = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(blob) = blobs.get(number) else { return Ok(missing) };
            if remote.blob_size(blob.digest)? != Some(blob.size) {
                missing.push(number);
            }
        }
    })?;
    Ok(missing.into_iter().flatten().collect())
}
