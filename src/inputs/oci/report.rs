//! A base image on the page.

use std::fmt::Write as _;

use super::OciPin;
use crate::page::{cell, commands, fact};
use crate::text::shell_word;
use crate::upstream::oci::OciRequest;

pub(super) fn report(page: &mut String, request: &OciRequest, pin: &OciPin) {
    fact(page, "image", &request.image.to_string());
    fact(page, "platform", &format!("linux/{}", request.architecture));
    if let Some(index) = &pin.index {
        fact(page, "index", &format!("{}, {} bytes", index.digest, index.size));
    }
    fact(page, "manifest", &format!("{}, {} bytes", pin.manifest.digest, pin.manifest.size));
    fact(page, "configuration", &format!("{}, {} bytes", pin.config.digest, pin.config.size));
    fact(page, "layers", &pin.layers.len().to_string());
    // Another image is copied to another directory.
    let directory = format!("base-{}", &pin.manifest.digest.hex()[..12]);
    let image = format!("docker://{}/{}@{}", pin.registry, pin.repository, pin.manifest.digest);
    commands(
        page,
        &[
            &format!("skopeo copy --preserve-digests {} oci:{directory}:base", shell_word(&image)),
            &format!("sha256sum {directory}/blobs/sha256/{}", pin.manifest.digest.hex()),
        ],
    );
}

/// Writes the layers.
pub(super) fn lists(name: &str, page: &mut String, pin: &OciPin) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, "\n### Layers of {}\n\n| layer | bytes | diff id |\n| --- | --- | --- |", cell(name));
    for layer in &pin.layers {
        let _ = writeln!(page, "| `{}` | {} | `{}` |", layer.digest, layer.size, layer.diff_id);
    }
}
