//! Is a tree on disk what its listing says? On all cores, without stopping at the first damage.

mod repair;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde::Serialize;

use crate::digest::Sha256;
use crate::error::{Error, Result};
use crate::progress::{Progress, Unit};
use crate::tree::beneath::Root;
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
    let worker = || {
        let mut damages = Vec::new();
        // Small enough to be hashed out of the cache into which it was read.
        let mut buffer = vec![0; 64 * 1024];
        while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(fault) = check(&root, directory, entry, modes, &mut buffer)? {
                damages.push(Damage::new(&entry.path, fault));
            }
            if let Node::File { size, .. } = entry.node {
                task.set_position(done.fetch_add(size, Ordering::Relaxed) + size);
            }
        }
        Ok(damages)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut damages = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let mut all = extra(directory, listing)?;
        for worker in workers {
            let found: Result<Vec<Damage>> =
                worker.join().unwrap_or_else(|_| Err(Error::failure("a thread that verifies files panicked")));
            all.extend(found?);
        }
        Ok::<_, Error>(all)
    })?;
    damages.sort();
    Ok(damages)
}

fn check(root: &Root, directory: &Path, entry: &Entry, modes: Modes, buffer: &mut [u8]) -> Result<Option<Fault>> {
    let path = directory.join(OsStr::from_bytes(&entry.path));
    if let Node::File { executable, size, digest } = &entry.node {
        // Opened below the root without following links: what answers is in the tree, whatever was done to it.
        let Ok(mut file) = root.open_file(&entry.path) else { return Ok(Some(absent_or_other(&path))) };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Some(Fault::Kind));
        }
        if metadata.len() != *size {
            return Ok(Some(Fault::Contents));
        }
        let mut hash = Sha256::default();
        let mut left = *size;
        while left > 0 {
            match file.read(buffer) {
                Ok(0) => return Ok(Some(Fault::Contents)),
                Ok(count) => {
                    hash.update(&buffer[..count]);
                    left = left.saturating_sub(count as u64);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // A block that the disk cannot read any more is damage, not a reason to stop looking.
                Err(_) => return Ok(Some(Fault::Contents)),
            }
        }
        if hash.finish() != *digest {
            return Ok(Some(Fault::Contents));
        }
        let mode = metadata.mode() & 0o7777;
        let right = match modes {
            Modes::Store => mode == if *executable { 0o555 } else { 0o444 },
            Modes::Copy => (mode & 0o100 != 0) == *executable,
        };
        return Ok((!right).then_some(Fault::Mode));
    }
    let Ok(metadata) = std::fs::symlink_metadata(&path) else { return Ok(Some(Fault::Missing)) };
    Ok(match &entry.node {
        Node::Link { .. } if !metadata.is_symlink() => Some(Fault::Kind),
        Node::Link { target } => {
            (fs_err::read_link(&path)?.as_os_str().as_bytes() != target).then_some(Fault::Contents)
        }
        _ if !metadata.is_dir() => Some(Fault::Kind),
        _ => (modes == Modes::Store && metadata.permissions().mode() & 0o7777 != 0o555).then_some(Fault::Mode),
    })
}

fn absent_or_other(path: &Path) -> Fault {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Fault::Contents,
        Ok(_) => Fault::Kind,
        Err(_) => Fault::Missing,
    }
}

/// What is on disk and not in the listing. Below a directory that is itself extra nothing more is told.
fn extra(directory: &Path, listing: &Listing) -> Result<Vec<Damage>> {
    let known: BTreeSet<&[u8]> = listing.entries().iter().map(|entry| entry.path.as_slice()).collect();
    let mut damages = Vec::new();
    let mut todo = vec![Vec::new()];
    while let Some(relative) = todo.pop() {
        for found in fs_err::read_dir(directory.join(OsStr::from_bytes(&relative)))? {
            let found = found?;
            let name = found.file_name();
            let path = if relative.is_empty() {
                name.as_bytes().to_vec()
            } else {
                [&relative, b"/".as_slice(), name.as_bytes()].concat()
            };
            if !known.contains(path.as_slice()) {
                damages.push(Damage { path, fault: Fault::Extra });
            } else if found.file_type()?.is_dir() {
                todo.push(path);
            }
        }
    }
    Ok(damages)
}
