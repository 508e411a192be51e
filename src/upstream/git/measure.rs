//! Measures and validates a whole tree before any of it is written.
//!
//! Git's trees are shared: a few small ones can expand to 128 GiB. So each tree is read once, and its size is added
//! wherever the tree occurs. The work is bounded by the entries of distinct trees, the stack by the depth of paths.

use std::cmp::Ordering;
use std::collections::HashMap;

use git2::{ObjectType, Oid};

use super::{Repository, bounds, names};
use crate::error::{Error, Kind, Result};
use crate::text;
use crate::tree::{Limits, named};

/// Greatest nesting of trees, as for every tree in the store.
const DEPTH: usize = 64;

/// The size of a tree once it is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Measure {
    pub entries: u64,
    pub bytes: u64,
    height: usize,
}

/// Measures a tree. Fails if it contains entries that cannot be checked out, or exceeds `limits`.
pub(super) fn measure(repository: &Repository, tree: Oid, limits: Limits) -> Result<Measure> {
    let odb = repository.cache.odb().map_err(|error| repository.trouble(&error))?;
    let mut counter = Counter { repository, odb, known: HashMap::new(), looked_at: 0, limits, path: Vec::new() };
    counter.tree(tree, DEPTH)
}

/// Fails if an object of this size must not be loaded into memory.
pub(super) fn demand(kind: ObjectType, size: usize, what: &str) -> Result<()> {
    let limit = bounds::of(kind);
    if size as u64 <= limit {
        return Ok(());
    }
    Err(Error::new(Kind::Invalid, format!("`{what}` is too large to be held in memory: it is a {}", kind.str()))
        .fact("size", text::bytes(size as u64))
        .fact("limit", text::bytes(limit)))
}

struct Counter<'a> {
    repository: &'a Repository<'a>,
    odb: git2::Odb<'a>,
    known: HashMap<Oid, Measure>,
    /// Number of entries of distinct trees.
    looked_at: u64,
    limits: Limits,
    /// The current path, for messages.
    path: Vec<Vec<u8>>,
}

impl Counter<'_> {
    fn tree(&mut self, id: Oid, left: usize) -> Result<Measure> {
        if let Some(known) = self.known.get(&id) {
            if known.height > left {
                return Err(self.refused("it is nested more than 64 deep"));
            }
            return Ok(*known);
        }
        let mut all = Measure::default();
        let mut below = Vec::new();
        for (name, mode, id) in self.entries(id)? {
            self.path.push(name);
            let size = match mode {
                names::TREE => {
                    below.push((self.path.pop().unwrap_or_default(), id));
                    continue;
                }
                // A submodule is measured on its own.
                names::COMMIT => 0,
                // A symlink's target does not count as file content.
                names::LINK => self.size(id).map(|_| 0)?,
                _ => self.size(id)?,
            };
            self.path.pop();
            self.add(&mut all, Measure { entries: 1, bytes: size, height: 1 })?;
        }
        for (name, id) in below {
            self.path.push(name);
            let left = left.checked_sub(1).ok_or_else(|| self.refused("it is nested more than 64 deep"))?;
            let inner = self.tree(id, left)?;
            self.path.pop();
            self.add(&mut all, Measure { entries: inner.entries + 1, bytes: inner.bytes, height: inner.height + 1 })?;
        }
        if all.height > left {
            return Err(self.refused("it is nested more than 64 deep"));
        }
        self.known.insert(id, all);
        Ok(all)
    }

    /// Returns the validated names, modes and objects of a tree.
    fn entries(&mut self, id: Oid) -> Result<Vec<(Vec<u8>, i32, Oid)>> {
        let (size, kind) = self.odb.read_header(id).map_err(|error| self.repository.trouble(&error))?;
        if kind != ObjectType::Tree {
            return Err(self.refused(&format!("expected a directory, found a {}", kind.str())));
        }
        demand(kind, size, &self.place())?;
        let tree = self.repository.cache.find_tree(id).map_err(|error| self.repository.trouble(&error))?;
        self.looked_at = self.looked_at.saturating_add(tree.len() as u64);
        if self.looked_at > self.limits.entries {
            return Err(self.too_many());
        }
        let mut entries: Vec<(Vec<u8>, i32, Oid)> = Vec::with_capacity(tree.len());
        for entry in &tree {
            let (name, mode) = (entry.name_bytes().to_vec(), entry.filemode_raw());
            let why = names::fault(&name, mode);
            let out_of_order = entries
                .last()
                .is_some_and(|(last, last_mode, _)| names::order((last, *last_mode), (&name, mode)) != Ordering::Less);
            let why = why.or_else(|| out_of_order.then(|| "it is listed twice, or out of order".to_owned()));
            if let Some(why) = why {
                self.path.push(name);
                return Err(self.refused(&why));
            }
            entries.push((name, mode, entry.id()));
        }
        Ok(entries)
    }

    fn size(&self, id: Oid) -> Result<u64> {
        let (size, kind) = self.odb.read_header(id).map_err(|error| self.repository.trouble(&error))?;
        if kind != ObjectType::Blob {
            return Err(self.refused(&format!("expected a file, found a {}", kind.str())));
        }
        demand(kind, size, &self.place())?;
        Ok(size as u64)
    }

    fn add(&self, all: &mut Measure, more: Measure) -> Result<()> {
        all.entries = all.entries.saturating_add(more.entries);
        all.bytes = all.bytes.saturating_add(more.bytes);
        all.height = all.height.max(more.height);
        if all.entries > self.limits.entries {
            return Err(self.too_many());
        }
        if all.bytes > self.limits.bytes {
            let limit = text::bytes(self.limits.bytes);
            return Err(self.refused("its contents are too large").fact("limit", limit));
        }
        Ok(())
    }

    fn too_many(&self) -> Error {
        self.refused("there are too many entries").fact("limit", self.limits.entries)
    }

    fn place(&self) -> String {
        if self.path.is_empty() { "/".to_owned() } else { named(&self.path.join(&b'/')) }
    }

    fn refused(&self, why: &str) -> Error {
        Error::new(Kind::Invalid, format!("the commit is refused at `{}`: {why}", self.place()))
            .fact("url", self.repository.shown())
    }
}
