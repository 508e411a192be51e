//! The layers of an image, kept in the store.
//!
//! A layer depends on its own part alone. It is kept as an output under its own derivation id: a tree with the blob and
//! the blob's entry in a manifest. So three images with one base compress the base once, and a new nightly compresses
//! only the layers that changed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::canonical::canonical;
use crate::digest::{DerivationId, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::oci::layer::{self, Contents, Small};
use crate::oci::{Compression, Layer, document};
use crate::progress::{Doing, Progress, Unit};
use crate::recipe::image::REVISION;
use crate::store::{OutputRecord, Staging, Store, StoredTree};
use crate::tree::confined::{Root, seal_file};
use crate::tree::{Entry, Listing, Node};

/// Name of the blob in a layer's tree.
const BLOB: &str = "layer";
/// Name of the file beside the blob that holds its [`Layer`].
const ABOUT: &str = "layer.json";

/// The contents of a layer.
pub(super) enum LayerParts<'a> {
    /// A tree below a prefix, with modes that trees do not have.
    Tree { tree: StoredTree, prefix: &'a str, modes: &'static [(&'static str, u32)] },
    /// Directories and small files.
    Small(BTreeMap<String, Small>),
}

/// A layer and the path of its blob.
pub(super) struct LayerBlob {
    pub layer: Layer,
    pub file: PathBuf,
    /// The directory of the blob if the store does not keep the layer. Deleted with this value.
    _staging: Option<Staging>,
}

/// The maker of layers.
pub(super) struct Layers<'a> {
    pub store: &'a Store,
    pub progress: &'a dyn Progress,
    pub compression: Compression,
    pub threads: u32,
    /// Make every layer, also those that the store has.
    pub anew: bool,
}

impl Layers<'_> {
    /// Returns a layer from the store, and makes it first if the store lacks it.
    pub fn layer(&self, called: &str, part: &LayerParts) -> Result<LayerBlob> {
        let id = DerivationId(Sha256Digest::of(self.describe(part)?.as_bytes()));
        if !self.anew
            && let Some((_, tree)) = self.store.output(id)?
        {
            return stored(&tree);
        }
        let (staging, layer, listing) = self.make(called, part)?;
        if self.anew {
            return Ok(LayerBlob { layer, file: staging.path().join("tree").join(BLOB), _staging: Some(staging) });
        }
        let tree = self.store.publish_tree(&staging, &listing)?;
        let record = OutputRecord { name: format!("layer {called}"), tree: tree.digest };
        self.store.publish_output(id, &record, None)?;
        stored(&tree)
    }

    /// Returns everything that shows in a layer's bytes, as canonical JSON. Its digest is the layer's derivation id.
    fn describe(&self, part: &LayerParts) -> Result<String> {
        let contents = match part {
            LayerParts::Tree { tree, prefix, modes } => {
                let modes: BTreeMap<&str, u32> = modes.iter().copied().collect();
                json!({ "tree": tree.digest, "prefix": prefix, "modes": modes })
            }
            LayerParts::Small(files) => {
                let small = |small: &Small| match &small.contents {
                    None => json!({ "mode": small.mode }),
                    Some(contents) => json!({ "mode": small.mode, "sha256": Sha256Digest::of(contents) }),
                };
                let files = files.iter().map(|(path, file)| (path.clone(), small(file)));
                Value::Object(files.collect())
            }
        };
        canonical(&json!({
            "format": "strix-layer-1", "revision": REVISION,
            "compressor": self.compression.compressor(), "contents": contents,
        }))
    }

    fn make(&self, called: &str, part: &LayerParts) -> Result<(Staging, Layer, Listing)> {
        let staging = self.store.stage()?;
        let directory = staging.path().join("tree");
        fs_err::create_dir(&directory)?;
        let mut out = fs_err::File::create_new(directory.join(BLOB))?.into_parts().0;
        let label = format!("layer {called}");
        let layer = match part {
            LayerParts::Tree { tree, prefix, modes } => {
                let (root, listing) = (Root::open(&tree.path)?, tree.listing()?);
                let total = listing.total_size();
                // ROCm's libraries compress to a quarter, text to less.
                self.store.demand_space(total / 3)?;
                let task = self.progress.begin(Doing::Pack, &label, Some(total), Unit::Bytes);
                let contents = Contents::Tree { prefix, root: &root, listing: &listing, modes };
                layer::write(&contents, self.compression, self.threads, &mut out, &*task)?
            }
            LayerParts::Small(files) => {
                let task = self.progress.begin(Doing::Pack, &label, None, Unit::Bytes);
                layer::write(&Contents::Small(files), self.compression, self.threads, &mut out, &*task)?
            }
        };
        seal_file(&out, 0o444)?;
        let about = document::write(&layer)?;
        fs_err::write(directory.join(ABOUT), &about)?;
        seal_file(fs_err::File::open(directory.join(ABOUT))?.file(), 0o444)?;
        let file = |path: &str, size, digest| Entry {
            path: path.into(),
            node: Node::File { executable: false, size, digest },
        };
        let listing = Listing::new(vec![
            file(BLOB, layer.blob.size, layer.blob.digest),
            file(ABOUT, about.len() as u64, Sha256Digest::of(&about)),
        ]);
        Ok((staging, layer, listing))
    }
}

/// Reads a layer that the store keeps.
fn stored(tree: &StoredTree) -> Result<LayerBlob> {
    let about = tree.path.join(ABOUT);
    let layer: Layer = serde_json::from_slice(&fs_err::read(&about)?).map_err(|error| {
        Error::new(Kind::Damaged, "a layer in the store is damaged")
            .fact("file", about.display())
            .because(&error)
            .hint("`strixlock verify` names damaged files; `strixlock gc` removes unused layers")
    })?;
    Ok(LayerBlob { layer, file: tree.path.join(BLOB), _staging: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn level_and_library_of_the_compression_are_part_of_a_layer() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        for compression in [Compression::Zstd, Compression::Gzip] {
            let layers = Layers { store: &store, progress: &Silent, compression, threads: 1, anew: false };
            let text: Value =
                serde_json::from_str(&layers.describe(&LayerParts::Small(BTreeMap::new())).unwrap()).unwrap();
            assert_eq!(text["compressor"], serde_json::to_value(compression.compressor()).unwrap());
        }
    }
}
