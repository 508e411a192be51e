//! Pure readers of what a registry sends: which manifest of an index, and whether manifest and configuration are an image
//! that can be taken apart.

use super::{DOCKER_LIST, DOCKER_MANIFEST};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::oci::document::{self, INDEX, ImageConfig, Index, MANIFEST, Manifest};
use crate::oci::{Descriptor, layer_kind};

/// No image that anybody uses has more layers; engines stop at 127.
pub const MOST_LAYERS: usize = 512;

/// What a document of a registry is, told by its media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// A manifest: the image itself.
    Manifest(Manifest),
    /// An index, and the manifest in it for the platform.
    Index(Descriptor),
}

/// Reads what a tag or digest leads to. `media_type` is what the registry called it, and counts where the document does not
/// say so itself.
pub fn platform(bytes: &[u8], media_type: Option<&str>, architecture: &str) -> Result<Selected> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Probe {
        media_type: Option<String>,
    }
    let probe: Probe = document::read(bytes, "manifest")?;
    let named = probe.media_type.as_deref().or(media_type).unwrap_or_default();
    match named {
        MANIFEST | DOCKER_MANIFEST => Ok(Selected::Manifest(document::read(bytes, "manifest")?)),
        INDEX | DOCKER_LIST => {
            let index: Index = document::read(bytes, "index")?;
            choose(index, architecture).map(Selected::Index)
        }
        other => {
            let shown: String = other.chars().filter(|c| !c.is_control()).take(100).collect();
            Err(Error::new(Kind::Invalid, "the registry sent no image").fact("media type", shown))
        }
    }
}

/// The one manifest for Linux on this architecture. Attestations, which are for no platform, are passed over.
fn choose(index: Index, architecture: &str) -> Result<Descriptor> {
    let mut there = Vec::new();
    let mut fitting = Vec::new();
    for descriptor in index.manifests {
        let Some(platform) = &descriptor.platform else { continue };
        if platform.os == "linux" && platform.architecture == architecture {
            fitting.push(descriptor);
        } else if platform.os != "unknown" {
            there.push(format!("{}/{}", platform.os, platform.architecture));
        }
    }
    let mut fitting = fitting.into_iter();
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(Error::new(Kind::Invalid, "the image has several manifests for the platform")
            .fact("platform", format!("linux/{architecture}"))
            .hint("name the manifest's digest in `image`")),
        _ => Err(Error::new(Kind::NotFound, "the image is not there for the platform")
            .fact("asked", format!("linux/{architecture}"))
            .fact("it is for", there.join(", ").chars().filter(|c| !c.is_control()).take(300).collect::<String>())),
    }
}

/// Whether manifest and configuration are one image, made of layers that can be taken apart; the digests of its layers before
/// compression.
pub fn read_manifest(manifest: &Manifest, config: &[u8], architecture: &str) -> Result<Vec<Sha256Digest>> {
    let wrong = |why: String| Error::new(Kind::Invalid, format!("the image cannot be used: {why}"));
    if manifest.layers.len() > MOST_LAYERS {
        return Err(wrong(format!("it has {} layers, more than {MOST_LAYERS}", manifest.layers.len())));
    }
    for layer in &manifest.layers {
        layer_kind(&layer.media_type)?;
        if !layer.urls.is_empty() {
            return Err(wrong("the bytes of a layer are elsewhere".to_owned()));
        }
    }
    let config: ImageConfig = document::read(config, "configuration")?;
    if config.os != "linux" || config.architecture != architecture {
        return Err(wrong("its configuration is for another platform".to_owned())
            .fact("asked", format!("linux/{architecture}"))
            .fact("found", format!("{}/{}", config.os.escape_debug(), config.architecture.escape_debug())));
    }
    if config.rootfs.diff_ids.len() != manifest.layers.len() {
        return Err(wrong(format!(
            "it has {} layers, and its configuration names {}",
            manifest.layers.len(),
            config.rootfs.diff_ids.len()
        )));
    }
    Ok(config.rootfs.diff_ids)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HEX: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn selected(document: &serde_json::Value) -> Result<Selected> {
        platform(document.to_string().as_bytes(), Some("application/json"), "amd64")
    }

    fn entry(os: &str, architecture: &str) -> serde_json::Value {
        json!({ "mediaType": MANIFEST, "digest": HEX, "size": 1, "platform": { "os": os, "architecture": architecture } })
    }

    #[test]
    fn the_one_platform_of_an_index_is_taken() {
        let index = |manifests: Vec<serde_json::Value>| {
            selected(&json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests, "more": 1 }))
        };
        let Selected::Index(found) =
            index(vec![entry("linux", "arm64"), entry("linux", "amd64"), entry("unknown", "unknown")]).unwrap()
        else {
            panic!("no index")
        };
        assert_eq!(found.platform.unwrap().architecture, "amd64");
        assert_eq!(index(vec![entry("linux", "arm64")]).unwrap_err().kind(), Kind::NotFound);
        assert_eq!(index(vec![entry("linux", "amd64"); 2]).unwrap_err().kind(), Kind::Invalid);
        assert_eq!(index(vec![]).unwrap_err().kind(), Kind::NotFound);
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for document in [
            json!({}),
            json!({ "schemaVersion": 1, "mediaType": "application/vnd.docker.distribution.manifest.v1+json" }),
        ] {
            assert_eq!(selected(&document).unwrap_err().kind(), Kind::Invalid, "{document}");
        }
        let sha512 = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
                             "config": { "mediaType": "x", "digest": "sha512:00", "size": 1 } });
        assert_eq!(selected(&sha512).unwrap_err().kind(), Kind::Mismatch);
        assert_eq!(platform(b"<html>", None, "amd64").unwrap_err().kind(), Kind::Mismatch);
    }

    #[test]
    fn layers_that_cannot_be_taken_apart_are_refused() {
        let config = |layers: usize| {
            json!({ "architecture": "amd64", "os": "linux", "config": null_config(), "rootfs": { "type": "layers", "diff_ids": vec![HEX; layers] } }).to_string()
        };
        let manifest = |layers: Vec<Descriptor>| Manifest {
            schema_version: 2,
            media_type: None,
            config: Descriptor::new("x", Sha256Digest::of(b""), 0),
            layers,
            annotations: std::collections::BTreeMap::new(),
        };
        let layer = |kind: &str| Descriptor::new(kind, Sha256Digest::of(b""), 0);
        let gzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
        let read =
            |layers: Vec<Descriptor>, named: usize| read_manifest(&manifest(layers), config(named).as_bytes(), "amd64");
        assert_eq!(read(vec![layer(gzip)], 1).unwrap().len(), 1);
        let elsewhere = Descriptor { urls: vec!["https://x.example/".to_owned()], ..layer(gzip) };
        for (layers, named, why) in [
            (vec![layer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")], 1, "may not be distributed"),
            (vec![layer("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd")], 1, "may not be distributed"),
            (vec![layer("application/wasm")], 1, "no tar archive"),
            (vec![elsewhere], 1, "elsewhere"),
            (vec![layer(gzip)], 2, "names 2"),
            (vec![layer(gzip); 4000], 4000, "4000 layers"),
        ] {
            let error = read(layers, named).unwrap_err();
            assert!(error.message().contains(why), "{why}: {error}");
        }
        let other = config(0).replace("amd64", "arm64");
        assert!(read_manifest(&manifest(vec![]), other.as_bytes(), "amd64").is_err());
    }

    /// Docker writes `null` for what is not there.
    fn null_config() -> serde_json::Value {
        json!({ "Env": null, "Cmd": null, "Entrypoint": null, "Labels": null, "User": "" })
    }
}
