//! Statements about trees, and notes on builds. Others may say more about a tree, which is not ours to judge.

use std::collections::BTreeSet;

use super::RemoteFault;
use crate::digest::Sha256Digest;
use crate::error::{Error, Result};
use crate::oci::{Artifact, Descriptor};
use crate::remote::repository::{Reference, Repository, is_damaged, is_odd};
use crate::remote::{notes, referrers, small, statement, tags};

/// Reads what is said about the tree of an output, and adds a fault for each manifest that is damaged, and each layer that is
/// damaged or missing.
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
            // An index that can be read is not the one to blame, and holds the words of others.
            let blamed = if referrers::has_readable_index(remote, manifest)? { None } else { Some(tag.clone()) };
            faults.push(RemoteFault::from(error, &tag, &about, &blamed.into_iter().collect())?);
            return Ok(());
        }
    };
    for digest in all {
        for (what, about, error) in damage(remote, digest)? {
            let fault = RemoteFault::from(error, &what.to_string(), &format!("{output}: {about}"), &BTreeSet::new())?;
            faults.push(RemoteFault { said_by: Some(digest), ..fault });
        }
    }
    Ok(())
}

/// A blob that cannot be read, its kind for people, and the reason.
type Damage = (Sha256Digest, &'static str, Error);

/// Returns the blobs of a manifest that cannot be read, itself among them.
fn damage(remote: &dyn Repository, manifest: Sha256Digest) -> Result<Vec<Damage>> {
    let text = match remote.manifest(Reference::Digest(manifest)) {
        Ok(Some(text)) => text,
        // A registry without referrers leaves what was removed in the list.
        Ok(None) => return Ok(Vec::new()),
        // That of another tool may only be longer than ours are.
        Err(error) if is_odd(&error) && !is_damaged(remote, manifest)? => return Ok(Vec::new()),
        Err(error) => return Ok(vec![(manifest, "a statement or log", error)]),
    };
    let Ok(artifact) = Artifact::read(&text) else { return Ok(Vec::new()) };
    let (about, largest) = match artifact.artifact_type.as_str() {
        statement::STATEMENT => ("a signed statement", statement::LARGEST),
        notes::NOTES => ("the log of its build", notes::LARGEST),
        _ => return Ok(Vec::new()),
    };
    let read = |layer: &Descriptor| small::read(remote, layer.promise(), largest).err();
    Ok(artifact.layers.iter().filter_map(|layer| Some((layer.digest, about, read(layer)?))).collect())
}
