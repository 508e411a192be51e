//! Records of pushes: which trees belong together, and to which lock. `remote ls` and `remote gc` go by them.
//!
//! A record is a manifest whose layers are a list of outputs and the lock. Its tag has a number instead of a time: one
//! more than the greatest there was. Pushing the same thing again leaves the record as it is, unless others came after.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::repository::{LARGEST_MANIFEST, Reference, Repository};
use super::{artifact, small, tags};
use crate::digest::{DerivationId, Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::lock::MEDIA_TYPE;
use crate::oci::artifact::EMPTY_CONFIG;
use crate::oci::document::MANIFEST;
use crate::oci::{Artifact, Descriptor};

/// The artifact type of a record.
const PUSH: &str = "application/vnd.strixlock.push.v1";
/// The media type of the list of outputs.
const OUTPUTS: &str = "application/vnd.strixlock.outputs.v1+json";

/// The record of one push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushRecord {
    /// The outputs by name.
    pub outputs: BTreeMap<String, PushedOutput>,
}

/// An output of a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushedOutput {
    /// The derivation.
    pub derivation: DerivationId,
    /// The tree.
    pub tree: TreeDigest,
    /// The digest of the tree's manifest.
    pub manifest: Sha256Digest,
    /// The version, for people.
    pub version: String,
}

/// A record that a remote has under a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedRecord {
    /// The number of the push.
    pub number: u64,
    /// The tag.
    pub tag: String,
}

/// Returns the records of a remote, the newest first. One that was pushed again has the number of its last push.
pub fn records(remote: &dyn Repository) -> Result<Vec<NumberedRecord>> {
    let tags = remote.tags()?.into_iter();
    let mut all: Vec<_> = tags.filter_map(|tag| Some(NumberedRecord { number: tags::push(&tag)?, tag })).collect();
    all.sort_by(|one, other| (other.number, &other.tag).cmp(&(one.number, &one.tag)));
    let mut seen = HashSet::new();
    all.retain(|record: &NumberedRecord| seen.insert(tags::end(&record.tag).to_owned()));
    Ok(all)
}

impl NumberedRecord {
    /// Returns the digest of the record's manifest and the manifest.
    fn manifest(&self, remote: &dyn Repository) -> Result<(Sha256Digest, Artifact)> {
        let text = remote.manifest(Reference::Tag(&self.tag))?;
        let text = text.ok_or_else(|| Error::new(Kind::NotFound, "the record of a push is gone"))?;
        Ok((Sha256Digest::of(&text), artifact::parse(&text, PUSH)?))
    }

    /// Returns the digest of the record's manifest.
    pub fn digest(&self, remote: &dyn Repository) -> Result<Sha256Digest> {
        let text = remote.manifest(Reference::Tag(&self.tag))?;
        text.map(|text| Sha256Digest::of(&text))
            .ok_or_else(|| Error::new(Kind::NotFound, "the record of a push is gone"))
    }

    /// Reads the record.
    pub fn read(&self, remote: &dyn Repository) -> Result<PushRecord> {
        let (_, artifact) = self.manifest(remote)?;
        let odd = || Error::new(Kind::Mismatch, "the record of a push is invalid").fact("tag", &self.tag);
        let outputs = artifact.layers.iter().find(|layer| layer.media_type == OUTPUTS).ok_or_else(odd)?;
        let text = small::read(remote, outputs.promise(), LARGEST_MANIFEST)?;
        serde_json::from_slice(&text).map_err(|error| odd().because(&error))
    }
}

impl PushRecord {
    /// Stores the record, with the lock that its outputs belong to.
    pub fn put(&self, remote: &dyn Repository, lock: &str, directory: &Path) -> Result<()> {
        let outputs = serde_json::to_vec(self)
            .map_err(|error| Error::failure("cannot write the record of a push").because(&error))?;
        let layers = vec![Descriptor::of(OUTPUTS, &outputs), Descriptor::of(MEDIA_TYPE, lock.as_bytes())];
        let artifact = Artifact::new(PUSH, layers);
        let text = artifact.to_bytes()?;
        let (digest, all) = (Sha256Digest::of(&text), records(remote)?);
        if let Some(last) = all.first()
            && last.digest(remote).is_ok_and(|known| known == digest)
        {
            return Ok(());
        }
        for blob in [EMPTY_CONFIG, &outputs, lock.as_bytes()] {
            small::put(remote, blob, directory)?;
        }
        let number = all.first().map_or(1, |last| last.number.saturating_add(1).min(tags::MOST));
        remote.put_manifest(&text, MANIFEST, Some(&tags::of_push(number, digest)))
    }
}
