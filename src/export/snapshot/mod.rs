//! Snapshots: realized outputs in one deterministic file, for a cache or another machine.
//!
//! A snapshot is a tar archive compressed with zstd, which any tar can unpack:
//!
//! ```text
//! strixlock-snapshot.json     which outputs: name, version, derivation id, tree digest (format below)
//! NAME.listing                the listing (strix-tree-1) of each of them
//! NAME/...                    their trees: 0755 and 0644, owner 0, time 1980-01-01
//! ```
//!
//! Equal trees give equal bytes on every machine, whatever the number of threads: entries are sorted by path, and
//! zstd always runs with workers, whose jobs do not depend on their number. Entries of several outputs with the same
//! path stand together, so that zstd's window covers what two nightlies have in common.
//!
//! A delta ([`DELTA`]) leaves out contents that the receiver has: those of the files of certain trees, which the index
//! names in `beside`, and those of a file that stands earlier in the archive. Listings, directories and links are
//! complete. Only a store that has the trees can restore it.

mod delta;
mod restore;
mod save;

use serde::{Deserialize, Serialize};

use crate::digest::{DerivationId, TreeDigest};

pub use delta::{Base, left_in, useful};
pub use restore::{Restored, restore};
pub use save::{Part, Saved, ZstdOptions, save};

/// Newest format of snapshots that this program restores.
pub const NEWEST: u64 = 2;

/// Name of the first entry.
const INDEX: &[u8] = b"strixlock-snapshot.json";
/// Suffix of the name of a listing.
const LISTING: &str = ".listing";
/// Format of a snapshot that holds everything.
const FORMAT: &str = "strixlock-snapshot 1";
/// Format of a snapshot that leaves out contents.
const DELTA: &str = "strixlock-snapshot 2";

/// Index of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    format: String,
    /// Outputs, sorted by name.
    pub outputs: Vec<SnapshotOutput>,
    /// Trees of a delta whose contents are left out, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    beside: Vec<TreeDigest>,
}

/// One output in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotOutput {
    /// Name in the lock.
    pub name: String,
    /// Version for display.
    pub version: String,
    /// Derivation id.
    pub derivation: DerivationId,
    /// Tree digest.
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
        let compression = ZstdOptions { level: 1, long: false, threads: 1 };
        save(vec![Part { output, tree }], None, &file, compression, &Silent).unwrap();
        let other = Store::open(&directory.path().join("other")).unwrap();
        let restored = restore(&other, &file, None, &Silent).unwrap();
        assert_eq!(restored[0].tree.digest, listing.digest());
    }
}
