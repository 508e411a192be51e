//! Takes in base images: configuration and layers, by their digests.

use std::path::PathBuf;

use super::layer_check::check_layers;
use super::{LayerPin, OciPin};
use crate::digest::Promise;
use crate::error::{About, Error, Kind, Result};
use crate::fetch::Voucher;
use crate::inputs::{Block, Kept, KeptFile, Presence, Supply};
use crate::intake::{Intake, MissingFile, download_all, drop_damaged, is_here};
use crate::oci::apply::{Applied, apply};
use crate::oci::{BaseConfig, LayerFile};
use crate::progress::{Doing, Unit};
use crate::store::gc::Roots;
use crate::store::{Staging, Store};
use crate::upstream::oci::OciRequest;

impl Supply for Block<OciRequest> {
    fn fetch(&self, intake: Intake, name: &str) -> Result<()> {
        oci(intake, name, &self.locked).map(drop)
    }

    fn presence(&self, store: &Store) -> Presence {
        Presence::of_missing(missing_blobs(store, &self.locked).map(|blob| blob.size))
    }

    fn keep(&self, roots: &mut Roots) {
        roots.downloads.extend(self.locked.blobs().iter().map(|blob| blob.digest));
    }

    /// Returns configuration and layers. They have no URLs: only the registry's protocol gets them.
    fn kept(&self) -> Vec<Kept> {
        let pin = &self.locked;
        let name = |blob: &Promise| {
            let place = pin.layers.iter().position(|layer| layer.digest == blob.digest);
            let part = place.map_or_else(|| "configuration".to_owned(), |place| format!("layer {}", place + 1));
            format!("{}: {part}", self.requested.image)
        };
        let file = |blob: Promise| Kept::File(KeptFile::new(name(&blob), blob, Vec::new(), Voucher::Registry));
        pin.blobs().into_iter().map(file).collect()
    }

    fn fetch_kept(&self, intake: Intake, name: &str) -> Result<()> {
        self.fetch(intake, name)
    }
}

/// An image in the store.
#[derive(Debug, Clone)]
pub struct OciImage {
    /// Its configuration.
    pub config: BaseConfig,
    /// Its layers, in the pin's order.
    pub layers: Vec<PathBuf>,
}

/// Takes in a pinned image. Each blob has the pinned digest now: one that was damaged in the store since it came is
/// fetched again.
fn oci(intake: Intake, name: &str, pin: &OciPin) -> Result<OciImage> {
    for blob in pin.blobs() {
        drop_damaged(intake.store, blob.digest)?;
    }
    let missing: Vec<Promise> = missing_blobs(intake.store, pin).collect();
    fetch(intake, name, (&pin.registry, &pin.repository), &missing).about(name)?;
    let config = fs_err::read(intake.store.download_path(pin.config.digest))?;
    let layers = pin.layers.iter().map(|layer| intake.store.download_path(layer.digest)).collect();
    Ok(OciImage { config: BaseConfig::read(&config).about(name)?, layers })
}

/// Takes in a pinned image to build on, as [`oci`] does, and looks through each layer for the archive that the image's
/// configuration names: no engine would take the image that is built on another. With `anew`, layers that were looked
/// through before too.
pub fn oci_base(intake: Intake, name: &str, pin: &OciPin, anew: bool) -> Result<OciImage> {
    let image = oci(intake, name, pin)?;
    let layers = (pin.layers.as_slice(), image.layers.as_slice());
    check_layers(intake.store, intake.fetcher.progress(), name, layers, anew).about(name)?;
    Ok(image)
}

fn layer_files<'a>(pin: &'a OciPin, image: &'a OciImage) -> Vec<LayerFile<'a>> {
    let file = |(layer, path): (&'a LayerPin, &'a PathBuf)| LayerFile {
        path,
        media_type: &layer.media_type,
        diff_id: layer.diff_id,
    };
    pin.layers.iter().zip(&image.layers).map(file).collect()
}

/// Returns the blobs of an image that are not in the store.
fn missing_blobs(store: &Store, pin: &OciPin) -> impl Iterator<Item = Promise> {
    pin.blobs().into_iter().filter(|blob| !is_here(store, *blob))
}

/// Takes in one blob of a repository, given by host and name. Returns its path in the store.
pub(super) fn registry_blob(intake: Intake, name: &str, repository: (&str, &str), blob: Promise) -> Result<PathBuf> {
    drop_damaged(intake.store, blob.digest)?;
    if !is_here(intake.store, blob) {
        fetch(intake, name, repository, &[blob]).about(name)?;
    }
    Ok(intake.store.download_path(blob.digest))
}

fn fetch(intake: Intake, name: &str, (host, repository): (&str, &str), missing: &[Promise]) -> Result<()> {
    let base = intake.fetcher.registry(host, repository)?;
    let piece = |promise: &Promise| {
        let url =
            base.join(&format!("blobs/{}", promise.digest)).map_err(|_| Error::failure("invalid blob address"))?;
        Ok(MissingFile { promise: *promise, urls: vec![url], called: promise.digest.to_string() })
    };
    let all = missing.iter().map(piece).collect::<Result<Vec<_>>>()?;
    download_all(intake, name, &all, Voucher::Registry, &|error, _| {
        if error.kind() == Kind::NotFound {
            error.hint("registries delete untagged images: name a mirror that kept it, or update this input")
        } else {
            error
        }
    })
}

/// Applies the layers of an image in order. Returns the staging directory with the tree, and its listing.
pub fn oci_tree(intake: Intake, name: &str, pin: &OciPin) -> Result<(Staging, Applied)> {
    let image = oci(intake, name, pin)?;
    let staging = intake.store.stage()?;
    let files = layer_files(pin, &image);
    // Text and programs compress to about a third.
    let packed = pin.layers.iter().map(|layer| layer.size).fold(0, u64::saturating_add);
    intake.store.demand_space(packed.saturating_mul(3))?;
    let task = intake.fetcher.progress().begin(Doing::Unpack, name, Some(files.len() as u64), Unit::Steps);
    let applied = apply(&files, staging.path(), &*task).about(name)?;
    drop(task);
    if let Some(first) = applied.left_out.first() {
        let more = match applied.left_out.count() - 1 {
            0 => String::new(),
            more => format!(" and {more} more devices and named pipes"),
        };
        let note = format!("{name}: left out of the image: {first}{more}; containers get theirs from the engine");
        intake.fetcher.progress().note(&note);
    }
    Ok((staging, applied))
}
