//! Checks once if layers contain the archives that their image names.
//!
//! To know a layer's diff id is to inflate all of it. What was found is noted in the store, as layers that are made
//! here are kept: an output under a derivation id of its own, of digest, diff id and media type. Its tree is empty,
//! since its name says everything. No root leads to a note, so gc forgets it, and the next image on that base looks
//! once more.

use std::path::PathBuf;

use serde_json::json;

use crate::canonical::canonical;
use crate::digest::{DerivationId, Sha256Digest};
use crate::error::{About as _, Result};
use crate::inputs::oci::LayerPin;
use crate::oci::LayerFile;
use crate::progress::{Doing, Progress, Unit};
use crate::store::{OutputRecord, Store};
use crate::tree::Listing;

/// Looks through each of the pinned layers in `files`, whose digests were checked, for the archive with its diff id,
/// but for those of which that is noted. With `anew`, notes are not looked at.
pub(super) fn check_layers(
    store: &Store,
    progress: &dyn Progress,
    name: &str,
    (layers, files): (&[LayerPin], &[PathBuf]),
    anew: bool,
) -> Result<()> {
    let mut left = Vec::new();
    for (index, (layer, path)) in layers.iter().zip(files).enumerate() {
        let id = note_id(layer)?;
        if anew || store.output_record(id)?.is_none() {
            left.push((index, layer, path, id));
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    let total = left.iter().map(|(_, layer, ..)| layer.size).fold(0, u64::saturating_add);
    let task = progress.begin(Doing::Verify, name, Some(total), Unit::Bytes);
    let mut done: u64 = 0;
    for (index, layer, path, id) in left {
        let file = LayerFile { path, media_type: &layer.media_type, diff_id: layer.diff_id };
        file.check().about(file.called(index))?;
        note(store, layer, id)?;
        done = done.saturating_add(layer.size);
        task.set_position(done);
    }
    Ok(())
}

fn note_id(layer: &LayerPin) -> Result<DerivationId> {
    let text = canonical(&json!({
        "format": "strix-layer-check-1", "layer": layer.digest, "diff_id": layer.diff_id,
        "media_type": layer.media_type,
    }))?;
    Ok(DerivationId(Sha256Digest::of(text.as_bytes())))
}

fn note(store: &Store, layer: &LayerPin, id: DerivationId) -> Result<()> {
    let staging = store.stage()?;
    fs_err::create_dir(staging.path().join("tree"))?;
    let tree = store.publish_tree(&staging, &Listing::default())?;
    let record = OutputRecord { name: format!("checked layer {}", layer.digest), tree: tree.digest };
    store.publish_output(id, &record, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::progress::Silent;
    use crate::store::gc::{Policy, Roots};

    const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";

    /// A layer that is not compressed: an archive with nothing in it.
    fn plain_layer() -> (Vec<u8>, LayerPin) {
        let bytes = tar::Builder::new(Vec::new()).into_inner().unwrap();
        let digest = Sha256Digest::of(&bytes);
        let pin = LayerPin { media_type: PLAIN.to_owned(), digest, size: bytes.len() as u64, diff_id: digest };
        (bytes, pin)
    }

    #[test]
    fn a_layer_is_read_through_once_until_gc_or_unless_anew() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("layer");
        let store = Store::open(&directory.path().join("store")).unwrap();
        let (bytes, pin) = plain_layer();
        let check = |store: &Store, pin: &LayerPin, anew| {
            let (pins, files) = ([pin.clone()], [file.clone()]);
            check_layers(store, &Silent, "base", (&pins, &files), anew)
        };
        fs_err::write(&file, &bytes).unwrap();
        check(&store, &pin, false).unwrap();
        // The second check must not read the file: it is gone.
        fs_err::remove_file(&file).unwrap();
        check(&store, &pin, false).unwrap();
        check(&store, &pin, true).unwrap_err();
        let other = Sha256Digest::of(b"other");
        for another in [
            LayerPin { digest: other, ..pin.clone() },
            LayerPin { diff_id: other, ..pin.clone() },
            LayerPin { media_type: format!("{PLAIN}+gzip"), ..pin.clone() },
        ] {
            check(&store, &another, false).unwrap_err();
        }
        let store = store.exclusive().unwrap();
        store.collect(&Roots::default(), &Policy::default()).unwrap();
        check(&store, &pin, false).unwrap_err();
        assert_eq!(fs_err::read_dir(directory.path().join("store/outputs")).unwrap().count(), 0);
    }

    #[test]
    fn what_is_wrong_is_not_noted() {
        let directory = tempfile::tempdir().unwrap();
        let (file, store) = (directory.path().join("layer"), Store::open(&directory.path().join("store")).unwrap());
        let (bytes, pin) = plain_layer();
        fs_err::write(&file, &bytes).unwrap();
        let pins = [LayerPin { diff_id: Sha256Digest::of(b"other"), ..pin }];
        for _ in 0..2 {
            let error = check_layers(&store, &Silent, "base", (&pins, std::slice::from_ref(&file)), false).unwrap_err();
            assert_eq!(error.kind(), Kind::Mismatch);
        }
    }
}
