//! Counts and sizes: of kept files by rule, and of left-out files by kind. Each file counts once, under the first rule
//! that kept it, so that all sums together are the size of the tree.

use std::collections::BTreeMap;

use super::{LeftOut, Rule, Trimmed};
use crate::tree::{Listing, Node};

/// Number of files and links, and total size of the files.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sum {
    /// Number of files.
    pub files: u64,
    /// Number of symbolic links, which have no size.
    pub links: u64,
    /// The size of the files.
    pub bytes: u64,
}

impl Sum {
    /// Adds an entry of a tree, if there is one. A directory counts nothing.
    pub fn add(&mut self, node: Option<&Node>) {
        match node {
            Some(Node::File { size, .. }) => (self.files, self.bytes) = (self.files + 1, self.bytes + size),
            Some(Node::Link { .. }) => self.links += 1,
            Some(Node::Directory) | None => {}
        }
    }

    /// Returns the sum over a whole tree.
    #[must_use]
    pub fn of(listing: &Listing) -> Self {
        let mut sum = Self::default();
        listing.entries().iter().for_each(|entry| sum.add(Some(&entry.node)));
        sum
    }
}

impl Trimmed {
    /// Returns the sums of the kept part of the ROCm tree, by rule.
    #[must_use]
    pub fn by_rule(&self) -> BTreeMap<Rule, Sum> {
        let kept = self.kept.iter().map(|(path, reason)| (path, reason.rule));
        sums(&self.listing, kept)
    }

    /// Returns the sums of the left-out part of the ROCm tree, by kind. `whole` is the listing of the whole tree.
    #[must_use]
    pub fn left_out_by_kind(&self, whole: &Listing) -> BTreeMap<LeftOut, Sum> {
        sums(whole, self.left_out.iter().map(|(path, kind)| (path, *kind)))
    }
}

fn sums<'p, K: Ord>(listing: &Listing, paths: impl Iterator<Item = (&'p Vec<u8>, K)>) -> BTreeMap<K, Sum> {
    let mut all: BTreeMap<K, Sum> = BTreeMap::new();
    for (path, key) in paths {
        all.entry(key).or_default().add(listing.get(path).map(|entry| &entry.node));
    }
    all
}
