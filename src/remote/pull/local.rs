//! Pieces that files of this store have: of another version of a file, most are often the same.
//!
//! Only files with several pieces are looked at, at the same path in other trees of the same output: those of the current
//! generations of all profiles, and those that the store has records of. One tree after another is looked at, as long as
//! pieces are missing.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::FileExt as _;

use super::Lack;
use super::arrive::{Arrivals, Hand};
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::remote::index::Piece;
use crate::remote::piece::{Cut, cut, is_cut};
use crate::store::{Store, StoredTree};
use crate::threads::{cores, on_threads};
use crate::tree::Node;
use crate::tree::confined::Root;

/// Greatest number of trees that are looked at: all large files that changed are read in each.
const MOST_TREES: usize = 3;

/// A piece of a file in the store.
struct Local {
    /// Number of the tree.
    tree: usize,
    path: Vec<u8>,
    offset: u64,
    size: u64,
}

/// Pieces of files in the store.
pub struct LocalPieces {
    roots: Vec<Root>,
    pieces: HashMap<Sha256Digest, Local>,
}

impl LocalPieces {
    /// Looks for pieces of the files that are lacking in other versions of them. `of` has the pieces of contents.
    pub fn find(store: &Store, name: &str, lacks: &[Lack], of: &HashMap<Sha256Digest, Vec<Piece>>) -> Result<Self> {
        let several = |lack: &&Lack| of.get(&lack.digest).is_some_and(|pieces| pieces.len() > 1);
        let wanted: Vec<&Lack> = lacks.iter().filter(several).collect();
        let pieces = |lack: &Lack| of.get(&lack.digest).into_iter().flatten().map(|piece| piece.digest);
        let needed: HashSet<Sha256Digest> = wanted.iter().flat_map(|lack| pieces(lack)).collect();
        let mut local = Self { roots: Vec::new(), pieces: HashMap::new() };
        for tree in if wanted.is_empty() { Vec::new() } else { earlier(store, name)? } {
            let Ok(listing) = tree.listing() else { continue };
            local.roots.push(Root::open(&tree.path)?);
            let mut paths: Vec<(&[u8], u64)> = Vec::new();
            for lack in wanted.iter().filter(|lack| pieces(lack).any(|piece| !local.has(piece))) {
                if let Some(Node::File { size, .. }) = listing.get(&lack.entry.path).map(|entry| &entry.node)
                    && is_cut(*size)
                {
                    paths.push((&lack.entry.path, *size));
                }
            }
            local.look(&paths, &needed)?;
        }
        Ok(local)
    }

    /// Looks for pieces in these files of the last tree.
    fn look(&mut self, paths: &[(&[u8], u64)], needed: &HashSet<Sha256Digest>) -> Result<()> {
        let Some((number, root)) = self.roots.iter().enumerate().next_back() else { return Ok(()) };
        let threads = cores();
        let found = on_threads(threads, "a thread that cuts files", |mine| {
            let mut found: Vec<(Sha256Digest, Local)> = Vec::new();
            for (path, size) in paths.iter().skip(mine).step_by(threads) {
                // A file that cannot be read is only not used.
                let Ok((cuts, _)) = root.open_file(path).map_err(Into::into).and_then(|file| cut(*size, file)) else {
                    continue;
                };
                let mut offset = 0;
                for Cut { digest, size } in cuts {
                    if needed.contains(&digest) {
                        found.push((digest, Local { tree: number, path: path.to_vec(), offset, size }));
                    }
                    offset += size;
                }
            }
            Ok(found)
        })?;
        for (digest, place) in found.into_iter().flatten() {
            self.pieces.entry(digest).or_insert(place);
        }
        Ok(())
    }

    /// Returns whether the store has a piece.
    pub fn has(&self, piece: Sha256Digest) -> bool {
        self.pieces.contains_key(&piece)
    }

    /// Copies the pieces to the files that need them. Files are compared with their digests when they are complete.
    pub fn give(&self, arrivals: &Arrivals) -> Result<()> {
        let mut all: Vec<(&Sha256Digest, &Local)> = self.pieces.iter().collect();
        all.sort_unstable_by_key(|(_, local)| (local.tree, &local.path, local.offset));
        let threads = cores();
        on_threads(threads, "a thread that copies files", |mine| {
            let mut hand = Hand::default();
            // Each thread has a part of its own, so that most pieces of a file come in order.
            for (digest, local) in all.chunks(all.len().div_ceil(threads).max(1)).nth(mine).unwrap_or_default() {
                let mut plain = vec![0; local.size as usize];
                self.roots[local.tree].open_file(&local.path)?.read_exact_at(&mut plain, local.offset)?;
                arrivals.take(**digest, &plain, &mut hand)?;
            }
            Ok(())
        })
        .map(drop)
    }
}

/// Returns other trees of an output with this name, if they are hot: those of the current generations of all profiles,
/// then those of the store's records.
fn earlier(store: &Store, name: &str) -> Result<Vec<StoredTree>> {
    let mut trees: Vec<StoredTree> = Vec::new();
    for profile in store.profiles()? {
        let Some(number) = profile.current()? else { continue };
        // A damaged generation is for `status` to tell.
        let Ok(generation) = profile.generation(number) else { continue };
        trees.extend(generation.outputs.get(name).and_then(|output| store.tree(output.tree)));
    }
    trees.extend(store.output_trees(name));
    let mut seen = HashSet::new();
    trees.retain(|tree| seen.insert(tree.digest));
    trees.truncate(MOST_TREES);
    Ok(trees)
}
