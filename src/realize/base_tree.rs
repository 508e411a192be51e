//! Reads files out of a sysroot in the store that is the base of an image.

use std::io::Read as _;

use crate::error::{Error, Kind, Result};
use crate::recipe::base_files::Base;
use crate::store::StoredTree;
use crate::tree::confined::Root;
use crate::tree::{Listing, Node};

/// Largest file that is copied out of a base; real ones are smaller.
const MOST: u64 = 4 << 20;

/// A sysroot in the store as the base of an image.
pub(super) struct BaseTree {
    root: Root,
    listing: Listing,
}

impl BaseTree {
    pub fn open(tree: &StoredTree) -> Result<Self> {
        Ok(Self { root: Root::open(&tree.path)?, listing: tree.listing()? })
    }
}

impl Base for BaseTree {
    fn names(&self) -> Vec<&str> {
        self.listing.entries().iter().filter_map(|entry| std::str::from_utf8(&entry.path).ok()).collect()
    }

    fn has(&self, path: &str) -> bool {
        self.listing.get(path.as_bytes()).is_some()
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let Some(Node::File { size, digest, .. }) = self.listing.get(path.as_bytes()).map(|entry| &entry.node) else {
            return Ok(None);
        };
        if *size > MOST {
            return Err(Error::new(Kind::Invalid, format!("`{path}` in the base is too large to copy")));
        }
        let mut contents = Vec::new();
        self.root.open_file(path.as_bytes())?.take(MOST).read_to_end(&mut contents)?;
        if crate::digest::Sha256Digest::of(&contents) != *digest {
            return Err(Error::new(Kind::Damaged, format!("`{path}` in the store is damaged"))
                .hint("`strixlock verify --repair` repairs it"));
        }
        Ok(Some(contents))
    }
}
