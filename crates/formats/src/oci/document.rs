//! The documents of an image: descriptors, manifest, index, configuration.
//!
//! Format: OCI Image Format Specification 1.1, `descriptor.md`, `manifest.md`, `image-index.md`, `config.md`. Unknown
//! fields are ignored, as the specification demands. Documents are written with a fixed order of fields and no
//! blanks, so that the same image has the same digest.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};

/// The media type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The media type of a configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The annotation by which a layout names a manifest.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The annotation by which containerd, and Docker on it, name an image of a layout: with registry and tag.
pub(crate) const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// A reference to some bytes: media type, digest and size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type; empty if it is not given.
    #[serde(default)]
    pub media_type: String,
    /// The digest of the bytes. Algorithms other than SHA-256 are not accepted.
    pub digest: Sha256Digest,
    /// The size in bytes.
    pub size: u64,
    /// Further URLs of the bytes; only layers that may not be distributed have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub urls: Vec<String>,
    /// The platform that they are for, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub platform: Option<Platform>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "texts")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Creates a descriptor without optional fields.
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

/// The platform that an image is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// GOARCH, such as `amd64`.
    pub architecture: String,
    /// GOOS, such as `linux`.
    pub os: String,
    /// The variant of the architecture, such as `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// A manifest: configuration and layers of one image for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    #[serde(default)]
    pub schema_version: u32,
    /// The media type of this document.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub media_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, the lowest first.
    #[serde(deserialize_with = "or_default")]
    pub layers: Vec<Descriptor>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "texts")]
    pub annotations: BTreeMap<String, String>,
}

/// An index: manifests for several platforms, or those of a layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// The media type of this document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The manifests.
    pub manifests: Vec<Descriptor>,
}

/// The configuration of an image that is made here. Those of other images are read as
/// [`BaseConfig`](super::BaseConfig).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageConfig {
    /// The time of creation, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// GOARCH.
    pub architecture: String,
    /// GOOS.
    pub os: String,
    /// The settings for running it.
    pub config: Config,
    /// The digests of its layers before compression.
    pub rootfs: RootFs,
    /// The origin of each layer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
}

/// The settings for running an image. `Healthcheck`, `StopTimeout` and `Shell` are Docker's: the specification
/// leaves room for them, and engines that do not know them ignore them. `OnBuild` is left out: it concerns builds
/// on top of the image, and images built so do not have it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Config {
    /// User and group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Ports that are served, such as `8080/tcp`, each with an empty object.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Value>,
    /// Environment variables: `NAME=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The program, with arguments that users of a container do not replace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// The arguments that users may replace; without an entrypoint, the program too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// Directories that outlive a container, each with an empty object.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Value>,
    /// The working directory.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The signal that asks the program to end.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// The time that ending may take, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<u64>,
    /// The check that a container works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<HealthCheck>,
    /// The program that runs commands given as one line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shell: Vec<String>,
}

/// The check that a container works. Times are in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthCheck {
    /// `CMD` and the words of a command.
    #[serde(deserialize_with = "or_default")]
    pub test: Vec<String>,
    /// The time between checks.
    #[serde(deserialize_with = "or_default")]
    pub interval: u64,
    /// The time that a check may take.
    #[serde(deserialize_with = "or_default")]
    pub timeout: u64,
    /// The time after the start in which checks may fail: models take minutes to load.
    #[serde(deserialize_with = "or_default")]
    pub start_period: u64,
    /// The time between checks in the start period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_interval: Option<u64>,
    /// The number of checks in a row that must fail.
    #[serde(deserialize_with = "or_default")]
    pub retries: u32,
}

/// The layers before compression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    pub r#type: String,
    /// Their digests, the lowest layer first.
    pub diff_ids: Vec<Sha256Digest>,
}

/// The origin of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct History {
    /// The time of creation, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The command that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// True if it made no layer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

/// Reads a field; `null`, which other writers use for a missing one, is the default.
fn or_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// Reads a field that only engines use. An invalid value counts as missing, so that the image can still be used.
fn lenient<'de, D: serde::Deserializer<'de>, T: Default + DeserializeOwned>(from: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).unwrap_or_default())
}

/// Reads annotations and labels. Values that are not strings are left out.
fn texts<'de, D: serde::Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let Value::Object(remarks) = Value::deserialize(from)? else { return Ok(BTreeMap::new()) };
    let text = |value: Value| if let Value::String(text) = value { Some(text) } else { None };
    Ok(remarks.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect())
}

/// Returns the bytes of a document.
pub fn write(document: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|error| Error::failure("cannot write JSON").because(&error))
}

/// Most values in a document; no real one has as many. In memory each may take a hundred times its size in the
/// document.
const MOST_VALUES: usize = 100_000;

/// Parses a document; `what` names it in errors. Fails with [`Kind::Mismatch`] if it is malformed.
pub fn read<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    // Each value but the first follows one of these.
    if bytes.iter().filter(|byte| matches!(byte, b'{' | b'[' | b',')).count() > MOST_VALUES {
        return Err(Error::new(Kind::Mismatch, format!("the {what} has too many values")).fact("limit", MOST_VALUES));
    }
    serde_json::from_slice(bytes)
        .map_err(|error| Error::new(Kind::Mismatch, format!("malformed {what}")).because(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::BaseConfig;

    #[test]
    fn what_docker_adds_is_read_and_written_again() {
        let text = concat!(
            r#"{"ExposedPorts":{"80/tcp":{}},"Volumes":{"/data":{}},"StopSignal":"SIGQUIT","StopTimeout":5,"#,
            r#""Healthcheck":{"Test":["CMD","true"],"Interval":1,"Timeout":0,"StartPeriod":0,"StartInterval":2,"#,
            r#""Retries":0},"Shell":["/bin/bash","-c"]}"#
        );
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
