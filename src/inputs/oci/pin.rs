//! A pinned base image.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::report;
use crate::digest::{Promise, Sha256Digest};
use crate::inputs::{Block, Pinned, Trust};
use crate::oci::{ImageName, layer_kind};
use crate::page::script::Script;
use crate::upstream::oci::OciRequest;

/// A pinned image: everything below what a tag led to, by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OciPin {
    /// The registry's host, with its port if it has one.
    pub registry: String,
    /// The repository.
    pub repository: String,
    /// The index for several platforms that the tag led to, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<BlobPin>,
    /// The manifest.
    pub manifest: BlobPin,
    /// The configuration.
    pub config: BlobPin,
    /// The layers, the lowest first.
    pub layers: Vec<LayerPin>,
}

/// Some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlobPin {
    /// Their digest.
    pub digest: Sha256Digest,
    /// The number of bytes.
    pub size: u64,
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerPin {
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: Sha256Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of the archive in it.
    pub diff_id: Sha256Digest,
}

impl OciPin {
    /// Configuration and layers, each once: what is fetched.
    #[must_use]
    pub fn blobs(&self) -> Vec<Promise> {
        let config = Promise { size: self.config.size, digest: self.config.digest };
        let layers = self.layers.iter().map(|layer| Promise { size: layer.size, digest: layer.digest });
        let mut all: Vec<Promise> = Vec::new();
        for blob in std::iter::once(config).chain(layers) {
            if !all.iter().any(|there| there.digest == blob.digest) {
                all.push(blob);
            }
        }
        all
    }

    /// The digest that a tag led to.
    #[must_use]
    pub fn top(&self) -> Sha256Digest {
        self.index.map_or(self.manifest.digest, |index| index.digest)
    }
}

impl Pinned for Block<OciRequest> {
    fn version(&self) -> String {
        format!("{} ({})", self.requested.image, &self.locked.top().hex()[..12])
    }

    fn short_version(&self) -> String {
        self.requested.image.to_string()
    }

    fn size(&self) -> u64 {
        self.locked.blobs().iter().map(|blob| blob.size).fold(0, u64::saturating_add)
    }

    fn visible(&self) -> Value {
        let pin = &self.locked;
        serde_json::json!({ "manifest": pin.manifest.digest, "config": pin.config.digest, "layers": pin.layers })
    }

    fn fault(&self) -> Option<String> {
        let pin = &self.locked;
        let name = format!("{}/{}", pin.registry, pin.repository);
        let read = ImageName::parse(&name).ok().map(|name| (name.host, name.repository, name.tag));
        if read != Some((Some(&*pin.registry), &*pin.repository, None)) {
            return Some("it names no repository of a registry".to_owned());
        }
        let error = pin.layers.iter().find_map(|layer| layer_kind(&layer.media_type).err());
        error.map(|error| error.message().to_owned())
    }

    fn report(&self, page: &mut String) {
        report::report(page, &self.requested, &self.locked);
    }

    fn trust(&self) -> Trust {
        Trust::Published
    }

    fn unverified(&self) -> Vec<String> {
        vec!["No signature of a base image is checked: its digests are as the registry sent them.".to_owned()]
    }

    fn lists(&self, name: &str, page: &mut String) {
        report::lists(name, page, &self.locked);
    }

    fn rebuild(&self, _: &str, _: &mut Script) -> Result<(), String> {
        Err("strixlock lays the layers of a base image over each other by rules of its own".to_owned())
    }
}
