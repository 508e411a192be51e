//! Contents that a snapshot leaves out, since the receiver has them.

use std::collections::HashSet;

use crate::digest::{Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::store::Store;
use crate::tree::{Entry, Listing, Node};

/// Maximum number of trees that a delta is beside.
pub(super) const MOST_BASES: usize = 64;

/// A tree that the receiver of a delta has.
#[derive(Debug)]
pub struct Base {
    /// Its digest.
    pub digest: TreeDigest,
    /// Its listing.
    pub listing: Listing,
}

impl Base {
    /// Returns the tree with this digest, if the store has its listing.
    pub fn of(store: &Store, digest: TreeDigest) -> Result<Option<Self>> {
        Ok(store.listing(digest)?.map(|listing| Self { digest, listing }))
    }
}

/// Identity of the contents of a file in a store.
pub(super) type Contents = (Sha256Digest, bool);

/// Returns the identity of a file's contents. `None` for anything but a file.
pub(super) fn contents(entry: &Entry) -> Option<Contents> {
    if let Node::File { digest, executable, .. } = entry.node { Some((digest, executable)) } else { None }
}

/// Returns those of `candidates` that save a delta of the `wanted` trees something, the first ones preferred.
pub fn useful(wanted: &[Listing], candidates: Vec<Base>) -> Vec<Base> {
    let mut lacking: HashSet<Contents> =
        wanted.iter().flat_map(Listing::entries).filter(|entry| size(entry) > 0).filter_map(contents).collect();
    let mut helps = |base: &Base| {
        let before = lacking.len();
        base.listing.entries().iter().filter_map(contents).for_each(|one| _ = lacking.remove(&one));
        lacking.len() < before
    };
    candidates.into_iter().filter(|base| helps(base)).take(MOST_BASES).collect()
}

/// Returns the bytes of contents that a delta of the `wanted` trees holds, before compression.
#[must_use]
pub fn left_in(wanted: &[Listing], bases: &[Base]) -> u64 {
    let mut known: HashSet<Contents> =
        bases.iter().flat_map(|base| base.listing.entries()).filter_map(contents).collect();
    let entries = wanted.iter().flat_map(Listing::entries);
    entries.filter(|entry| contents(entry).is_some_and(|one| known.insert(one))).map(size).sum()
}

fn size(entry: &Entry) -> u64 {
    if let Node::File { size, .. } = entry.node { size } else { 0 }
}

/// Compares what was received of a tree with its listing. Returns the bytes that the store has to provide. Fails if an entry
/// differs or is unknown, and if the contents of a file are neither in the store nor in `received`.
pub(super) fn complete(
    store: &Store,
    name: &str,
    listing: &Listing,
    partial: &Listing,
    received: &HashSet<Contents>,
) -> Result<()> {
    let known = partial.entries().iter().find(|entry| listing.get(&entry.path) != Some(entry));
    if let Some(entry) = known {
        return Err(Error::new(Kind::Mismatch, "an entry of the snapshot differs from the listing")
            .about(name)
            .fact("entry", entry.display())
            .hint("the file is damaged: get another copy, or `strixlock realize`"));
    }
    let mut lacking = listing.entries().iter().filter(|entry| {
        partial.get(&entry.path).is_none()
            && contents(entry).is_none_or(|one| !received.contains(&one) && !store.has_contents(entry))
    });
    let Some(first) = lacking.next() else { return Ok(()) };
    if contents(first).is_none() {
        return Err(Error::new(Kind::Mismatch, "an entry is missing in the snapshot")
            .about(name)
            .fact("entry", first.display()));
    }
    Err(Error::new(Kind::NotFound, "the store lacks contents that the snapshot leaves out")
        .about(name)
        .fact("first", first.display())
        .fact("files", 1 + lacking.count())
        .hint("the snapshot was saved for a store that has other trees: save it without `--beside`"))
}
