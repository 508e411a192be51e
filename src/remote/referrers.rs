//! Manifests that say something about another one: they name it as their `subject`.
//!
//! Registries of OCI 1.1 list them. For others the specification has a fallback: an index under the tag
//! `sha256-<hex of the subject>`, which whoever adds to it reads and writes again. Two that do so at a time may undo
//! each other, so it is read again afterwards.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::repository::{MOST_REFERRERS, Reference, Repository, is_odd};
use super::tags;
use crate::digest::Sha256Digest;
use crate::error::{Error, Result};
use crate::oci::Artifact;
use crate::oci::artifact::described;
use crate::oci::document::{self, INDEX, MANIFEST};

/// Number of times that an entry is added to an index that somebody else is writing.
const TRIES: usize = 5;

/// An index under the tag of the fallback.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: String,
    manifests: Vec<Referrer>,
}

/// A manifest in that index.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Referrer {
    media_type: String,
    digest: Sha256Digest,
    size: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    artifact_type: String,
}

/// Stores a manifest that has a subject, so that it is found from there.
pub fn attach(remote: &dyn Repository, artifact: &Artifact) -> Result<()> {
    let text = artifact.to_bytes()?;
    let subject = artifact.subject.as_ref().ok_or_else(|| Error::failure("a manifest has no subject"))?.digest;
    remote.put_manifest(&text, MANIFEST, None)?;
    if remote.referrers(subject)?.is_some() {
        return Ok(());
    }
    let own = described(&text);
    for _ in 0..TRIES {
        let mut all = fallback(remote, subject)?.unwrap_or_default();
        if all.iter().any(|one| one.digest == own.digest) {
            return Ok(());
        }
        all.push(Referrer {
            media_type: own.media_type.clone(),
            digest: own.digest,
            size: own.size,
            artifact_type: artifact.artifact_type.clone(),
        });
        let index = Index { schema_version: 2, media_type: INDEX.to_owned(), manifests: all };
        let text = serde_json::to_vec(&index)
            .map_err(|error| Error::failure("cannot write an index of referrers").because(&error))?;
        remote.put_manifest(&text, INDEX, Some(&tags::of_referrers(subject)))?;
    }
    let all = fallback(remote, subject)?.unwrap_or_default();
    if all.iter().any(|one| one.digest == own.digest) {
        return Ok(());
    }
    Err(Error::failure("others add to the same statements at the same time").hint("push again"))
}

/// Returns the digests of the manifests that refer to this one, as far as they are looked at.
pub fn of(remote: &dyn Repository, subject: Sha256Digest) -> Result<Vec<Sha256Digest>> {
    let mut all = all(remote, subject)?;
    all.truncate(MOST_REFERRERS);
    Ok(all)
}

fn all(remote: &dyn Repository, subject: Sha256Digest) -> Result<Vec<Sha256Digest>> {
    let listed = match remote.referrers(subject)? {
        Some(all) => all.into_iter().map(|one| one.digest).collect(),
        None => Vec::new(),
    };
    // A registry that learned to list them may still have those of earlier days under the tag.
    let tagged = fallback(remote, subject)?.unwrap_or_default().into_iter().map(|one| one.digest);
    let (mut seen, mut all) = (BTreeSet::new(), listed);
    all.extend(tagged);
    all.retain(|digest| seen.insert(*digest));
    Ok(all)
}

/// Returns the index under the tag of the fallback, if there is one.
fn fallback(remote: &dyn Repository, subject: Sha256Digest) -> Result<Option<Vec<Referrer>>> {
    let tag = tags::of_referrers(subject);
    let Some(text) = remote.manifest(Reference::Tag(&tag))? else { return Ok(None) };
    let index: Index = document::read(&text, "index of statements").map_err(|error| error.fact("tag", &tag))?;
    Ok(Some(index.manifests))
}

/// Returns true if the index under the tag of the fallback can be read, or there is none.
pub fn has_readable_index(remote: &dyn Repository, subject: Sha256Digest) -> Result<bool> {
    match fallback(remote, subject) {
        Ok(_) => Ok(true),
        Err(error) if is_odd(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a manifest with all that refer to it.
pub fn remove(remote: &dyn Repository, subject: Sha256Digest) -> Result<()> {
    let index = remote.manifest(Reference::Tag(&tags::of_referrers(subject)))?;
    // A registry lists so many at a time, and one without referrers lists those that are gone, too.
    let mut removed = BTreeSet::new();
    loop {
        let mut referrers = match all(remote, subject) {
            Err(error) if is_odd(&error) => Vec::new(),
            found => found?,
        };
        referrers.retain(|referrer| removed.insert(*referrer));
        if referrers.is_empty() {
            break;
        }
        referrers.into_iter().try_for_each(|referrer| remote.delete_manifest(referrer))?;
    }
    if let Some(index) = index {
        remote.delete_manifest(Sha256Digest::of(&index))?;
    }
    remote.delete_manifest(subject)
}
