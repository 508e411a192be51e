//! A base image on the page.

use super::OciPin;
use crate::page::{commands, fact};
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
    for layer in &pin.layers {
        fact(page, "layer", &format!("{}, {} bytes, diff id {}", layer.digest, layer.size, layer.diff_id));
    }
    let image = format!("docker://{}/{}@{}", pin.registry, pin.repository, pin.manifest.digest);
    commands(
        page,
        &[
            &format!("skopeo copy --preserve-digests {} oci:base:base", shell_word(&image)),
            &format!("sha256sum base/blobs/sha256/{}", pin.manifest.digest.hex()),
        ],
    );
}
