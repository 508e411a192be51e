//! Takes a pinned web UI into the store: the bundle is downloaded, compared, and then unpacked.

use std::path::Path;

use super::LlamaUiRequest;
use super::pin::Bundle;
use crate::digest::Promise;
use crate::error::{About as _, Result};
use crate::fetch::Voucher;
use crate::inputs::{Block, Kept, KeptFile, Presence, Supply};
use crate::intake::{Intake, drop_damaged, file};
use crate::store::gc::Roots;
use crate::store::{Staging, Store};
use crate::tree::unpack::unpack;
use crate::tree::{Limits, Listing};

impl Supply for Block<LlamaUiRequest> {
    fn fetch(&self, intake: Intake, name: &str) -> Result<()> {
        let Some(bundle) = self.locked.bundle.as_ref().filter(|one| intake.store.tree(one.tree.digest).is_none())
        else {
            return Ok(());
        };
        let (staging, listing) = pinned(intake, name, bundle)?;
        intake.store.publish_tree(&staging, &listing).map(drop)
    }

    fn presence(&self, store: &Store) -> Presence {
        let bundle = self.locked.bundle.as_ref();
        bundle.map_or(Presence::Here, |bundle| Presence::of_tree(store, bundle.tree.digest, Some(bundle.size)))
    }

    fn keep(&self, roots: &mut Roots) {
        roots.downloads.extend(self.locked.bundle.iter().map(|bundle| bundle.sha256));
    }

    fn kept(&self) -> Vec<Kept> {
        let file = |bundle: &Bundle| {
            let name = format!("ui-b{}.tar.gz", bundle.number);
            Kept::File(KeptFile::new(name, promise(bundle), bundle.urls.clone(), Voucher::Lock))
        };
        self.locked.bundle.iter().map(file).collect()
    }

    fn restore(&self, intake: Intake, name: &str) -> Result<()> {
        let Some(bundle) = &self.locked.bundle else { return Ok(()) };
        let (staging, listing) = pinned(intake, name, bundle)?;
        intake.store.share_all(&staging, &listing)
    }
}

/// Takes in a pinned bundle and unpacks it.
fn pinned(intake: Intake, name: &str, bundle: &Bundle) -> Result<(Staging, Listing)> {
    drop_damaged(intake.store, bundle.sha256)?;
    let (path, _) = file(intake, name, &bundle.urls, Some(promise(bundle)))?;
    // A pin has the exact size of the tree; anything larger is wrong.
    let limits = Limits { entries: bundle.tree.entries, bytes: bundle.tree.size, colliding_names: true };
    let (staging, listing) = unpacked(intake, &path, limits).about(name)?;
    bundle.tree.demand(name, &listing)?;
    Ok((staging, listing))
}

fn promise(bundle: &Bundle) -> Promise {
    Promise { size: bundle.size, digest: bundle.sha256 }
}

/// Unpacks a bundle into a staging directory of the store.
pub(super) fn unpacked(intake: Intake, path: &Path, limits: Limits) -> Result<(Staging, Listing)> {
    let staging = intake.store.stage()?;
    let directory = staging.path().join("tree");
    fs_err::create_dir(&directory)?;
    let unpacked = unpack(fs_err::File::open(path)?, &directory, limits)?;
    Ok((staging, unpacked.listing))
}
