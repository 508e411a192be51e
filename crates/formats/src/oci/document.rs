//! The documents of an image: descriptors, manifest, index, configuration.
//!
//! Format: OCI Image Format Specification 1.1, `descriptor.md`, `manifest.md`, `image-index.md`, `config.md`. Fields that are
//! not known here are passed over, as the specification demands. Written they have one order of fields and no blanks, so
//! that the same image has the same digest.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};

/// A manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// A configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The annotation by which a layout names a manifest.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The annotation by which containerd, and Docker on it, name an image of a layout: with registry and tag.
pub const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// Names some bytes: what they are, their digest, how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Type of the bytes; empty where it is not said.
    #[serde(default)]
    pub media_type: String,
    /// Their digest. Other algorithms than SHA-256 are not accepted.
    pub digest: Sha256Digest,
    /// How many.
    pub size: u64,
    /// Where else they are; only layers that may not be distributed have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub urls: Vec<String>,
    /// What machine they are for, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub platform: Option<Platform>,
    /// What else is said of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "texts")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// A descriptor without anything optional.
    #[must_use]
    pub fn new(media_type: &str, digest: Sha256Digest, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest,
            size,
            urls: Vec::new(),
            platform: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// What machine an image is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// GOARCH, e.g. `amd64`.
    pub architecture: String,
    /// GOOS, e.g. `linux`.
    pub os: String,
    /// e.g. `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// A manifest: configuration and layers of one image for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// 2.
    #[serde(default)]
    pub schema_version: u32,
    /// What this document is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub media_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, the lowest first.
    #[serde(deserialize_with = "or_default")]
    pub layers: Vec<Descriptor>,
    /// What else is said of the image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "texts")]
    pub annotations: BTreeMap<String, String>,
}

/// An index: manifests for several platforms, or those of a layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// 2.
    pub schema_version: u32,
    /// What this document is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The manifests.
    pub manifests: Vec<Descriptor>,
}

/// The configuration of an image that is made here; those of others are read as [`BaseConfig`](super::BaseConfig).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageConfig {
    /// When it was made, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// GOARCH.
    pub architecture: String,
    /// GOOS.
    pub os: String,
    /// Settings of how it is run.
    pub config: Config,
    /// Its layers before compression.
    pub rootfs: RootFs,
    /// How each layer came about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
}

/// How an image is run. `Healthcheck`, `StopTimeout` and `Shell` are Docker's: the specification leaves room for them, and
/// engines that do not know them pass them over. `OnBuild` is no part of this: it is meant for the build that an image is the
/// base of, and no image made on it has it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Config {
    /// User and group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Ports that are served, such as `8080/tcp`, each with an empty object.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Value>,
    /// `NAME=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// What is run, with the arguments that cannot be taken from it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// The arguments that can, or what is run where there is no entrypoint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// Directories that outlive a container, each with an empty object.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Value>,
    /// Where it is run.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The signal that asks it to end.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// How long it may take for that, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<u64>,
    /// How to see that it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<HealthCheck>,
    /// What runs commands that are given as one line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shell: Vec<String>,
}

/// How to see that a container works. Times are nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthCheck {
    /// `CMD` and the words of a command.
    #[serde(deserialize_with = "or_default")]
    pub test: Vec<String>,
    /// From one look to the next.
    #[serde(deserialize_with = "or_default")]
    pub interval: u64,
    /// How long a look may take.
    #[serde(deserialize_with = "or_default")]
    pub timeout: u64,
    /// How long it may be unwell after its start: models take minutes to load.
    #[serde(deserialize_with = "or_default")]
    pub start_period: u64,
    /// From one look to the next in that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_interval: Option<u64>,
    /// How many looks may fail.
    #[serde(deserialize_with = "or_default")]
    pub retries: u32,
}

/// The layers before compression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// `layers`.
    pub r#type: String,
    /// Their digests, the lowest first.
    pub diff_ids: Vec<Sha256Digest>,
}

/// How a layer came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct History {
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Whether it made no layer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

/// Other writers say `null` for what is not there.
fn or_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// For what only engines look at: what is not as it should be there counts as not said, and the image can be used.
fn lenient<'de, D: serde::Deserializer<'de>, T: Default + DeserializeOwned>(from: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).unwrap_or_default())
}

/// For remarks: those that are texts.
fn texts<'de, D: serde::Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let Value::Object(remarks) = Value::deserialize(from)? else { return Ok(BTreeMap::new()) };
    let text = |value: Value| if let Value::String(text) = value { Some(text) } else { None };
    Ok(remarks.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect())
}

/// The bytes of a document.
pub fn write(document: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|error| Error::failure("cannot write JSON").because(&error))
}

/// No document of an image has more values in it. In memory each may take a hundred times the room that it has in a document.
const MOST_VALUES: usize = 100_000;

/// Reads a document; `what` is what errors call it.
pub fn read<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    // Each value but the first has one of these before it.
    if bytes.iter().filter(|byte| matches!(byte, b'{' | b'[' | b',')).count() > MOST_VALUES {
        return Err(Error::new(Kind::Mismatch, format!("the {what} of the image holds more values than any image's"))
            .fact("limit", MOST_VALUES));
    }
    serde_json::from_slice(bytes)
        .map_err(|error| Error::new(Kind::Mismatch, format!("malformed image {what}")).because(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::BaseConfig;

    #[test]
    fn what_docker_adds_is_read_and_written_again() {
        let text = r#"{"ExposedPorts":{"80/tcp":{}},"Volumes":{"/data":{}},"StopSignal":"SIGQUIT","StopTimeout":5,"Healthcheck":{"Test":["CMD","true"],"Interval":1,"Timeout":0,"StartPeriod":0,"StartInterval":2,"Retries":0},"Shell":["/bin/bash","-c"]}"#;
        let read = |config: &str| {
            let rest = r#""architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}"#;
            let read = BaseConfig::read(format!("{{{rest}, \"config\": {config}}}").as_bytes()).unwrap();
            assert_eq!(read.run.odd, []);
            read.run.config
        };
        assert_eq!(String::from_utf8(write(&read(text)).unwrap()).unwrap(), text);
        let check = read(r#"{"Healthcheck": {"Test": null, "Interval": null, "StartInterval": null, "Unknown": 1}}"#);
        assert_eq!(check.healthcheck, Some(HealthCheck::default()));
    }
}
