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
pub use save::{Compression, Part, save};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;
    use crate::progress::Silent;
    use crate::store::Store;
    use crate::tree::testing::odd_links;

    #[test]
    fn links_come_back_with_the_targets_that_they_had() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store")).unwrap();
        let staging = store.stage().unwrap();
        fs_err::create_dir(staging.path().join("tree")).unwrap();
        let listing = odd_links(&staging.path().join("tree"));
        let tree = store.publish_tree(&staging, &listing).unwrap();
        let derivation = DerivationId(Sha256Digest::of(b"links"));
        let output = SnapshotOutput { name: "links".into(), version: "1".into(), derivation, tree: tree.digest };
        let file = directory.path().join("links.tar.zst");
        let compression = Compression { level: 1, long: false, threads: 1 };
        save(vec![Part { output, tree }], &file, compression, &Silent).unwrap();
        let other = Store::open(&directory.path().join("other")).unwrap();
        let restored = restore(&other, &file, None, &Silent).unwrap();
        assert_eq!(restored[0].tree.digest, listing.digest());
    }
}
