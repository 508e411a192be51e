//! The pin of a tree.

use serde::{Deserialize, Serialize};

use crate::digest::{Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::page::fact;
use crate::store::StoredTree;
use crate::tree::{Listing, nar};

/// The pin of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreePin {
    /// Its digest.
    pub digest: TreeDigest,
    /// SHA-256 of its NAR, for `nix hash path`.
    pub nar: Sha256Digest,
    /// Directories, files and links.
    pub entries: u64,
    /// The sum of the files' sizes in bytes.
    pub size: u64,
}

impl TreePin {
    /// Pins a tree of the store. Reads all of it for its NAR hash.
    pub fn of(tree: &StoredTree, listing: &Listing) -> Result<Self> {
        Ok(Self {
            digest: tree.digest,
            nar: nar::hash(&tree.path, listing)?,
            entries: listing.entries().len() as u64,
            size: listing.total_size(),
        })
    }

    /// Fails if a tree that came out of verified bytes is not the pinned one.
    pub fn demand(&self, name: &str, listing: &Listing) -> Result<()> {
        let digest = listing.digest();
        if digest == self.digest {
            return Ok(());
        }
        Err(Error::new(Kind::Mismatch, "the bytes are the locked ones, but the tree in them is not the locked tree")
            .about(name)
            .fact("locked", self.digest)
            .fact("found", digest)
            .hint("the lock contradicts itself; restore it from version control, or update this input"))
    }

    /// Writes the facts of the tree to a page, besides the digests, which stand beside the commands.
    pub fn report(&self, page: &mut String) {
        fact(page, "holds", &format!("{} bytes in {} entries", self.size, self.entries));
    }

    /// Returns the commands by which a stranger compares a directory with the tree. Stock Nix has the first only where
    /// it is asked for by name.
    #[must_use]
    pub fn commands(&self, directory: &str) -> [String; 2] {
        [
            format!(
                "nix --extra-experimental-features nix-command hash path --type sha256 {directory}   # {}",
                self.nar.sri()
            ),
            format!("tree_digest {directory}   # {}", self.digest),
        ]
    }
}
