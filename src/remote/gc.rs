//! Removes what only old pushes need.
//!
//! Kept are the newest pushes with all of their trees. A tree that no push names stays: it may belong to one that is
//! going on. Manifests are removed; a registry then frees the blobs that no manifest needs, by its own rules.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::record::records;
use super::repository::{Reference, Repository, is_odd};
use super::{referrers, tags};
use crate::digest::{Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};

/// The result of a collection.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Collected {
    /// Number of pushes that are kept.
    pub kept: usize,
    /// The numbers of the pushes that were removed, or would be.
    pub pushes: Vec<u64>,
    /// The trees that were removed, or would be.
    pub trees: Vec<TreeDigest>,
    /// Number of trees that no push names, which stay.
    pub others: usize,
}

/// Removes all pushes but the `keep` newest, and the trees that only they have. With `dry_run` removes nothing.
pub fn gc(remote: &dyn Repository, keep: usize, dry_run: bool) -> Result<Collected> {
    if remote.tags()?.is_empty() {
        return Err(nothing_there(remote));
    }
    if !dry_run {
        remote.begin_removal()?;
    }
    let mut collected = Collected::default();
    let mut kept_records: Vec<Sha256Digest> = Vec::new();
    let mut needed: BTreeSet<TreeDigest> = BTreeSet::new();
    let mut old: BTreeMap<TreeDigest, Vec<Sha256Digest>> = BTreeMap::new();
    let mut old_records: Vec<Sha256Digest> = Vec::new();
    for record in records(remote)? {
        let digest = record.digest(remote)?;
        if kept_records.len() < keep {
            // If it cannot be read, nothing may be removed: it is not known what it needs.
            let outputs = record.read(remote)?.outputs;
            needed.extend(outputs.values().map(|output| output.tree));
            kept_records.push(digest);
            continue;
        }
        let outputs = match record.read(remote) {
            Ok(record) => record.outputs,
            // Trees of a record that cannot be read stay, as those of no push.
            Err(error) if is_odd(&error) => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        for output in outputs.into_values() {
            old.entry(output.tree).or_default().push(output.manifest);
        }
        old_records.push(digest);
        collected.pushes.push(record.number);
    }
    old.retain(|tree, _| !needed.contains(tree));
    collected.kept = kept_records.len();
    let tagged = remote.tags()?.iter().filter_map(|tag| tags::tree(tag)).collect::<Vec<_>>();
    collected.others = tagged.iter().filter(|tree| !needed.contains(tree) && !old.contains_key(tree)).count();
    // Records last: a collection that is killed is finished by the next one.
    for (tree, mut manifests) in old {
        if let Some(text) = remote.manifest(Reference::Tag(&tags::of_tree(tree)))? {
            manifests.push(Sha256Digest::of(&text));
        }
        manifests.sort();
        manifests.dedup();
        for manifest in manifests.into_iter().filter(|_| !dry_run) {
            referrers::remove(remote, manifest)?;
        }
        collected.trees.push(tree);
    }
    for record in old_records.into_iter().filter(|_| !dry_run) {
        remote.delete_manifest(record)?;
    }
    if !dry_run {
        remote.free_space()?;
    }
    Ok(collected)
}

/// Returns the error for a remote to which nothing was pushed.
pub fn nothing_there(remote: &dyn Repository) -> Error {
    Error::new(Kind::NotFound, "nothing was pushed to this remote")
        .fact("remote", remote.address())
        .hint("is this the right address, and is the disk there? `strixlock push` makes a remote")
}
