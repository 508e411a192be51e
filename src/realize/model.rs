//! Runs the `model` recipe: makes a tree of a model's files by hard links, without copying.

use std::collections::BTreeSet;

use crate::error::{Error, Kind, Result};
use crate::inputs::{LockedInput, ModelFile};
use crate::store::{Store, StoredTree};
use crate::tree::{Entry, Listing, Node};

/// Makes the tree of an input that the plan has fetched.
pub(super) fn model(store: &Store, input: &LockedInput) -> Result<StoredTree> {
    let files = input.model_files();
    if files.is_empty() {
        return Err(Error::new(Kind::Invalid, "the input is not a model"));
    }
    let mut entries = Vec::new();
    let mut directories = BTreeSet::new();
    for ModelFile { path, size, sha256 } in files {
        store.share_download(sha256)?;
        directories.extend(path.match_indices('/').filter_map(|(slash, _)| path.get(..slash)).map(str::to_owned));
        let node = Node::File { executable: false, size, digest: sha256 };
        entries.push(Entry { path: path.into_bytes(), node });
    }
    entries.extend(directories.into_iter().map(|path| Entry { path: path.into_bytes(), node: Node::Directory }));
    store.publish_from_blobs(&Listing::new(entries))
}
