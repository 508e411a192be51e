//! Takes inputs into the store: the one place where `fetch`, `tree` and `store` meet.
//!
//! Used by `update`, which learns digests, and by `realize`, which demands them. Either way bytes pass once: socket,
//! hash, inflate, hash and write of each file; and nothing gets a name in the store before its digest was judged.

mod debs;
mod file;
mod git;
mod held;
mod huggingface;
mod layer_check;
mod many;
mod model;
mod oci;
mod rocm;
mod unpack_sink;

pub use debs::{debs, missing_debs, package_list};
pub use file::{file, file_anew};
pub use git::{GitContent, git, git_contents, git_tree};
pub use huggingface::{ModelHeader, header, huggingface, missing_model};
pub use model::{model, model_contents};
pub use oci::{OciImage, missing_blobs, oci, oci_base, oci_tree, registry_blob};
pub use rocm::{Expect, Tarball, tarball, tarball_contents};

use crate::error::{Error, Kind, Result};
use crate::fetch::Fetcher;
use crate::lock::TreePin;
use crate::store::{Store, StoredTree};
use crate::tree::{Listing, nar};

/// What an intake works with.
#[derive(Clone, Copy)]
pub struct Intake<'a> {
    /// Where things go.
    pub store: &'a Store,
    /// How they come.
    pub fetcher: &'a Fetcher,
}

/// Everything that a pin says of a tree. Reads the whole tree for its NAR hash.
pub fn pin_tree(tree: &StoredTree, listing: &Listing) -> Result<TreePin> {
    Ok(TreePin {
        digest: tree.digest,
        nar: nar::hash(&tree.path, listing)?,
        entries: listing.entries().len() as u64,
        size: listing.total_size(),
    })
}

/// A tree that came out of verified bytes must be the pinned one.
fn demand_tree(name: &str, listing: &Listing, pin: &TreePin) -> Result<()> {
    let digest = listing.digest();
    if digest == pin.digest {
        return Ok(());
    }
    Err(Error::new(Kind::Mismatch, "the bytes are the locked ones, but the tree in them is not the locked tree")
        .about(name)
        .fact("locked", pin.digest)
        .fact("found", digest)
        .hint("the lock contradicts itself; restore it from version control, or update this input"))
}
