//! Counts and sizes by reason, and of what was left out by kind. Each file is counted once, under the reason that was first
//! found for it, so that the sums over all reasons are the size of the tree.

use std::collections::BTreeMap;

use super::{LeftOut, Rule, Trimmed};
use crate::tree::{Listing, Node};

/// How many files and links, and how many bytes the files have.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sum {
    /// Files.
    pub files: u64,
    /// Symbolic links; they have no size of their own.
    pub links: u64,
    /// The size of the files.
    pub bytes: u64,
}

impl Sum {
    fn add(&mut self, node: Option<&Node>) {
        match node {
            Some(Node::File { size, .. }) => (self.files, self.bytes) = (self.files + 1, self.bytes + size),
            Some(Node::Link { .. }) => self.links += 1,
            Some(Node::Directory) | None => {}
        }
    }

    /// Everything in a tree.
    #[must_use]
    pub fn of(listing: &Listing) -> Self {
        let mut sum = Self::default();
        listing.entries().iter().for_each(|entry| sum.add(Some(&entry.node)));
        sum
    }
}

impl Trimmed {
    /// What is kept of the ROCm tree, by the rule that keeps it.
    #[must_use]
    pub fn by_rule(&self) -> BTreeMap<Rule, Sum> {
        let kept = self.kept.iter().map(|(path, reason)| (path, reason.rule));
        sums(&self.listing, kept)
    }

    /// What is left out of the ROCm tree, whose whole listing this must be, by what it is.
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
