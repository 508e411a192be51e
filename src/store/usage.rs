//! Disk usage of the store: in total, and what each tree adds to the trees before it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Generation, Numbered, Profile, Store};
use crate::digest::{Sha256Digest, TreeDigest};
use crate::error::Result;
use crate::tree::Node;

/// Disk usage of the store, in bytes.
#[derive(Debug, Clone, Serialize)]
pub struct Usage {
    /// The trees, in the order of the generations that hold them, then trees without a generation.
    pub trees: Vec<TreeUsage>,
    /// The sum of the sizes of all trees, as if each had its own files.
    pub logical: u64,
    /// The disk space of their contents: distinct files of hot trees, distinct chunks of cold ones.
    pub physical: u64,
    /// Verified and partial downloads.
    pub downloads: u64,
    /// Caches of git repositories.
    pub repositories: u64,
    /// Compiler caches.
    pub compile_cache: u64,
}

/// Disk usage of one tree.
#[derive(Debug, Clone, Serialize)]
pub struct TreeUsage {
    /// Its digest.
    pub tree: TreeDigest,
    /// Output and version (`rocm 10.1.0a20260901`), from the first generation that holds the tree.
    pub what: Option<String>,
    /// The generations that hold the tree.
    pub generations: Vec<Numbered>,
    /// The sum of its files' sizes.
    pub size: u64,
    /// The disk space that the tree adds to that of the trees before it.
    pub adds: u64,
    /// True if the tree is packed.
    pub cold: bool,
}

impl Store {
    /// Computes the disk usage of the store. Reads listings, not files. `order` returns the names of the outputs of a
    /// generation in the order in which they are shown.
    pub fn usage(&self, order: impl Fn(&Profile, u64, &Generation) -> Vec<String>) -> Result<Usage> {
        let mut known: BTreeMap<TreeDigest, (Option<String>, Vec<Numbered>)> = BTreeMap::new();
        let mut trees_in_order = Vec::new();
        for profile in self.profiles()? {
            for number in profile.generations()? {
                let generation = profile.generation(number)?;
                for name in order(&profile, number, &generation) {
                    let Some(output) = generation.outputs.get(&name) else { continue };
                    let entry = known.entry(output.tree).or_insert_with(|| {
                        trees_in_order.push(output.tree);
                        (Some(format!("{name} {}", output.version)), Vec::new())
                    });
                    entry.1.push(Numbered { profile: profile.name().clone(), number });
                }
            }
        }
        for digest in self.trees()? {
            if known.insert(digest, known.get(&digest).cloned().unwrap_or_default()).is_none() {
                trees_in_order.push(digest);
            }
        }
        let mut seen: BTreeSet<(Sha256Digest, bool)> = BTreeSet::new();
        let mut chunks_seen = BTreeSet::new();
        let mut trees = Vec::new();
        for digest in trees_in_order {
            let Some(listing) = self.listing(digest)? else { continue };
            let (what, generations) = known.remove(&digest).unwrap_or_default();
            let cold = if self.tree(digest).is_none() { self.cold(digest) } else { None };
            let mut adds = 0;
            if let Some(cold) = &cold {
                let chunks = self.chunk_files(cold)?.into_iter();
                adds += chunks.filter(|(file, _)| chunks_seen.insert(file.clone())).map(|(_, size)| size).sum::<u64>();
            } else {
                for entry in listing.entries() {
                    if let Node::File { executable, size, digest } = entry.node {
                        adds += if seen.insert((digest, executable)) { size } else { 0 };
                    }
                }
            }
            let (size, cold) = (listing.total_size(), cold.is_some());
            trees.push(TreeUsage { tree: digest, what, generations, size, adds, cold });
        }
        Ok(Usage {
            logical: trees.iter().map(|tree| tree.size).sum(),
            physical: trees.iter().map(|tree| tree.adds).sum(),
            downloads: super::size_below(&self.root.join("downloads"))?
                + super::size_below(&self.root.join("tmp/partial"))?,
            repositories: super::size_below(&self.root.join("git"))?,
            compile_cache: self.compile_cache_size()?,
            trees,
        })
    }
}
