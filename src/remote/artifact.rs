//! The manifests of a remote: OCI 1.1 manifests with an `artifactType`. Written with a fixed order of fields, no blanks
//! and no times, so that what is pushed twice has one digest. Parsing is total and does no IO.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::{Promise, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::oci::Descriptor;
use crate::oci::document::MANIFEST;

/// The artifact type of a tree.
pub const TREE: &str = "application/vnd.strixlock.tree.v1";
/// The artifact type of the record of a push.
pub const PUSH: &str = "application/vnd.strixlock.push.v1";
/// The media type of a tree's listing.
const LISTING: &str = "application/vnd.strixlock.listing.v1+zstd";
/// The media type of a tree's index.
const INDEX: &str = "application/vnd.strixlock.index.v1+zstd";
/// The media type of a pack.
pub const PACK: &str = "application/vnd.strixlock.pack.v1";
/// The media type of a config that says nothing.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// That config.
pub const EMPTY_CONFIG: &[u8] = b"{}";

/// Greatest number of packs of a tree: four times as many as a tree of the greatest size has.
pub const MOST_PACKS: usize = 1024;

/// The annotation with the name of an output.
const TITLE: &str = "org.opencontainers.image.title";
/// The annotation with the version of an output.
const VERSION: &str = "org.opencontainers.image.version";
/// The annotation with the tree's digest.
const TREE_DIGEST: &str = "io.github.strixlock.tree";
/// The annotation with the seconds that the build took whose result was pushed.
const SECONDS: &str = "io.github.strixlock.build-seconds";

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    schema_version: u32,
    media_type: String,
    /// The kind of artifact.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub artifact_type: String,
    /// The config.
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
    /// Creates a manifest with an empty config.
    #[must_use]
    pub fn new(artifact_type: &str, layers: Vec<Descriptor>) -> Self {
        let config = Descriptor::new(EMPTY, Sha256Digest::of(EMPTY_CONFIG), EMPTY_CONFIG.len() as u64);
        Self {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            artifact_type: artifact_type.to_owned(),
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Parses a manifest of this type.
    pub fn parse(text: &[u8], artifact_type: &str) -> Result<Self> {
        let artifact: Self = serde_json::from_slice(text)
            .map_err(|error| Error::new(Kind::Mismatch, "the remote has an invalid manifest").because(&error))?;
        if artifact.artifact_type == artifact_type {
            return Ok(artifact);
        }
        Err(Error::new(Kind::Mismatch, "the remote has a manifest of another kind in this place")
            .fact("expected", artifact_type)
            .fact("found", crate::text::visible(&artifact.artifact_type)))
    }

    /// Returns the manifest's text.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| Error::failure("cannot write a manifest").because(&error))
    }
}

/// A descriptor of a manifest with this text.
#[must_use]
pub fn described(manifest: &[u8]) -> Descriptor {
    Descriptor::new(MANIFEST, Sha256Digest::of(manifest), manifest.len() as u64)
}

/// A description of a tree for people, and believed by nobody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// The name of the output.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The seconds that its build took.
    pub seconds: Option<u64>,
}

/// The manifest of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeArtifact {
    /// The listing.
    pub listing: Promise,
    /// The index.
    pub index: Promise,
    /// The packs, in the order in which the index numbers them.
    pub packs: Vec<Promise>,
    /// The description of it.
    pub about: About,
}

impl TreeArtifact {
    /// Parses the manifest of a tree.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let artifact = Artifact::parse(text, TREE)?;
        let [listing, index, packs @ ..] = artifact.layers.as_slice() else {
            return Err(odd("it has no index"));
        };
        if packs.len() > MOST_PACKS {
            return Err(odd("it has too many layers").fact("layers", artifact.layers.len()));
        }
        let kinds = [(listing, LISTING), (index, INDEX)].into_iter().chain(packs.iter().map(|pack| (pack, PACK)));
        if let Some((wrong, _)) = kinds.clone().find(|(layer, kind)| layer.media_type != *kind) {
            return Err(odd("a layer has another type").fact("type", crate::text::visible(&wrong.media_type)));
        }
        let text = |name: &str| artifact.annotations.get(name).map(|text| crate::text::visible(text));
        let about = About {
            name: text(TITLE).unwrap_or_default(),
            version: text(VERSION).unwrap_or_default(),
            seconds: text(SECONDS).and_then(|text| text.parse().ok()),
        };
        Ok(Self { listing: promise(listing), index: promise(index), packs: packs.iter().map(promise).collect(), about })
    }

    /// Returns the manifest of a tree with this digest.
    pub fn to_bytes(&self, tree: crate::digest::TreeDigest) -> Result<Vec<u8>> {
        let layer = |kind: &str, blob: &Promise| Descriptor::new(kind, blob.digest, blob.size);
        let mut layers = vec![layer(LISTING, &self.listing), layer(INDEX, &self.index)];
        layers.extend(self.packs.iter().map(|pack| layer(PACK, pack)));
        let mut artifact = Artifact::new(TREE, layers);
        let About { name, version, seconds } = &self.about;
        let seconds = seconds.map(|seconds| (SECONDS, seconds.to_string()));
        let said = [(TITLE, name.clone()), (VERSION, version.clone()), (TREE_DIGEST, tree.to_string())];
        let said = said.into_iter().chain(seconds).map(|(name, value)| (name.to_owned(), value));
        artifact.annotations = said.collect();
        artifact.to_bytes()
    }
}

/// Returns digest and size in a descriptor.
#[must_use]
pub fn promise(descriptor: &Descriptor) -> Promise {
    Promise { size: descriptor.size, digest: descriptor.digest }
}

fn odd(why: &str) -> Error {
    Error::new(Kind::Mismatch, format!("the remote's manifest of a tree cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::TreeDigest;

    fn blob(text: &str) -> Promise {
        Promise { size: text.len() as u64, digest: Sha256Digest::of(text.as_bytes()) }
    }

    fn tree(packs: usize) -> TreeArtifact {
        TreeArtifact {
            listing: blob("listing"),
            index: blob("index"),
            packs: (0..packs).map(|number| blob(&number.to_string())).collect(),
            about: About { name: "llama".into(), version: "b1".into(), seconds: Some(7) },
        }
    }

    #[test]
    fn a_manifest_comes_back_and_has_no_time() {
        let text = tree(2).to_bytes(TreeDigest(Sha256Digest::of(b"t"))).unwrap();
        assert_eq!(TreeArtifact::parse(&text).unwrap(), tree(2));
        assert!(!String::from_utf8(text).unwrap().contains("created"));
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        let text = |packs| tree(packs).to_bytes(TreeDigest(Sha256Digest::of(b"t"))).unwrap();
        let error = TreeArtifact::parse(&text(10_000)).unwrap_err();
        assert!(error.to_string().contains("too many layers"), "{error}");
        let good = String::from_utf8(text(1)).unwrap();
        for (from, to) in [
            ("vnd.strixlock.tree.v1", "vnd.docker.container.image.v1+json"),
            ("vnd.strixlock.pack.v1", "vnd.oci.image.layer.v1.tar+gzip"),
            ("vnd.strixlock.listing.v1+zstd", "x"),
            ("sha256:", "md5:"),
            ("\"layers\":[", "\"layers\":[],\"x\":["),
            ("{", "["),
        ] {
            let error = TreeArtifact::parse(good.replace(from, to).as_bytes()).unwrap_err();
            assert_eq!(error.kind(), Kind::Mismatch, "{from}");
        }
    }
}
