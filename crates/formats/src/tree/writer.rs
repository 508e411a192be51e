//! Writes a tree: checks names, hashes and writes files on threads, and returns the listing at the end.
//!
//! One producer (an archive parser, a git walk) calls [`TreeWriter`] entry by entry; its thread only parses and fills
//! buffers. Worker threads hash and write ([`super::workers`]); memory is bounded by their buffers, because the names
//! so far are kept in a file ([`super::names`]).
//!
//! The rules that keep names harmless are here and hold for every producer: no `..`, no absolute name, nothing below
//! a file or link, nothing twice, bounded depth and length. Hard links become files. There are no devices.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::confined::{Root, stored_mode};
use super::entries::refused;
use super::links::{climbs_out, first_out};
use super::listing::{Listing, Node, named};
use super::names::{Known, Names};
use super::path::above;
use super::receiver::Receiver;
use super::workers::Workers;
use crate::error::{Error, Result};

/// Most parts that a path may have; AMD's trees reach 20.
const MAX_DEPTH: usize = 64;
/// Longest path, in bytes: with a store's directory before it, the path is still below Linux's PATH_MAX of 4096.
const MAX_PATH: usize = 3072;
/// Longest part of a path, in bytes: Linux's NAME_MAX.
const MAX_NAME: usize = 255;
/// Longest link target, in bytes: PATH_MAX without the zero at its end.
const MAX_TARGET: usize = 4095;
/// Most memory for all names and link targets, in bytes: the listing holds them. AMD's trees need 5 MB.
const MAX_NAMES: usize = 96 << 20;
/// Memory that an entry takes besides its name, in bytes.
const ENTRY: usize = 128;

/// Limits beyond which a tree is taken for a bomb.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most entries.
    pub entries: u64,
    /// Most bytes in all files together: exactly the pinned number if a pin has one.
    pub bytes: u64,
    /// True if names may coexist that some file systems take for one: `a` and `A`, or two spellings of `é`.
    pub colliding_names: bool,
}

impl Default for Limits {
    /// Returns ten times what a ROCm nightly holds.
    fn default() -> Self {
        Self { entries: 300_000, bytes: 128 << 30, colliding_names: false }
    }
}

/// A tree being written. The contents of the directory are unspecified until [`Self::finish`] returns.
pub struct TreeWriter {
    root: Arc<Root>,
    limits: Limits,
    bytes: u64,
    /// Memory taken by names and targets, in bytes, and the most that they may take.
    taken: usize,
    most_names: usize,
    names: Names,
    hard_links: Vec<(Vec<u8>, Vec<u8>)>,
    files: u64,
    workers: Workers,
}

impl TreeWriter {
    /// Begins a tree in `directory`, which must be empty and not visible to other processes.
    pub fn new(directory: &Path, limits: Limits) -> Result<Self> {
        let root = Arc::new(Root::open(directory)?);
        let names = Names::new(directory)?;
        let workers = Workers::start(&root, names.digests());
        Ok(Self {
            root,
            limits,
            bytes: 0,
            taken: 0,
            most_names: MAX_NAMES,
            names,
            hard_links: Vec::new(),
            files: 0,
            workers,
        })
    }

    /// Lowers the memory that names may take, in bytes, for callers that hold several copies of them.
    #[must_use]
    pub(crate) fn with_names(self, most: usize) -> Self {
        Self { most_names: most.min(MAX_NAMES), ..self }
    }

    /// Returns the memory taken by names so far, in bytes.
    #[must_use]
    pub fn names_taken(&self) -> usize {
        self.taken
    }

    /// Waits for the workers, makes the hard links, and returns the listing. Directories stay writable until the
    /// tree is published.
    pub fn finish(mut self) -> Result<Listing> {
        self.workers.join()?;
        let Self { root, names, hard_links, workers, .. } = self;
        // The listing takes the place of the buffers in memory.
        drop(workers);
        for (path, earlier) in hard_links {
            root.in_parent(&earlier, |from, old| {
                Ok(root
                    .in_parent(&path, |to, new| rustix::fs::linkat(from, old, to, new, rustix::fs::AtFlags::empty())))
            })
            .and_then(|made| made)
            .map_err(|error| cannot_write(&path, &error))?;
        }
        let entries = names
            .into_entries()
            .map_err(|error| Error::failure("cannot read the names of a tree again").because(&error))?;
        let listing = Listing::new(entries);
        match first_out(&listing) {
            Some((link, why)) => Err(refused(&link.path, why)),
            None => Ok(listing),
        }
    }

    /// Moves a file that another writer wrote and hashed on the same file system into this tree.
    pub fn adopt(&mut self, path: &[u8], root: &Root, there: &[u8], node: &Node) -> Result<()> {
        let Node::File { executable, size, digest } = *node else { return Err(refused(path, "not a file")) };
        self.admit(path)?;
        self.count(path, size)?;
        let moved = root.in_parent(there, |from, old| {
            Ok(self.root.in_parent(path, |to, new| rustix::fs::renameat(from, old, to, new)))
        });
        moved.and_then(|moved| moved).map_err(|error| cannot_write(path, &error))?;
        let id = self.next_id();
        self.names.digests().put(id, digest)?;
        self.insert(path, &Known::File { id, executable, size })
    }

    /// Returns whether an entry of this name, or one below it, was added already.
    pub fn has(&self, path: &[u8]) -> Result<bool> {
        Ok(self.names.get(path)?.is_some())
    }

