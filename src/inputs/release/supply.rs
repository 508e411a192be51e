//! Downloads the file of a release and unpacks it.

use std::path::{Path, PathBuf};

use tracing::info;
use url::Url;

use super::ReleasePin;
use crate::digest::Promise;
use crate::error::{About as _, Error, Kind, Result};
use crate::fetch::{Received, Voucher};
use crate::inputs::{Block, Kept, KeptFile, Presence, Supply};
use crate::intake::{Intake, drop_damaged, file_anew, file_vouched};
use crate::log::CACHE;
use crate::progress::{Doing, Unit};
use crate::store::gc::Roots;
use crate::store::{Staging, Store, StoredTree};
use crate::tree::unpack::{Unpacked, unpack};
use crate::tree::{Limits, Listing, Notes};
use crate::upstream::release::ReleaseRequest;

impl Supply for Block<ReleaseRequest> {
    fn fetch(&self, intake: Intake, name: &str) -> Result<()> {
        let pin = &self.locked;
        if intake.store.tree(pin.tree.digest).is_some() {
            info!(target: CACHE, "{name}: have: the tree {} is in the store", pin.tree.digest);
            return Ok(());
        }
        let (staging, unpacked) = pinned(intake, name, pin)?;
        intake.store.publish_tree(&staging, &unpacked.listing).map(drop)
    }

    fn presence(&self, store: &Store) -> Presence {
        Presence::of_tree(store, self.locked.tree.digest, Some(self.locked.size))
    }

    fn keep(&self, roots: &mut Roots) {
        roots.downloads.insert(self.locked.sha256);
    }

    fn kept(&self) -> Vec<Kept> {
        let pin = &self.locked;
        let file = KeptFile::new(&pin.file, pin.promise(), pin.urls.clone(), Voucher::Lock);
        vec![Kept::File(KeptFile { mtime: pin.published, ..file })]
    }

    fn restore(&self, intake: Intake, name: &str) -> Result<()> {
        let (staging, unpacked) = pinned(intake, name, &self.locked)?;
        intake.store.share_all(&staging, &unpacked.listing)
    }
}

/// An archive that was taken in.
pub(super) struct Archive {
    /// Its size and digest.
    pub received: Received,
    /// The tree in it.
    pub tree: StoredTree,
    /// The listing of the tree.
    pub listing: Listing,
    /// Absolute names in it, which were made relative to the root.
    pub absolute_names: Notes,
}

/// Takes in an archive without a pin. `promise` is what the forge says of it; `anew` is true if an earlier download in
/// the store must not be used.
pub(super) fn archive(
    intake: Intake,
    name: &str,
    urls: &[Url],
    promise: Option<Promise>,
    anew: bool,
) -> Result<Archive> {
    let (path, received) = match promise {
        None if anew => file_anew(intake, name, urls)?,
        None => file_vouched(intake, name, urls, None, Voucher::Forge)?,
        Some(promise) => {
            drop_damaged(intake.store, promise.digest)?;
            file_vouched(intake, name, urls, Some(promise), Voucher::Forge)?
        }
    };
    let (staging, unpacked) = unpacked(intake, name, &path, Limits::default())?;
    if let Some(first) = unpacked.absolute_links().first() {
        return Err(Error::new(Kind::Invalid, "the archive has links with absolute targets, which lead out of it")
            .fact("file", urls.first().map(crate::urls::show_url).unwrap_or_default())
            .fact("link", first)
            .hint(
                "such a tree is another one on each machine: name another file of the release, and tell its publisher",
            ));
    }
    let tree = intake.store.publish_tree(&staging, &unpacked.listing)?;
    Ok(Archive { received, tree, listing: unpacked.listing, absolute_names: unpacked.remarks.absolute })
}

/// Unpacks the pinned file, after a download where the store lacks it.
fn pinned(intake: Intake, name: &str, pin: &ReleasePin) -> Result<(Staging, Unpacked)> {
    drop_damaged(intake.store, pin.sha256)?;
    let (path, _) = file_vouched(intake, name, &pin.urls, Some(pin.promise()), Voucher::Lock)?;
    // A pin has the exact size of the tree; anything larger is wrong.
    let limits = Limits { entries: pin.tree.entries, bytes: pin.tree.size, ..Limits::default() };
    intake.store.demand_space(pin.tree.size).about(name)?;
    let (staging, unpacked) = unpacked(intake, name, &path, limits)?;
    pin.tree.demand(name, &unpacked.listing)?;
    Ok((staging, unpacked))
}

fn unpacked(intake: Intake, name: &str, path: &Path, limits: Limits) -> Result<(Staging, Unpacked)> {
    let _unpacking = intake.fetcher.progress().begin(Doing::Unpack, name, None, Unit::Steps);
    let staging = intake.store.stage()?;
    let directory: PathBuf = staging.path().join("tree");
    fs_err::create_dir(&directory)?;
    let unpacked = unpack(fs_err::File::open(path)?, &directory, limits).about(name)?;
    Ok((staging, unpacked))
}
