//! Loading of an image by digest for an engine, before anything old is removed.
//!
//! An image in a registry is pulled. An image of the lock needs no registry: podman loads the layout directly from the
//! store and keeps its manifest byte for byte, so the digest stays the locked one. `podman load` of a directory names
//! the image by the given path, which fails for a path with capitals. So it is run in the parent directory with only
//! the last part of the path. The image is then tagged with its own name and the first digits of the digest, so that a
//! new image takes no name from an old one.

use std::path::Path;

use super::engine::words;
use super::{ContainerEngine, ImageRef};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::oci::layout;

/// Number of digits of the digest in the tag.
const DIGITS: usize = 12;

/// An image and the commands that load it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSource {
    /// Name with digest.
    pub image: ImageRef,
    /// Command that succeeds if the image is loaded already.
    pub exists: Vec<String>,
    /// Commands that load the image.
    pub load: Vec<Vec<String>>,
}

impl ImageSource {
    /// Returns an image that `program` pulls from its registry.
    #[must_use]
    pub fn registry(image: ImageRef, program: &'static str) -> Self {
        let name = image.without_tag();
        let asks = if program == "docker" { "inspect" } else { "exists" };
        Self { exists: words([program, "image", asks, &name]), load: vec![words([program, "pull", &name])], image }
    }

    /// Returns the image of the lock whose layout is at `tree` and whose own name is `name`.
    pub fn layout(tree: &Path, name: &str) -> Result<Self> {
        let digest = layout::manifest(tree)?.digest;
        let id = layout::image(tree)?.config.digest.hex();
        let image = local(name, digest)?;
        let tagged = format!("{}:{}", image.bare_name(), &digest.hex()[..DIGITS]);
        let (Some(above), Some(last)) =
            (tree.parent().and_then(Path::to_str), tree.file_name().and_then(|n| n.to_str()))
        else {
            return Err(Error::new(Kind::Usage, "the path of the store is not UTF-8, which podman needs")
                .fact("path", tree.display()));
        };
        let chdir = format!("--chdir={above}");
        Ok(Self {
            image,
            exists: words(["podman", "image", "exists", &tagged]),
            load: vec![
                words(["env", &chdir, "podman", "load", "--quiet", "--input", last]),
                words(["podman", "tag", &id, &tagged]),
                words(["podman", "untag", &id, &format!("localhost/{last}:latest")]),
            ],
        })
    }
}

/// Returns the name of an image of the lock on this machine.
pub fn local(name: &str, digest: Sha256Digest) -> Result<ImageRef> {
    ImageRef::new(&layout::qualified(name), digest)
}

/// Fails for engines that do not use podman's storage, with a hint at how to push the image `output` to a registry.
pub fn demand_podman(engine: ContainerEngine, output: &str) -> Result<()> {
    if engine.uses_podman() {
        return Ok(());
    }
    let message = format!("{} needs an image in a registry, and this one is only in the lock", engine.name());
    Err(Error::new(Kind::Usage, message).fact("image", output).hint(format!(
        "`strixlock export oci {output}` prints its path and digest: run `skopeo copy --preserve-digests oci:PATH \
         docker://REGISTRY/NAME`, then use --image REGISTRY/NAME@DIGEST; Docker before 23 needs `compression = \
         \"gzip\"` in the output"
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
