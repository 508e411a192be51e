//! An archive in a repository of a registry: an artifact for each lock (see `artifact`), under the tag `lock-` and the
//! beginning of the lock's digest.
//!
//! It is read by the digests of the lock that is realized, like any archive: a tag that leads elsewhere hides files, and
//! brings no wrong ones into the store. The registry itself frees the blobs that no artifact needs.

mod add;
mod prune;
mod verify;

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use super::artifact::{Layers, layers, tagged};
use super::place::LARGEST_LOCK;
use super::verify::wanted;
use super::{ArchivedLock, Piece};
use crate::digest::{Promise, Sha256Digest};
use crate::error::{About as _, Error, Kind, Result};
use crate::fetch::{Access, Fetcher};
use crate::inputs::Kept;
use crate::lock::Lock;
use crate::remote::{Address, Reference, Repository, is_odd, read_small};
use crate::threads::on_threads;

/// Number of documents that are asked for at a time.
const WORKERS: usize = 4;

/// An archive in a repository of a registry.
pub struct RegistryArchive<'a> {
    remote: Box<dyn Repository + 'a>,
    base: Url,
    artifacts: Vec<Artifact>,
    /// The files of all artifacts.
    files: BTreeMap<Piece, Promise>,
    /// Tags that lead to something else, with the reason.
    odd: Vec<(String, Error)>,
    /// The blobs that the registry has said to have, or was sent.
    there: BTreeSet<Sha256Digest>,
}

/// The artifact of a lock.
struct Artifact {
    tag: String,
    /// The digest of its manifest.
    manifest: Sha256Digest,
    layers: Layers,
}

impl<'a> RegistryArchive<'a> {
    /// Opens the archive in a repository, and reads all of its manifests. An empty repository is an empty archive.
    pub fn open(fetcher: &'a Fetcher, host: &str, repository: &str, access: Access) -> Result<Self> {
        let address = Address::Registry { host: host.to_owned(), repository: repository.to_owned() };
        let remote = address.open(fetcher, access)?;
        let mut tags: Vec<String> = remote.tags()?.into_iter().filter(|tag| tagged(tag).is_some()).collect();
        tags.sort();
        let read = on_threads(WORKERS.min(tags.len()), "a thread that reads an archive", |number| {
            let own = tags.iter().skip(number).step_by(WORKERS);
            own.map(|tag| judged(artifact(&*remote, tag)).map(|read| (tag, read))).collect::<Result<Vec<_>>>()
        })?;
        let base = fetcher.registry(host, repository)?;
        let mut archive = Self {
            remote,
            base,
            artifacts: Vec::new(),
            files: BTreeMap::new(),
            odd: Vec::new(),
            there: BTreeSet::new(),
        };
        let mut read: Vec<_> = read.into_iter().flatten().collect();
        read.sort_by_key(|(tag, _)| *tag);
        for (tag, read) in read {
            match read {
                Ok(Some(artifact)) => archive.take(artifact),
                Ok(None) => {}
                Err(error) => archive.odd.push((tag.clone(), error)),
            }
        }
        Ok(archive)
    }

    /// Takes in an artifact. Of two files that hold the same commit or tree the first one is used.
    fn take(&mut self, artifact: Artifact) {
        for (piece, promise) in &artifact.layers.files {
            self.files.entry(piece.clone()).or_insert(*promise);
        }
        self.artifacts.push(artifact);
    }

    /// Returns the URL below which the registry has manifests and blobs.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Returns the address as the user writes it.
    #[must_use]
    pub fn address(&self) -> String {
        self.remote.address()
    }

    /// Returns the error for a repository without an archive.
    pub(super) fn nothing_there(&self) -> Error {
        Error::new(Kind::NotFound, "the registry has no archive in this repository")
            .fact("archive", self.address())
            .hint(format!("`strixlock archive --to {}` makes one", self.address()))
    }

    /// Returns the number of locks.
    #[must_use]
    pub fn count(&self) -> usize {
        self.artifacts.len()
    }

    /// Returns a warning for each tag that leads to something else.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let warning = |(tag, error): &(String, Error)| {
            format!("passed over the tag {tag} of {}: {}", self.address(), error.message())
        };
        self.odd.iter().map(warning).collect()
    }

    /// Returns the file that holds a part, if the archive lists it.
    #[must_use]
    pub fn file(&self, kept: &Kept) -> Option<Promise> {
        let found = *self.files.get(&wanted(kept))?;
        match kept {
            Kept::File(file) => file.size.is_none_or(|size| size == found.size).then_some(found),
            _ => Some(found),
        }
    }

    /// Returns the files of all locks.
    pub(super) fn into_files(self) -> BTreeMap<Piece, Promise> {
        self.files
    }

    /// Reads all locks.
    pub fn locks(&self) -> Result<Vec<ArchivedLock>> {
        let read = |artifact: &Artifact| {
            let own = artifact.layers.lock;
            let text = read_small(&*self.remote, own, LARGEST_LOCK);
            let lock = judged(text.and_then(|text| Lock::parse(&String::from_utf8_lossy(&text))))?;
            Ok(ArchivedLock { digest: own.digest, lock: lock.about(Piece::Lock(own.digest).path()) })
        };
        let mut locks = self.artifacts.iter().map(read).collect::<Result<Vec<_>>>()?;
        locks.sort_by_key(|lock| lock.digest);
        Ok(locks)
    }
}

/// Reads the artifact that a tag leads to; `None` if the tag is gone.
fn artifact(remote: &dyn Repository, tag: &str) -> Result<Option<Artifact>> {
    let Some(text) = remote.manifest(Reference::Tag(tag))? else { return Ok(None) };
    let layers = layers(&text)?;
    if tagged(tag).is_none_or(|hex| !layers.lock.digest.hex().starts_with(hex)) {
        return Err(Error::new(Kind::Mismatch, "it leads to another lock").fact("lock", layers.lock.digest));
    }
    Ok(Some(Artifact { tag: tag.to_owned(), manifest: Sha256Digest::of(&text), layers }))
}

/// Keeps an error that says that something in the registry is odd as a result. Fails with any other.
fn judged<T>(result: Result<T>) -> Result<Result<T>> {
    match result {
        Err(error) if !is_odd(&error) => Err(error),
        other => Ok(other),
    }
}
