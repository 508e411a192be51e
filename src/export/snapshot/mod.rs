//! Snapshots: realized outputs in one deterministic file, to be kept in a cache or carried to another machine.
//!
//! A snapshot is a tar archive compressed with zstd, which any tar unpacks:
//!
//! ```text
//! strixlock-snapshot.json     which outputs: name, version, derivation id, tree digest (format below)
//! NAME.listing                the listing (strix-tree-1) of each of them
//! NAME/...                    their trees: 0755 and 0644, owner 0, time 1980-01-01
//! ```
//!
//! The same trees give the same bytes on every machine, whatever the number of threads: entries stand in the order of
//! their paths, and zstd always runs with workers, whose jobs do not depend on how many there are. Where a path is in
//! several outputs its entries stand together, so that the window sees what two nightlies have in common.

mod restore;
mod save;

use serde::{Deserialize, Serialize};

use crate::digest::{DerivationId, TreeDigest};

pub use restore::{Restored, restore};
pub use save::{Compression, Part, Saved, save};

/// The name of the first entry.
const INDEX: &[u8] = b"strixlock-snapshot.json";
/// What a listing's name ends in.
const LISTING: &str = ".listing";
const FORMAT: &str = "strixlock-snapshot 1";

/// What a snapshot says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    format: String,
    /// The outputs, by name.
    pub outputs: Vec<SnapshotOutput>,
}

/// One output in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotOutput {
    /// Its name in the lock it was made from.
    pub name: String,
    /// What a person calls it.
    pub version: String,
    /// How it was made.
    pub derivation: DerivationId,
    /// What it is.
    pub tree: TreeDigest,
}
