//! A registry on the upstream's server, and images in it: as tools would have pushed them, and as nobody should.

use serde_json::{Value, json};
use strixlock_demo::deb_maker::compress;
use strixlock_demo::http::Resource;
use strixlock_formats::tree::Compression;
use strixlock_ground::digest::Sha256Digest;

use crate::support::Project;

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// An image to be served.
pub struct Image {
    pub layers: Vec<(Vec<u8>, Sha256Digest)>,
    pub layer_type: &'static str,
    pub architecture: &'static str,
    pub diff_ids: Option<Vec<String>>,
    pub config: Value,
}

/// A layer with these files.
pub fn layer(files: &[(&str, &str)]) -> (Vec<u8>, Sha256Digest) {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, contents) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, path, contents.as_bytes()).unwrap();
    }
    let archive = archive.into_inner().unwrap();
    (compress(&archive, Compression::Gzip), Sha256Digest::of(&archive))
}

impl Image {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let base = layer(&[("bin/sh", "shell"), ("etc/os-release", "ID=demo\n"), ("etc/gone", "1")]);
        let config = json!({ "Env": ["PATH=/bin", "BASE=1"], "Cmd": ["bash"], "Labels": { "base": "1" } });
        Self { layers: vec![base, layer(files)], layer_type: GZIP, architecture: "amd64", diff_ids: None, config }
    }

    /// Serves blobs and manifest in a repository; the manifest's descriptor and text.
    pub fn push(&self, project: &Project, repository: &str) -> (Value, String) {
        let server = project.upstream().server();
        let blob = |bytes: &[u8]| {
            let digest = Sha256Digest::of(bytes);
            server.put(&format!("/v2/{repository}/blobs/{digest}"), Resource::bytes(bytes));
            digest
        };
        let usual = || self.layers.iter().map(|(_, diff_id)| diff_id.to_string()).collect();
        let config = json!({
            "architecture": self.architecture, "os": "linux",
            "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": self.diff_ids.clone().unwrap_or_else(usual) },
        })
        .to_string();
        let layers: Vec<Value> = self
            .layers
            .iter()
            .map(|(bytes, _)| json!({ "mediaType": self.layer_type, "digest": blob(bytes), "size": bytes.len() }))
            .collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "layers": layers,
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob(config.as_bytes()), "size": config.len() },
        });
        (put(project, repository, &manifest, MANIFEST), manifest.to_string())
    }
}

/// Serves a manifest or index by its digest; its descriptor.
pub fn put(project: &Project, repository: &str, document: &Value, media_type: &str) -> Value {
    let text = document.to_string();
    let digest = Sha256Digest::of(text.as_bytes());
    serve(project, repository, &digest.to_string(), text.as_bytes(), media_type);
    json!({ "mediaType": media_type, "digest": digest, "size": text.len() })
}

/// Serves a document under a tag or digest.
pub fn serve(project: &Project, repository: &str, name: &str, bytes: &[u8], media_type: &str) {
    let resource = Resource::bytes(bytes).content_type(media_type);
    project.upstream().server().put(&format!("/v2/{repository}/manifests/{name}"), resource);
}
