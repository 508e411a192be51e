//! An image of the lock in podman's storage on this machine, so that engines find it by its digest without any registry.
//!
//! podman reads the layout where it stands in the store and keeps its manifest byte for byte, so that the digest stays what the
//! lock makes it. It calls what it loads by the path it was given (`podman load` of a directory; a store below a path with
//! capitals would be no name), hence the last part of the path alone, from within the directory above; the image's own name is
//! put in place of it, with the digest's first digits as the tag: a new image takes no name from an old one.

use std::path::Path;

use super::engine::words;
use super::{Engine, ImageRef};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::oci::layout;

/// Digits of the digest in the tag.
const DIGITS: usize = 12;

/// An image of the lock, and how it gets into podman's storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalImage {
    /// The name with its digest.
    pub image: ImageRef,
    /// Succeeds where podman has it.
    pub exists: Vec<String>,
    /// Bring it there.
    pub bring: Vec<Vec<String>>,
}

impl LocalImage {
    /// The image whose layout stands at `tree`, which calls itself `name`.
    pub fn of(tree: &Path, name: &str) -> Result<Self> {
        let digest = layout::manifest(tree)?.digest;
        let id = layout::image(tree)?.config.digest.hex();
        let image = ImageRef::new(&qualified(name), digest)?;
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

    /// Refuses engines that do not look into podman's storage, and says how the image gets where they look.
    pub fn demand_podman(tree: &Path, engine: Engine) -> Result<()> {
        if engine.uses_podman() {
            return Ok(());
        }
        let digest: Sha256Digest = layout::manifest(tree)?.digest;
        Err(Error::new(
            Kind::Usage,
            format!("{} takes images from a registry, and this one is in the store", engine.name()),
        )
        .fact("image", digest)
        .hint(format!(
            "push it, then name it: `skopeo copy --preserve-digests oci:{} docker://REGISTRY/NAME`, then --image \
                 REGISTRY/NAME@{digest}",
            tree.display()
        )))
    }
}

/// Engines look up names without a registry's in registries; podman's own images are `localhost`'s.
fn qualified(name: &str) -> String {
    let has_host = name.split_once('/').is_some_and(|(first, _)| first.contains(['.', ':']) || first == "localhost");
    if has_host { name.to_owned() } else { format!("localhost/{name}") }
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
            assert_eq!(qualified(name), full);
        }
    }
}