    fn next_id(&mut self) -> u64 {
        self.files += 1;
        self.files - 1
    }

    fn insert(&mut self, path: &[u8], known: &Known) -> Result<()> {
        self.names.insert(path, known).map_err(|error| cannot_write(path, &error))
    }

    /// Counts the memory that a name or target takes. Fails if it exceeds the limit.
    fn take(&mut self, path: &[u8], bytes: usize) -> Result<()> {
        self.taken = self.taken.saturating_add(bytes);
        if self.taken > self.most_names {
            return Err(refused(path, "all names and link targets together need too much memory")
                .fact("limit", crate::text::bytes(self.most_names as u64)));
        }
        Ok(())
    }

    /// Validates a new name, and creates the directories above it that had no entry.
    fn admit(&mut self, path: &[u8]) -> Result<()> {
        demand_name(path)?;
        self.take(path, path.len() + ENTRY)?;
        if self.names.len() as u64 >= self.limits.entries {
            return Err(refused(path, "there are too many entries").fact("limit", self.limits.entries));
        }
        if self.names.get(path)?.is_some() {
            return Err(refused(path, "duplicate name"));
        }
        if !self.limits.colliding_names
            && let Some(other) = self.names.taken_for(path)?
        {
            return Err(refused(path, "another name differs from it only in case or Unicode normal form")
                .fact("other", named(&other))
                .hint("if both are wanted, set `colliding-names = true` for this input"));
        }
        if let Some(parent) = above(path) {
            match self.names.get(parent)? {
                Some(Known::Directory) => {}
                Some(Known::Link(_)) => {
                    return Err(refused(path, "it lies behind a symbolic link of the same archive"));
                }
                Some(Known::File { .. }) => return Err(refused(path, "it lies below a file of the same archive")),
                None => self.directory(parent)?,
            }
        }
        Ok(())
    }

    fn count(&mut self, path: &[u8], size: u64) -> Result<()> {
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.limits.bytes {
            return Err(refused(path, "the archive unpacks to more than the limit")
                .fact("limit", format!("{} bytes", self.limits.bytes)));
        }
        Ok(())
    }
}

impl Receiver for TreeWriter {
    fn directory(&mut self, path: &[u8]) -> Result<()> {
        if self.names.get(path)? == Some(Known::Directory) {
            return Ok(());
        }
        self.admit(path)?;
        self.root.create_directory(path).map_err(|error| cannot_write(path, &error))?;
        self.insert(path, &Known::Directory)
    }

    // The target is only text here.
    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        self.admit(path)?;
        if target.is_empty() || target.len() > MAX_TARGET || target.contains(&0) {
            return Err(refused(path, "its link target is empty, too long, or contains a NUL byte"));
        }
        self.take(path, target.len())?;
        self.root.create_link(path, target).map_err(|error| cannot_write(path, &error))?;
        self.insert(path, &Known::Link(target.to_vec()))
    }

    // In the tree it becomes an entry of its own with the same contents.
    fn hard_link(&mut self, path: &[u8], earlier: &[u8]) -> Result<()> {
        let known = match self.names.get(earlier)? {
            // From here the target text may mean another place.
            Some(Known::Link(target)) if climbs_out(path, &target) => {
                return Err(refused(path, "its link leads out of the tree").fact("target", named(&target)));
            }
            Some(Known::Link(target)) => return self.link(path, &target),
            Some(Known::Directory) => return Err(refused(path, "it is a hard link to a directory")),
            Some(file) => file,
            None => {
                return Err(refused(path, "it is a hard link to a name that is not an earlier entry")
                    .fact("target", named(earlier)));
            }
        };
        self.admit(path)?;
        if let Known::File { size, .. } = known {
            self.count(path, size)?;
        }
        // A worker may still be writing the earlier file, so the link is made at the end.
        self.take(path, path.len() + earlier.len())?;
        self.hard_links.push((path.to_vec(), earlier.to_vec()));
        self.insert(path, &known)
    }

    fn file(&mut self, path: &[u8], executable: bool, contents: &mut dyn Read) -> Result<()> {
        self.admit(path)?;
        let id = self.next_id();
        let limit = self.limits.bytes - self.bytes;
        // Reading one byte more than allowed shows that a file is too large.
        let size = self.workers.file(id, path, stored_mode(executable), &mut contents.take(limit.saturating_add(1)))?;
        self.count(path, size)?;
        self.insert(path, &Known::File { id, executable, size })
    }
}

/// Fails for a name that no tree may hold: one that is absolute, contains `..`, is too long, or is nested too deep.
pub(crate) fn demand_name(path: &[u8]) -> Result<()> {
    if !super::is_path(path) {
        return Err(refused(path, "the name is absolute, leads upwards, or is empty"));
    }
    if path.len() > MAX_PATH {
        return Err(refused(path, "the path is longer than 3072 bytes"));
    }
    if path.split(|byte| *byte == b'/').any(|part| part.len() > MAX_NAME) {
        return Err(refused(path, "the name is longer than 255 bytes"));
    }
    if path.split(|byte| *byte == b'/').count() > MAX_DEPTH {
        return Err(refused(path, "it is nested more than 64 deep"));
    }
    Ok(())
}

fn cannot_write(path: &[u8], error: &std::io::Error) -> Error {
    Error::failure(format!("cannot write `{}`", named(path))).because(error)
}
