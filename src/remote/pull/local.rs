//! Pieces that files of this store have: of another version of a file, most are often the same.
//!
//! Only files with several pieces are looked at, and only in those trees that the same output has in the current
//! generation of a profile, at the same path.

use std::collections::HashMap;
use std::os::unix::fs::FileExt as _;

use super::Lack;
use super::arrive::Arrivals;
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::remote::index::Piece;
use crate::remote::piece::{Cut, cut, is_cut};
use crate::store::{Store, StoredTree};
use crate::threads::{cores, on_threads};
use crate::tree::Node;
use crate::tree::confined::Root;

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
        let trees = if wanted.is_empty() { Vec::new() } else { current(store, name)? };
        let roots = trees.iter().map(|tree| Root::open(&tree.path)).collect::<std::io::Result<Vec<_>>>()?;
        let mut todo: Vec<(usize, &[u8], u64)> = Vec::new();
        for (number, tree) in trees.iter().enumerate() {
            let Ok(listing) = tree.listing() else { continue };
            for lack in &wanted {
                if let Some(Node::File { size, .. }) = listing.get(&lack.entry.path).map(|entry| &entry.node)
                    && is_cut(*size)
                {
                    todo.push((number, &lack.entry.path, *size));
                }
            }
        }
        let threads = cores();
        let found = on_threads(threads, "a thread that cuts files", |mine| {
            let mut found: Vec<(Cut, Local)> = Vec::new();
            for (tree, path, size) in todo.iter().skip(mine).step_by(threads) {
                // A file that cannot be read is only not used.
                let Ok((cuts, _)) = roots[*tree].open_file(path).map_err(Into::into).and_then(|file| cut(*size, file))
                else {
                    continue;
                };
                let mut offset = 0;
                for cut in cuts {
                    found.push((cut, Local { tree: *tree, path: path.to_vec(), offset, size: cut.size }));
                    offset += cut.size;
                }
            }
            Ok(found)
        })?;
        let needed: std::collections::HashSet<Sha256Digest> =
            wanted.iter().filter_map(|lack| of.get(&lack.digest)).flatten().map(|piece| piece.digest).collect();
        let found = found.into_iter().flatten().filter(|(cut, _)| needed.contains(&cut.digest));
        Ok(Self { roots, pieces: found.map(|(cut, local)| (cut.digest, local)).collect() })
    }

    /// Returns whether the store has a piece.
    pub fn has(&self, piece: Sha256Digest) -> bool {
        self.pieces.contains_key(&piece)
    }

    /// Copies the pieces to the files that need them. Files are compared with their digests when they are complete.
    pub fn give(&self, arrivals: &Arrivals) -> Result<()> {
        let all: Vec<(&Sha256Digest, &Local)> = self.pieces.iter().collect();
        let threads = cores();
        on_threads(threads, "a thread that copies files", |mine| {
            for (digest, local) in all.iter().skip(mine).step_by(threads) {
                let mut plain = vec![0; local.size as usize];
                self.roots[local.tree].open_file(&local.path)?.read_exact_at(&mut plain, local.offset)?;
                arrivals.take(**digest, &plain)?;
            }
            Ok(())
        })
        .map(drop)
    }
}

/// Returns the trees that an output with this name has in the current generations of all profiles, if they are hot.
fn current(store: &Store, name: &str) -> Result<Vec<StoredTree>> {
    let mut trees: Vec<StoredTree> = Vec::new();
    for profile in store.profiles()? {
        let Some(number) = profile.current()? else { continue };
        // A damaged generation is for `status` to tell.
        let Ok(generation) = profile.generation(number) else { continue };
        if let Some(tree) = generation.outputs.get(name).and_then(|output| store.tree(output.tree))
            && trees.iter().all(|known| known.digest != tree.digest)
        {
            trees.push(tree);
        }
    }
    Ok(trees)
}
