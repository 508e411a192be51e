//! Compares trees on disk with their listings, on all cores, and reports all damage, not only the first.

mod repair;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rustix::io::Errno;
use serde::Serialize;

use crate::digest::{Sha256Digest, hash_reader};
use crate::error::Result;
use crate::progress::{Doing, Progress, Unit};
use crate::threads::{cores, on_threads};
use crate::tree::confined::{Root, stored_mode};
use crate::tree::path::join;
use crate::tree::{Entry, Listing, Node, show};

pub use repair::{Contents, repair};

/// Rules for the modes of a tree's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modes {
    /// In the store: nothing is writable.
    Store,
    /// In a plain copy: only the execute bit counts.
    Copy,
}

/// A difference between a tree on disk and its listing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The path in the tree, in raw bytes.
    pub path: Vec<u8>,
    /// The kind of damage.
    pub fault: Fault,
}

/// A kind of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The entry is not on disk.
    Missing,
    /// The path is on disk, but not in the listing.
    Extra,
    /// The bytes, or the link's target, differ.
    Contents,
    /// The kind of entry differs: a directory in place of a file, for example.
    Kind,
    /// The mode differs.
    Mode,
}

impl Fault {
    /// Returns the fault as one or two words, for columns.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Contents => "damaged",
            Self::Kind => "wrong kind",
            Self::Mode => "wrong mode",
        }
    }
}

impl Damage {
    fn new(path: &[u8], fault: Fault) -> Self {
        Self { path: path.to_vec(), fault }
    }

    /// Returns the path for messages.
    #[must_use]
    pub fn display(&self) -> String {
        show(&self.path)
    }
}

/// Compares the tree at `directory` with its listing. Returns every difference, sorted by path.
pub fn verify(
    name: &str,
    directory: &Path,
    listing: &Listing,
    modes: Modes,
    progress: &dyn Progress,
) -> Result<Vec<Damage>> {
    let root = Root::open(directory)?;
    let task = progress.begin(Doing::Verify, name, Some(listing.total_size()), Unit::Bytes);
    let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
    // Large files first, so that no thread is left alone with one at the end.
    let mut entries: Vec<&Entry> = listing.entries().iter().collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(if let Node::File { size, .. } = entry.node { size } else { 0 }));
    let comparison = Comparison { root: &root, modes };
    let found = on_threads(cores(), "a thread that verifies files", |number| {
        // One thread looks for extra files before it helps the others.
        let mut found = if number == 0 { extra(directory, listing)? } else { Vec::new() };
        while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.extend(comparison.entry(entry)?.map(|fault| Damage::new(&entry.path, fault)));
            if let Node::File { size, .. } = entry.node {
                task.set_position(done.fetch_add(size, Ordering::Relaxed) + size);
            }
        }
        Ok(found)
    })?;
    let mut damages: Vec<Damage> = found.into_iter().flatten().collect();
    damages.sort();
    Ok(damages)
}

/// Comparison of entries with the files on disk.
struct Comparison<'a> {
    root: &'a Root,
    modes: Modes,
}

impl Comparison<'_> {
    fn entry(&self, entry: &Entry) -> Result<Option<Fault>> {
        match &entry.node {
            Node::File { executable, size, digest } => self.file(entry, *executable, *size, *digest),
            Node::Link { target } => self.link(entry, target),
            Node::Directory => self.directory(entry),
        }
    }

    fn file(&self, entry: &Entry, executable: bool, size: u64, digest: Sha256Digest) -> Result<Option<Fault>> {
        let file = match self.root.open_file(&entry.path) {
            Ok(file) => file,
            Err(error) if is_resource_limit(&error) => return Err(error.into()),
            Err(error) => return self.unopened(entry, &error).map(Some),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Some(Fault::Kind));
        }
        if metadata.len() != size {
            return Ok(Some(Fault::Contents));
        }
        // A block that the disk cannot read is damage, not a reason to stop.
        if !hash_reader(file.take(size)).is_ok_and(|(found, _)| found == digest) {
            return Ok(Some(Fault::Contents));
        }
        let mode = metadata.mode() & 0o7777;
        let mode_is_right = match self.modes {
            Modes::Store => mode == stored_mode(executable),
            Modes::Copy => (mode & 0o100 != 0) == executable,
        };
        Ok((!mode_is_right).then_some(Fault::Mode))
    }

    fn link(&self, entry: &Entry, target: &[u8]) -> Result<Option<Fault>> {
        Ok(match self.metadata(entry)? {
            None => Some(Fault::Missing),
            Some(metadata) if !metadata.is_symlink() => Some(Fault::Kind),
            Some(_) => (self.root.read_link(&entry.path)? != target).then_some(Fault::Contents),
        })
    }

    fn directory(&self, entry: &Entry) -> Result<Option<Fault>> {
        Ok(match self.metadata(entry)? {
            None => Some(Fault::Missing),
            Some(metadata) if !metadata.is_dir() => Some(Fault::Kind),
            Some(metadata) => {
                (self.modes == Modes::Store && metadata.permissions().mode() & 0o7777 != 0o555).then_some(Fault::Mode)
            }
        })
    }

    /// Returns the fault of a file that could not be opened.
    fn unopened(&self, entry: &Entry, error: &io::Error) -> Result<Fault> {
        Ok(match self.metadata(entry)? {
            None => Fault::Missing,
            Some(metadata) if !metadata.is_file() => Fault::Kind,
            // The bytes may be right: they are compared once the file is readable again.
            Some(_) if error.kind() == io::ErrorKind::PermissionDenied => Fault::Mode,
            Some(_) => Fault::Contents,
        })
    }

    /// Returns the metadata at an entry's path, if something is there. Follows no link.
    fn metadata(&self, entry: &Entry) -> Result<Option<Metadata>> {
        match self.root.metadata(&entry.path) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(error) if is_resource_limit(&error) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }
}

/// Returns whether an error comes from limits of this process or machine, not from the file.
fn is_resource_limit(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE, Errno::NOMEM].iter().any(|one| error.raw_os_error() == Some(one.raw_os_error()))
}

/// Lists paths on disk that the listing lacks. An unlisted directory is reported once, without its contents.
fn extra(directory: &Path, listing: &Listing) -> Result<Vec<Damage>> {
    let known: BTreeMap<&[u8], &Node> =
        listing.entries().iter().map(|entry| (entry.path.as_slice(), &entry.node)).collect();
    let mut damages = Vec::new();
    let mut todo = vec![Vec::new()];
    while let Some(relative) = todo.pop() {
        let found = match fs_err::read_dir(directory.join(OsStr::from_bytes(&relative))) {
            // The directory's wrong mode is reported elsewhere.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
            other => other?,
        };
        for found in found {
            let found = found?;
            let name = found.file_name();
            let path = join(&relative, name.as_bytes());
            match known.get(path.as_slice()) {
                None => damages.push(Damage { path, fault: Fault::Extra }),
                Some(Node::Directory) if found.file_type()?.is_dir() => todo.push(path),
                Some(_) => {}
            }
        }
    }
    Ok(damages)
}
