//! Manifests that are no images: an `artifactType`, an empty configuration, and layers of any kind.
//!
//! Format: OCI Image Format Specification 1.1, `manifest.md`, "Guidelines for Artifact Usage". Written with a fixed
//! order of fields, no blanks and no times, so that what is made twice has one digest. Parsing is total and does no IO.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Descriptor;
use super::document::MANIFEST;
use crate::digest::{Promise, Sha256Digest};
use crate::error::Result;

/// A configuration that says nothing.
pub const EMPTY_CONFIG: &[u8] = b"{}";
/// The media type of it.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// The annotation with the name of a file or artifact, for people.
pub const TITLE: &str = "org.opencontainers.image.title";
/// The annotation with the version of what is packed.
pub const VERSION: &str = "org.opencontainers.image.version";

/// A manifest of something other than an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    #[serde(default)]
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    /// The kind of artifact.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub artifact_type: String,
    /// The configuration.
    pub config: Descriptor,
    /// The layers.
    pub layers: Vec<Descriptor>,
    /// The manifest that this one says something about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Artifact {
    /// Creates a manifest with an empty configuration.
    #[must_use]
    pub fn new(artifact_type: &str, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            artifact_type: artifact_type.to_owned(),
            config: Descriptor::of(EMPTY, EMPTY_CONFIG),
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Parses a manifest of any type. Fails with [`Kind::Mismatch`] if it is malformed.
    ///
    /// [`Kind::Mismatch`]: crate::error::Kind::Mismatch
    pub fn read(text: &[u8]) -> Result<Self> {
        super::document::read(text, "manifest of an artifact")
    }

    /// Returns the manifest's text.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        super::document::write(self)
    }
}

/// Returns the descriptor of a manifest with this text.
#[must_use]
pub fn described(manifest: &[u8]) -> Descriptor {
    Descriptor::of(MANIFEST, manifest)
}

impl Descriptor {
    /// Creates a descriptor of these bytes.
    #[must_use]
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self::new(media_type, Sha256Digest::of(bytes), bytes.len() as u64)
    }

    /// Creates a descriptor of bytes with this size and digest.
    #[must_use]
    pub fn promised(media_type: &str, promise: Promise) -> Self {
        Self::new(media_type, promise.digest, promise.size)
    }

    /// Returns digest and size.
    #[must_use]
    pub fn promise(&self) -> Promise {
        Promise { size: self.size, digest: self.digest }
    }
}
