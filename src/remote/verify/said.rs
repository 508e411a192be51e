//! Statements about trees, and notes on builds. Others may say more about a tree, which is not ours to judge.

use std::collections::BTreeSet;

use super::RemoteFault;
use crate::digest::Sha256Digest;
use crate::error::{Error, Result};
use crate::oci::{Artifact, Descriptor};
use crate::remote::repository::{Reference, Repository};
use crate::remote::{notes, referrers, small, statement, tags};

/// Reads what is said about the tree of an output, and adds a fault for each document that is damaged or missing.
pub(super) fn verify(
    remote: &dyn Repository,
    manifest: Sha256Digest,
    output: &str,
    faults: &mut Vec<RemoteFault>,
) -> Result<()> {
    let all = match referrers::of(remote, manifest) {
        Ok(all) => all,
        Err(error) => {
            let (tag, about) = (tags::of_referrers(manifest), format!("the list of what is said about {output}"));
            faults.push(RemoteFault::from(error, &tag, &about, &BTreeSet::from([tag.clone()]))?);
            return Ok(());
        }
    };
    for digest in all {
        for (what, about, error) in damage(remote, digest) {
            let fault = RemoteFault::from(error, &what.to_string(), &format!("{output}: {about}"), &BTreeSet::new())?;
            faults.push(RemoteFault { said_by: Some(digest), ..fault });
        }
    }
    Ok(())
}

/// Returns the blobs of a manifest that cannot be read, itself among them, each with what it is.
fn damage(remote: &dyn Repository, manifest: Sha256Digest) -> Vec<(Sha256Digest, &'static str, Error)> {
    let text = match remote.manifest(Reference::Digest(manifest)) {
        Ok(Some(text)) => text,
        // A registry without referrers leaves what was removed in the list.
        Ok(None) => return Vec::new(),
        Err(error) => return vec![(manifest, "something that is said about it", error)],
    };
    let Ok(artifact) = serde_json::from_slice::<Artifact>(&text) else { return Vec::new() };
    let (about, largest) = match artifact.artifact_type.as_str() {
        statement::STATEMENT => ("a signed statement", statement::LARGEST),
        notes::NOTES => ("the log of its build", notes::LARGEST),
        _ => return Vec::new(),
    };
    let read = |layer: &Descriptor| small::read(remote, layer.promise(), largest).err();
    artifact.layers.iter().filter_map(|layer| Some((layer.digest, about, read(layer)?))).collect()
}
