//! The tree in a file that is an archive. A directory around everything in it is taken off: sources are published so.

use std::path::Path;

use crate::error::{About as _, Result};
use crate::inputs::TreePin;
use crate::intake::Intake;
use crate::progress::{Doing, Unit};
use crate::store::Staging;
use crate::tree::unpack::unpack_file;
use crate::tree::{Limits, Listing};

/// Unpacks a new archive into the store. Returns the pin of its tree, and true if a directory was taken off.
pub(super) fn pin(intake: Intake, name: &str, archive: &Path) -> Result<(TreePin, bool)> {
    let limits = Limits { colliding_names: true, ..Limits::default() };
    let (staging, listing, wrapped) = unpack(intake, name, archive, limits)?;
    Ok((TreePin::of(&intake.store.publish_tree(&staging, &listing)?, &listing)?, wrapped))
}

/// Unpacks a pinned archive into the store. Fails if its tree is not the pinned one.
pub(super) fn tree(intake: Intake, name: &str, archive: &Path, pin: &TreePin) -> Result<()> {
    let (staging, listing) = pinned(intake, name, archive, pin)?;
    intake.store.publish_tree(&staging, &listing).map(drop)
}

/// Writes the contents of a pinned archive's files into the blob store again, to repair a damaged tree.
pub(super) fn contents(intake: Intake, name: &str, archive: &Path, pin: &TreePin) -> Result<()> {
    let (staging, listing) = pinned(intake, name, archive, pin)?;
    intake.store.share_all(&staging, &listing)
}

fn pinned(intake: Intake, name: &str, archive: &Path, pin: &TreePin) -> Result<(Staging, Listing)> {
    intake.store.demand_space(pin.size).about(name)?;
    let limits = Limits { entries: pin.entries, bytes: pin.size, colliding_names: true };
    let (staging, listing, _) = unpack(intake, name, archive, limits)?;
    pin.demand(name, &listing)?;
    Ok((staging, listing))
}

fn unpack(intake: Intake, name: &str, archive: &Path, limits: Limits) -> Result<(Staging, Listing, bool)> {
    let _unpacking = intake.fetcher.progress().begin(Doing::Unpack, name, None, Unit::Steps);
    let staging = intake.store.stage()?;
    let directory = staging.path().join("tree");
    fs_err::create_dir(&directory)?;
    let (unpacked, wrapped) = unpack_file(archive, &directory, limits).about(name)?;
    Ok((staging, unpacked.listing, wrapped))
}
