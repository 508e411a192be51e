//! A remote that is an OCI image layout: a few files, wherever they lie.
//!
//! ```text
//! LAYOUT/
//!   oci-layout             {"imageLayoutVersion":"1.0.0"}
//!   index.json             all manifests, with their tags (see `index`); replaced as a whole
//!   blobs/sha256/<hex>     blobs and manifests
//! ```
//!
//! A directory ([`Directory`]) and an object store ([`ObjectStore`]) have such files and can be written to. A web server
//! ([`Web`]) that has the files of one of them can be read. Tools for layouts (skopeo, oras, regctl) read and write them
//! too.

mod directory;
mod index;
#[cfg(test)]
pub mod memory;
mod s3;
mod web;

pub use directory::Directory;
pub use s3::{ObjectStore, Settings as StoreSettings};
pub use web::Web;

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use serde_json::Value;

use super::repository::{LARGEST_MANIFEST, Reference, Repository};
use crate::digest::{Promise, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::oci::document;
use index::Index;

/// Path of the marker, and its contents.
const MARKER: (&str, &[u8]) = ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
/// Path of the index.
const INDEX: &str = "index.json";

/// A change of a small file: from its contents, if it is there, to its new ones.
pub type Change<'a> = dyn FnMut(Option<&[u8]>) -> Result<Vec<u8>> + 'a;

/// The files of a layout. Paths are relative to its top. All methods block and may be called from several threads.
pub trait Files: Sync {
    /// Returns the address of the layout for messages, without credentials.
    fn address(&self) -> String;

    /// Returns the size of a file, if it is there.
    fn size(&self, path: &str) -> Result<Option<u64>>;

    /// Returns the contents of a file, if it is there. Fails if it is longer than `limit` bytes.
    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>>;

    /// Returns `length` bytes at `offset` of a file of `size` bytes.
    fn part(&self, path: &str, offset: u64, length: u64, size: u64) -> Result<Bytes>;

    /// Prepares the layout for writing: makes it, if there is nothing, and keeps others from removing blobs until `self`
    /// is dropped.
    fn prepare(&self) -> Result<()>;

    /// Writes a file that was not there, or had these contents. `sent` receives the number of bytes that are written.
    fn add(&self, path: &str, file: &File, size: u64, sent: &(dyn Fn(u64) + Sync)) -> Result<()>;

    /// Writes a small file that was not there, or had these contents.
    fn add_small(&self, path: &str, bytes: &[u8]) -> Result<()>;

    /// Replaces a small file by what `change` makes of it, so that no change of another process is lost. `change` may
    /// be called again.
    fn change(&self, path: &str, limit: u64, change: &mut Change) -> Result<()>;

    /// Removes a file, if it is there.
    fn remove(&self, path: &str) -> Result<()>;

    /// Keeps others from writing until `self` is dropped, where that can be done. Fails with [`Kind::Busy`] if somebody
    /// writes.
    fn begin_removal(&self) -> Result<()> {
        Ok(())
    }

    /// Returns the blobs that nobody can be about to refer to.
    fn settled_blobs(&self) -> Result<Vec<Sha256Digest>>;
}

/// A remote that is an OCI image layout.
pub struct Layout<F> {
    files: F,
    /// The index, once it was read.
    index: Mutex<Option<Index>>,
}

impl<F: Files> Layout<F> {
    /// Returns the layout that these files are.
    pub fn new(files: F) -> Self {
        Self { files, index: Mutex::new(None) }
    }

    /// Returns what `ask` finds in the index.
    fn look<T>(&self, ask: impl FnOnce(&Index) -> T) -> Result<T> {
        let mut held = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = &*held {
            return Ok(ask(index));
        }
        let bytes = self.files.read(INDEX, index::LARGEST)?;
        let index = Index::parse(bytes.as_deref()).map_err(|error| error.fact("remote", self.files.address()))?;
        Ok(ask(held.insert(index)))
    }

    /// Changes the index.
    fn change(&self, change: impl Fn(&mut Index)) -> Result<()> {
        self.files.prepare()?;
        let mut held = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        // It is read again afterwards: others may change it, too.
        *held = None;
        self.files.change(INDEX, index::LARGEST, &mut |bytes| {
            let mut index = Index::parse(bytes).map_err(|error| error.fact("remote", self.files.address()))?;
            change(&mut index);
            index.to_bytes()
        })
    }
}

impl<F: Files> Repository for Layout<F> {
    fn address(&self) -> String {
        self.files.address()
    }

    fn blob_size(&self, digest: Sha256Digest) -> Result<Option<u64>> {
        self.files.size(&path(digest))
    }

    fn part(&self, blob: Promise, offset: u64, length: u64) -> Result<Bytes> {
        self.files.part(&path(blob.digest), offset, length, blob.size)
    }

    fn put_blob(&self, blob: Promise, file: &File, sent: &(dyn Fn(u64) + Sync)) -> Result<()> {
        self.files.prepare()?;
        if self.files.size(&path(blob.digest))? == Some(blob.size) {
            sent(blob.size);
            return Ok(());
        }
        self.files.add(&path(blob.digest), file, blob.size, sent)
    }

    fn manifest(&self, reference: Reference) -> Result<Option<Vec<u8>>> {
        let digest = match reference {
            Reference::Digest(digest) => Some(digest),
            Reference::Tag(tag) => self.look(|index| index.tagged(tag))?,
        };
        let Some(digest) = digest else { return Ok(None) };
        let Some(bytes) = self.files.read(&path(digest), LARGEST_MANIFEST)? else { return Ok(None) };
        let found = Sha256Digest::of(&bytes);
        if found != digest {
            return Err(Error::new(Kind::Mismatch, "a manifest of the remote has other bytes than its name says")
                .fact("remote", self.files.address())
                .fact("expected", digest)
                .fact("found", found)
                .hint(format!("remove the file `{}` of the remote: the next push writes it again", path(digest))));
        }
        Ok(Some(bytes))
    }

    fn put_manifest(&self, manifest: &[u8], media_type: &str, tag: Option<&str>) -> Result<()> {
        self.files.prepare()?;
        self.files.add_small(&path(Sha256Digest::of(manifest)), manifest)?;
        self.change(|index| index.put(manifest, media_type, tag))
    }

    fn tags(&self) -> Result<Vec<String>> {
        self.look(Index::tags)
    }

    fn delete_manifest(&self, digest: Sha256Digest) -> Result<()> {
        if !self.look(|index| index.has(digest))? && self.files.size(&path(digest))?.is_none() {
            return Ok(());
        }
        self.change(|index| index.remove(digest))?;
        self.files.remove(&path(digest))
    }

    fn delete_blob(&self, digest: Sha256Digest) -> Result<()> {
        self.files.remove(&path(digest))
    }

    fn begin_removal(&self) -> Result<()> {
        self.files.begin_removal()
    }

    fn free_space(&self) -> Result<()> {
        self.files.prepare()?;
        // First the blobs: what comes to the index after this is not among them.
        let blobs = self.files.settled_blobs()?;
        let referred = self.referred()?;
        let removed: Vec<_> = blobs.into_iter().filter(|digest| !referred.contains(digest)).collect();
        removed.iter().try_for_each(|digest| self.files.remove(&path(*digest)))?;
        // Some files cannot be locked, and a push takes old blobs that it finds. Either it misses them at its end, or its
        // manifest is seen here, unless that was removed with the blobs.
        if removed.is_empty() || self.referred()?.is_disjoint(&removed.into_iter().collect()) {
            return Ok(());
        }
        Err(Error::new(Kind::Busy, "somebody pushed meanwhile, and needs files that were removed")
            .fact("remote", self.files.address())
            .hint("`strixlock push`, where the newest push came from, sends them again"))
    }
}

impl<F: Files> Layout<F> {
    /// Returns the digests of all manifests, as the index lists them now, and of all that they need.
    fn referred(&self) -> Result<BTreeSet<Sha256Digest>> {
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut waiting = self.look(Index::digests)?;
        let mut referred: BTreeSet<Sha256Digest> = waiting.iter().copied().collect();
        while let Some(manifest) = waiting.pop() {
            // If one cannot be read, nothing may be removed: it is not known what it needs.
            if let Some(bytes) = self.manifest(Reference::Digest(manifest))? {
                let document: Value = document::read(&bytes, "manifest of the remote")?;
                // An image index of another tool lists manifests.
                let listed = document["manifests"].as_array().into_iter().flatten();
                let listed = listed.filter_map(|one| one["digest"].as_str()?.parse::<Sha256Digest>().ok());
                waiting.extend(listed.filter(|digest| !referred.contains(digest)));
                collect(&document, &mut referred);
            }
        }
        Ok(referred)
    }
}

/// Collects the digests of all descriptors in a document.
fn collect(value: &Value, digests: &mut BTreeSet<Sha256Digest>) {
    match value {
        Value::Object(fields) => {
            let digest = fields.get("digest").and_then(Value::as_str);
            digests.extend(digest.and_then(|text| text.parse::<Sha256Digest>().ok()));
            fields.values().for_each(|field| collect(field, digests));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, digests)),
        _ => {}
    }
}

/// Returns the path of a blob.
fn path(digest: Sha256Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// Returns the error for a remote that cannot be written to.
fn read_only(address: &str) -> Error {
    Error::new(Kind::Usage, "this remote can only be read")
        .fact("remote", address)
        .hint("write to the directory or bucket behind it, by a remote of its own")
}
