//! Removes what is damaged, so that the next push sends it again: a push sends no blob that the remote says it has.

use std::collections::BTreeSet;

use super::artifact::PACK;
use super::record::records;
use super::repository::{Reference, Repository, is_damaged, is_odd};
use super::verify::RemoteFault;
use super::{referrers, tags};
use crate::digest::Sha256Digest;
use crate::error::{Kind, Result};
use crate::oci::Artifact;

/// Removes the manifests that need what has a fault, with the statements about them, the records of pushes that name
/// them, and then the damaged blobs. Returns the tags that led to what was removed, or the digests of what had none. A registry
/// may keep the bytes of a blob until it collects its garbage.
pub fn remove_damaged(remote: &dyn Repository, faults: &[RemoteFault]) -> Result<BTreeSet<String>> {
    remote.begin_removal()?;
    let (mut removed, mut blobs, mut unreadable) = (BTreeSet::new(), BTreeSet::new(), Ok(()));
    let mut gone = BTreeSet::new();
    for fault in faults {
        blobs.extend(fault.what.parse::<Sha256Digest>().ok());
        if let Some(manifest) = fault.said_by {
            remote.delete_manifest(manifest)?;
            removed.insert(manifest.to_string());
        }
        for tag in &fault.tags {
            let text = match remote.manifest(Reference::Tag(tag)) {
                Ok(Some(text)) => text,
                Ok(None) => {
                    gone.insert(tag.clone());
                    continue;
                }
                // Nobody knows what a manifest needs that is damaged itself. The error says which one it is.
                Err(error) if error.kind() == Kind::Mismatch => {
                    unreadable = Err(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            if fault.what == *tag {
                blobs.extend(documents(&text));
            }
            referrers::remove(remote, Sha256Digest::of(&text))?;
            removed.insert(tag.clone());
        }
    }
    gone.extend(removed.iter().cloned());
    for record in records(remote)? {
        match record.read(remote) {
            Ok(read) if read.outputs.values().any(|output| gone.contains(&tags::of_tree(output.tree))) => {
                remote.delete_manifest(record.digest(remote)?)?;
                removed.insert(record.tag);
            }
            // Its own fault is among the others.
            Err(error) if is_odd(&error) => {}
            other => drop(other?),
        }
    }
    // Only now nothing needs them. Whether one is damaged is seen from its own bytes.
    for blob in blobs {
        if is_damaged(remote, blob)? {
            remote.delete_blob(blob)?;
            removed.insert(blob.to_string());
        }
    }
    unreadable.map(|()| removed)
}

/// Returns the layers of a manifest besides packs, which have faults of their own.
fn documents(manifest: &[u8]) -> Vec<Sha256Digest> {
    let layers = Artifact::read(manifest).map(|artifact| artifact.layers).unwrap_or_default();
    layers.into_iter().filter(|layer| layer.media_type != PACK).map(|layer| layer.digest).collect()
}
