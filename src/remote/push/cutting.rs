//! Cuts the contents that a remote does not have, on all cores, and compares them with the listing.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::{Push, Tree};
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::progress::{Doing, Unit};
use crate::remote::index::Content;
use crate::remote::piece::{Cut, cut, demand};
use crate::threads::{cores, on_threads};
use crate::tree::confined::Root;

/// The pieces of contents.
#[derive(Debug, Default)]
pub struct Cuts {
    /// By content.
    pub pieces: HashMap<Sha256Digest, Vec<Cut>>,
}

impl Push<'_> {
    /// Cuts the contents of these trees that the remote does not have, unless that was done. Fails for a damaged file.
    pub(super) fn cut(&mut self, trees: &[&Tree]) -> Result<()> {
        let mut seen = HashSet::new();
        let mut wanted: Vec<(usize, &Content)> = Vec::new();
        for (number, tree) in trees.iter().enumerate() {
            let missing = tree.contents.iter().filter(|content| {
                let digest = content.digest;
                !self.known.has(digest) && !self.cuts.pieces.contains_key(&digest) && seen.insert(digest)
            });
            wanted.extend(missing.map(|content| (number, content)));
        }
        if wanted.is_empty() {
            return Ok(());
        }
        // Large ones first, so that no thread is left alone with one at the end.
        wanted.sort_by_key(|(_, content)| std::cmp::Reverse(content.size));
        let total = wanted.iter().map(|(_, content)| content.size).sum();
        let task = self.progress.begin(Doing::Verify, "files to push", Some(total), Unit::Bytes);
        let roots = roots(trees)?;
        let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
        let found = on_threads(cores(), "a thread that cuts files", |_| {
            let mut found = Vec::new();
            while let Some((tree, content)) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (pieces, digest) = cut(content.size, roots[*tree].open_file(content.path)?)?;
                demand(content, digest)?;
                found.push((digest, pieces));
                task.set_position(done.fetch_add(content.size, Ordering::Relaxed) + content.size);
            }
            Ok(found)
        })?;
        self.cuts.pieces.extend(found.into_iter().flatten());
        Ok(())
    }
}

/// Opens the directories of trees.
pub(super) fn roots(trees: &[&Tree]) -> Result<Vec<Root>> {
    Ok(trees.iter().map(|tree| Root::open(&tree.outgoing.tree.path)).collect::<std::io::Result<_>>()?)
}
