//! How an image gets to where an engine looks for it, by digest, before anything old is removed.
//!
//! One with a registry is pulled. One of the lock needs no registry: podman reads the layout where it stands in the store and keeps
//! its manifest byte for byte, so that the digest stays what the lock makes it. podman calls what it loads by the path it was given
//! (`podman load` of a directory; a store below a path with capitals would be no name), hence the last part of the path alone, from
//! within the directory above; the image's own name is put in place of it, with the digest's first digits as the tag: a new image
//! takes no name from an old one.

use std::path::Path;

use super::engine::words;
use super::{Engine, ImageRef};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::oci::layout;

/// Digits of the digest in the tag.
const DIGITS: usize = 12;

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name with its digest.
    pub image: ImageRef,
    /// Succeeds where the program that brings it has it.
    pub exists: Vec<String>,
    /// Bring it there.
    pub bring: Vec<Vec<String>>,
}

impl Source {
    /// An image that an engine which makes a container now, with `program`, pulls from its registry.
    #[must_use]
    pub fn registry(image: ImageRef, program: &'static str) -> Self {
        let name = image.without_tag();
        let asks = if program == "docker" { "inspect" } else { "exists" };
        Self { exists: words([program, "image", asks, &name]), bring: vec![words([program, "pull", &name])], image }
    }

    /// The image of the lock whose layout stands at `tree`, which calls itself `name`.
    pub fn layout(tree: &Path, name: &str) -> Result<Self> {
        let digest = layout::manifest(tree)?.digest;
        let id = layout::image(tree)?.config.digest.hex();
        let image = local(name, digest)?;
        let tagged = format!("{}:{}", image.bare_name(), &digest.hex()[..DIGITS]);
        let (Some(above), Some(last)) =
            (tree.parent().and_then(Path::to_str), tree.file_name().and_then(|n| n.to_str()))
        else {
            return Err(Error::new(Kind::Usage, "the store's path is not UTF-8, and podman cannot be told it")
                .fact("path", tree.display()));
        };
        let chdir = format!("--chdir={above}");
        Ok(Self {
            image,
            exists: words(["podman", "image", "exists", &tagged]),
            bring: vec![
                words(["env", &chdir, "podman", "load", "--quiet", "--input", last]),
                words(["podman", "tag", &id, &tagged]),
                words(["podman", "untag", &id, &format!("localhost/{last}:latest")]),
            ],
        })
    }
}

/// The name that an image of the lock has on this machine.
pub fn local(name: &str, digest: Sha256Digest) -> Result<ImageRef> {
    ImageRef::new(&layout::qualified(name), digest)
}

/// Refuses engines that do not look into podman's storage, and says how the image `output` of the lock gets where they look.
pub fn demand_podman(engine: Engine, output: &str) -> Result<()> {
    if engine.uses_podman() {
        return Ok(());
    }
    let message = format!("{} takes images from a registry, and this one is of the lock", engine.name());
    Err(Error::new(Kind::Usage, message).fact("image", output).hint(format!(
        "`strixlock export oci {output}` prints where it is and its digest: `skopeo copy --preserve-digests oci:PATH \
         docker://REGISTRY/NAME`, then --image REGISTRY/NAME@DIGEST; Docker before 23 needs `compression = \"gzip\"` in the output"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_registry_is_one_of_this_machine() {
        for (name, full) in [
            ("strixlock/server", "localhost/strixlock/server"),
            ("server", "localhost/server"),
            ("localhost/server", "localhost/server"),
            ("localhost:5000/a/b", "localhost:5000/a/b"),
            ("ghcr.io/me/server", "ghcr.io/me/server"),
        ] {
            assert_eq!(layout::qualified(name), full);
        }
    }
}
