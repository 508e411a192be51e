//! Files that differ between two trees of the store, by size.

use serde::{Serialize, Serializer};

use crate::digest::TreeDigest;
use crate::error::Result;
use crate::store::Store;
use crate::tree::{Entry, Listing, Node};

/// Number of files that JSON lists with their sizes.
const LARGEST: usize = 50;

/// Files that differ between two trees. Directories are left out: their files are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// Size of the first tree in bytes; absent if the store does not have the tree.
    pub from_size: Option<u64>,
    /// Size of the second tree in bytes.
    pub to_size: Option<u64>,
    /// Files that only the second has, by path.
    pub added: Vec<FileChange>,
    /// Files that only the first has.
    pub removed: Vec<FileChange>,
    /// Files that both have with different entries.
    pub changed: Vec<FileChange>,
}

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Its path, for people.
    pub path: String,
    /// Its size before, in bytes; absent for a new one.
    pub from: Option<u64>,
    /// Its size after; absent for one that is gone.
    pub to: Option<u64>,
}

impl FileChange {
    /// Returns the bytes by which it differs.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.from.unwrap_or_default().abs_diff(self.to.unwrap_or_default())
    }
}

impl Files {
    /// Compares two trees of the store; `None` for an output that does not exist.
    pub(super) fn between(store: &Store, from: Option<TreeDigest>, to: Option<TreeDigest>) -> Result<Self> {
        let listing = |tree: Option<TreeDigest>| match tree {
            Some(tree) => store.listing(tree),
            None => Ok(Some(Listing::default())),
        };
        let (before, after) = (listing(from)?, listing(to)?);
        let mut files = Self {
            from_size: before.as_ref().map(Listing::total_size),
            to_size: after.as_ref().map(Listing::total_size),
            ..Self::default()
        };
        let (Some(before), Some(after)) = (before, after) else { return Ok(files) };
        let is_file = |entry: &&Entry| entry.node != Node::Directory;
        for entry in after.entries().iter().filter(is_file) {
            let there = before.get(&entry.path);
            if there.is_some_and(|there| there.node == entry.node) {
                continue;
            }
            let change = FileChange { path: entry.display(), from: there.map(size), to: Some(size(entry)) };
            if there.is_some() { files.changed.push(change) } else { files.added.push(change) }
        }
        for entry in before.entries().iter().filter(is_file).filter(|entry| after.get(&entry.path).is_none()) {
            files.removed.push(FileChange { path: entry.display(), from: Some(size(entry)), to: None });
        }
        Ok(files)
    }

    /// Returns the lists with their signs.
    #[must_use]
    pub fn lists(&self) -> [(&'static str, &Vec<FileChange>); 3] {
        [("+", &self.added), ("-", &self.removed), ("~", &self.changed)]
    }
}

/// Sorts files by the bytes by which they differ, and then by path.
#[must_use]
pub fn by_weight(files: &[FileChange]) -> Vec<&FileChange> {
    let mut all: Vec<&FileChange> = files.iter().collect();
    all.sort_by(|one, other| other.weight().cmp(&one.weight()).then_with(|| one.path.cmp(&other.path)));
    all
}

fn size(entry: &Entry) -> u64 {
    match entry.node {
        Node::File { size, .. } => size,
        _ => 0,
    }
}

impl Serialize for Files {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Form<'a> {
            from_size: Option<u64>,
            to_size: Option<u64>,
            added: Vec<&'a str>,
            removed: Vec<&'a str>,
            changed: Vec<&'a str>,
            largest: Vec<&'a FileChange>,
        }
        fn paths(files: &[FileChange]) -> Vec<&str> {
            files.iter().map(|file| file.path.as_str()).collect()
        }
        let all: Vec<FileChange> = self.lists().into_iter().flat_map(|(_, files)| files.clone()).collect();
        Form {
            from_size: self.from_size,
            to_size: self.to_size,
            added: paths(&self.added),
            removed: paths(&self.removed),
            changed: paths(&self.changed),
            largest: by_weight(&all).into_iter().take(LARGEST).collect(),
        }
        .serialize(serializer)
    }
}
