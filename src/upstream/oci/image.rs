//! Checks that manifest and configuration make an image that can be unpacked.

use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::oci::document::Manifest;
use crate::oci::{BaseConfig, layer_kind};
use crate::text::shortened;

/// Greatest number of layers; engines stop at 127.
pub const MOST_LAYERS: usize = 512;

/// Returns the digests of an image's uncompressed layers. Fails if manifest and configuration do not match, or if a
/// layer cannot be unpacked.
pub fn check_image(manifest: &Manifest, config: &BaseConfig, architecture: &str) -> Result<Vec<Sha256Digest>> {
    let wrong = |why: String| Error::new(Kind::Invalid, format!("the image cannot be used: {why}"));
    if manifest.layers.len() > MOST_LAYERS {
        return Err(wrong(format!("it has {} layers, more than {MOST_LAYERS}", manifest.layers.len())));
    }
    for layer in &manifest.layers {
        layer_kind(&layer.media_type)?;
        if !layer.urls.is_empty() {
            return Err(wrong("a layer is stored outside the registry".to_owned()));
        }
    }
    if config.os != "linux" || config.architecture != architecture {
        return Err(wrong("its configuration is for another platform".to_owned())
            .fact("asked", format!("linux/{architecture}"))
            .fact(
                "found",
                shortened(&format!("{}/{}", config.os.escape_debug(), config.architecture.escape_debug())),
            ));
    }
    if config.rootfs.diff_ids.len() != manifest.layers.len() {
        return Err(wrong(format!(
            "it has {} layers, but its configuration names {}",
            manifest.layers.len(),
            config.rootfs.diff_ids.len()
        )));
    }
    Ok(config.rootfs.diff_ids.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oci::Descriptor;

    const HEX: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn layers_that_cannot_be_taken_apart_are_refused() {
        let config = |layers: usize| {
            let config = json!({ "architecture": "amd64", "os": "linux", "config": null_config(),
                "rootfs": { "type": "layers", "diff_ids": vec![HEX; layers] } });
            BaseConfig::read(config.to_string().as_bytes()).unwrap()
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
        let read = |layers: Vec<Descriptor>, named: usize| check_image(&manifest(layers), &config(named), "amd64");
        assert_eq!(read(vec![layer(gzip)], 1).unwrap().len(), 1);
        let elsewhere = Descriptor { urls: vec!["https://x.example/".to_owned()], ..layer(gzip) };
        for (layers, named, why) in [
            (vec![layer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")], 1, "may not be distributed"),
            (vec![layer("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd")], 1, "may not be distributed"),
            (vec![layer("application/wasm")], 1, "not a tar archive"),
            (vec![elsewhere], 1, "outside the registry"),
            (vec![layer(gzip)], 2, "names 2"),
            (vec![layer(gzip); 4000], 4000, "4000 layers"),
        ] {
            let error = read(layers, named).unwrap_err();
            assert!(error.message().contains(why), "{why}: {error}");
        }
        assert!(check_image(&manifest(vec![]), &config(0), "arm64").is_err());
    }

    /// Docker writes `null` for what is not there.
    fn null_config() -> serde_json::Value {
        json!({ "Env": null, "Cmd": null, "Entrypoint": null, "Labels": null, "User": "" })
    }
}
