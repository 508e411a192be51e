//! Is a tree on disk what its listing says? On all cores, without stopping at the first damage.

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
use crate::progress::{Progress, Unit};
use crate::threads::{cores, on_threads};
use crate::tree::confined::{Root, stored_mode};
use crate::tree::path::join;
use crate::tree::{Entry, Listing, Node, show};

pub use repair::{Contents, repair};

/// Which modes a tree's files have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modes {
    /// In the store: nothing is writable.
    Store,
    /// In a plain copy: only the execute bit counts.
    Copy,
}

/// One thing that is not as the listing says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// Where, in raw bytes relative to the tree.
    pub path: Vec<u8>,
    /// What.
    pub fault: Fault,
}

/// What can be wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// It is not there.
    Missing,
    /// It is there and not in the listing.
    Extra,
    /// Its bytes, or its link target, are others.
    Contents,
    /// It is of another kind: a directory in place of a file, for example.
    Kind,
    /// Its mode is another one.
    Mode,
}

impl Fault {
    /// A word for columns.
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

    /// The path for messages.
    #[must_use]
    pub fn display(&self) -> String {
        show(&self.path)
    }
}

/// Compares the tree at `directory` with its listing; gives every difference, sorted by path.
pub fn verify(
    name: &str,
    directory: &Path,
    listing: &Listing,
    modes: Modes,
    progress: &dyn Progress,
) -> Result<Vec<Damage>> {
    let root = Root::open(directory)?;
    let task = progress.begin(name, Some(listing.total_size()), Unit::Bytes);
    let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
    // Large files first, so that at the end no core waits for another one's last.
    let mut entries: Vec<&Entry> = listing.entries().iter().collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(if let Node::File { size, .. } = entry.node { size } else { 0 }));
    let check = Check { root: &root, modes };
    let found = on_threads(cores(), "a thread that verifies files", |number| {
        // The walk for what is extra is one thread's, before it helps the others.
        let mut found = if number == 0 { extra(directory, listing)? } else { Vec::new() };
        while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.extend(check.entry(entry)?.map(|fault| Damage::new(&entry.path, fault)));
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

/// Compares entries with what is on the disk.
struct Check<'a> {
    root: &'a Root,
    modes: Modes,
}

impl Check<'_> {
    fn entry(&self, entry: &Entry) -> Result<Option<Fault>> {
        match &entry.node {
            Node::File { executable, size, digest } => self.check_file(entry, *executable, *size, *digest),
            Node::Link { target } => self.check_link(entry, target),
            Node::Directory => self.check_directory(entry),
        }
    }

    fn check_file(&self, entry: &Entry, executable: bool, size: u64, digest: Sha256Digest) -> Result<Option<Fault>> {
        let file = match self.root.open_file(&entry.path) {
            Ok(file) => file,
            Err(error) if is_ours(&error) => return Err(error.into()),
            Err(error) => return self.absent_or_other(entry, &error).map(Some),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Some(Fault::Kind));
        }
        if metadata.len() != size {
            return Ok(Some(Fault::Contents));
        }
        // A block that the disk cannot read any more is damage, not a reason to stop looking.
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

    fn check_link(&self, entry: &Entry, target: &[u8]) -> Result<Option<Fault>> {
        Ok(match self.metadata(entry)? {
            None => Some(Fault::Missing),
            Some(metadata) if !metadata.is_symlink() => Some(Fault::Kind),
            Some(_) => (self.root.read_link(&entry.path)? != target).then_some(Fault::Contents),
        })
    }

    fn check_directory(&self, entry: &Entry) -> Result<Option<Fault>> {
        Ok(match self.metadata(entry)? {
            None => Some(Fault::Missing),
            Some(metadata) if !metadata.is_dir() => Some(Fault::Kind),
            Some(metadata) => {
                (self.modes == Modes::Store && metadata.permissions().mode() & 0o7777 != 0o555).then_some(Fault::Mode)
            }
        })
    }

    /// Why a file could not be opened.
    fn absent_or_other(&self, entry: &Entry, error: &io::Error) -> Result<Fault> {
        Ok(match self.metadata(entry)? {
            None => Fault::Missing,
            Some(metadata) if !metadata.is_file() => Fault::Kind,
            // Its bytes may be right: they are looked at when it can be read again.
            Some(_) if error.kind() == io::ErrorKind::PermissionDenied => Fault::Mode,
            Some(_) => Fault::Contents,
        })
    }

    /// What stands in the place of an entry, if anything does. No link is looked through, neither there nor on the way.
    fn metadata(&self, entry: &Entry) -> Result<Option<Metadata>> {
        match self.root.metadata(&entry.path) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(error) if is_ours(&error) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }
}

/// Whether an error says more of this process or machine than of the file.
fn is_ours(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE, Errno::NOMEM].iter().any(|one| error.raw_os_error() == Some(one.raw_os_error()))
}

/// What is on disk and not in the listing. Below what is no directory there nothing more is told: it goes as a whole.
fn extra(directory: &Path, listing: &Listing) -> Result<Vec<Damage>> {
    let known: BTreeMap<&[u8], &Node> =
        listing.entries().iter().map(|entry| (entry.path.as_slice(), &entry.node)).collect();
    let mut damages = Vec::new();
    let mut todo = vec![Vec::new()];
    while let Some(relative) = todo.pop() {
        let found = match fs_err::read_dir(directory.join(OsStr::from_bytes(&relative))) {
            // It has a wrong mode, which is told.
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
