//! The manifest of a tree in a remote: an OCI artifact. Parsing is total and does no IO.

use crate::digest::Promise;
use crate::error::{Error, Kind, Result};
use crate::oci::artifact::{TITLE, VERSION};
use crate::oci::{Artifact, Descriptor};

/// The artifact type of a tree.
const TREE: &str = "application/vnd.strixlock.tree.v1";
/// The media type of a tree's listing.
const LISTING: &str = "application/vnd.strixlock.listing.v1+zstd";
/// The media type of a tree's index.
const INDEX: &str = "application/vnd.strixlock.index.v1+zstd";
/// The media type of a pack.
pub const PACK: &str = "application/vnd.strixlock.pack.v1";

/// Greatest number of packs of a tree: four times as many as a tree of the greatest size has.
pub const MOST_PACKS: usize = 1024;

/// The annotation with the tree's digest.
const TREE_DIGEST: &str = "io.github.strixlock.tree";
/// The annotation with the seconds that the build took whose result was pushed.
const SECONDS: &str = "io.github.strixlock.build-seconds";

/// Parses a manifest of this type. Fails with [`Kind::Mismatch`] for anything else.
pub fn parse(text: &[u8], artifact_type: &str) -> Result<Artifact> {
    let artifact = Artifact::read(text)
        .map_err(|error| Error::new(Kind::Mismatch, "the remote has an invalid manifest").because(&error))?;
    if artifact.artifact_type == artifact_type {
        return Ok(artifact);
    }
    Err(Error::new(Kind::Mismatch, "the remote has a manifest of another kind in this place")
        .fact("expected", artifact_type)
        .fact("found", crate::text::visible(&artifact.artifact_type)))
}

/// A description of a tree for people, and believed by nobody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// The name of the output.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The seconds that its build took.
    pub seconds: Option<u64>,
}

/// The manifest of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeArtifact {
    /// The listing.
    pub listing: Promise,
    /// The index.
    pub index: Promise,
    /// The packs, in the order in which the index numbers them.
    pub packs: Vec<Promise>,
    /// The description of it.
    pub about: About,
}

impl TreeArtifact {
    /// Parses the manifest of a tree.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let artifact = parse(text, TREE)?;
        let [listing, index, packs @ ..] = artifact.layers.as_slice() else {
            return Err(odd("it has no index"));
        };
        if packs.len() > MOST_PACKS {
            return Err(odd("it has too many layers").fact("layers", artifact.layers.len()));
        }
        let kinds = [(listing, LISTING), (index, INDEX)].into_iter().chain(packs.iter().map(|pack| (pack, PACK)));
        if let Some((wrong, _)) = kinds.clone().find(|(layer, kind)| layer.media_type != *kind) {
            return Err(odd("a layer has another type").fact("type", crate::text::visible(&wrong.media_type)));
        }
        let text = |name: &str| artifact.annotations.get(name).map(|text| crate::text::visible(text));
        let about = About {
            name: text(TITLE).unwrap_or_default(),
            version: text(VERSION).unwrap_or_default(),
            seconds: text(SECONDS).and_then(|text| text.parse().ok()),
        };
        let packs = packs.iter().map(Descriptor::promise).collect();
        Ok(Self { listing: listing.promise(), index: index.promise(), packs, about })
    }

    /// Returns all blobs that the tree is made of.
    #[must_use]
    pub fn blobs(&self) -> Vec<Promise> {
        [self.listing, self.index].into_iter().chain(self.packs.iter().copied()).collect()
    }

    /// Returns the manifest of a tree with this digest.
    pub fn to_bytes(&self, tree: crate::digest::TreeDigest) -> Result<Vec<u8>> {
        let mut layers = vec![Descriptor::promised(LISTING, self.listing), Descriptor::promised(INDEX, self.index)];
        layers.extend(self.packs.iter().map(|pack| Descriptor::promised(PACK, *pack)));
        let mut artifact = Artifact::new(TREE, layers);
        let About { name, version, seconds } = &self.about;
        let seconds = seconds.map(|seconds| (SECONDS, seconds.to_string()));
        let said = [(TITLE, name.clone()), (VERSION, version.clone()), (TREE_DIGEST, tree.to_string())];
        let said = said.into_iter().chain(seconds).map(|(name, value)| (name.to_owned(), value));
        artifact.annotations = said.collect();
        artifact.to_bytes()
    }
}

fn odd(why: &str) -> Error {
    Error::new(Kind::Mismatch, format!("the remote's manifest of a tree cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Sha256Digest, TreeDigest};

    fn blob(text: &str) -> Promise {
        Promise { size: text.len() as u64, digest: Sha256Digest::of(text.as_bytes()) }
    }

    fn tree(packs: usize) -> TreeArtifact {
        TreeArtifact {
            listing: blob("listing"),
            index: blob("index"),
            packs: (0..packs).map(|number| blob(&number.to_string())).collect(),
            about: About { name: "llama".into(), version: "b1".into(), seconds: Some(7) },
        }
    }

    #[test]
    fn a_manifest_comes_back_and_has_no_time() {
        let text = tree(2).to_bytes(TreeDigest(Sha256Digest::of(b"t"))).unwrap();
        assert_eq!(TreeArtifact::parse(&text).unwrap(), tree(2));
        assert!(!String::from_utf8(text).unwrap().contains("created"));
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        let text = |packs| tree(packs).to_bytes(TreeDigest(Sha256Digest::of(b"t"))).unwrap();
        let error = TreeArtifact::parse(&text(10_000)).unwrap_err();
        assert!(error.to_string().contains("too many layers"), "{error}");
        let good = String::from_utf8(text(1)).unwrap();
        for (from, to) in [
            ("vnd.strixlock.tree.v1", "vnd.docker.container.image.v1+json"),
            ("vnd.strixlock.pack.v1", "vnd.oci.image.layer.v1.tar+gzip"),
            ("vnd.strixlock.listing.v1+zstd", "x"),
            ("sha256:", "md5:"),
            ("\"layers\":[", "\"layers\":[],\"x\":["),
            ("{", "["),
        ] {
            let error = TreeArtifact::parse(good.replace(from, to).as_bytes()).unwrap_err();
            assert_eq!(error.kind(), Kind::Mismatch, "{from}");
        }
    }
}
