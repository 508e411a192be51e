//! The time for which upstream keeps locked builds, and copies elsewhere.

use std::path::Path;

use serde::Serialize;

use super::Session;
use crate::archive::Archive;
use crate::error::Result;
use crate::fetch::Documents;
use crate::inputs::rocm::RocmPin;
use crate::inputs::{Block, LockedInput};
use crate::lock::Lock;
use crate::realize::{Action, input_action};
use crate::store::Store;
use crate::upstream::rocm::{Retention, listing, made, retention};
use crate::urls::show_url;

/// A locked build that its host will soon delete, by the host's policy.
#[derive(Debug, Serialize)]
pub(super) struct LeavingPin {
    input: String,
    /// Days that are left.
    days: i64,
    /// The day on which it leaves.
    until: String,
    /// Other places that have the build, or may have it.
    kept_by: Vec<String>,
    text: String,
}

impl LeavingPin {
    /// Returns the warning, with the other places that keep the build.
    pub fn text(&self) -> String {
        format!("{}: {}", self.input, self.text)
    }

    /// Returns true if no other place is known that may have the build.
    pub fn is_unkept(&self) -> bool {
        self.kept_by.is_empty()
    }
}

/// Returns how long a locked build can be had from the last of its hosts, if that is limited.
pub(super) fn left(session: &Session, input: &LockedInput) -> Option<Retention> {
    let LockedInput::Rocm(block) = input else { return None };
    let Block { requested, locked, .. } = block;
    let day = made(&locked.version, locked.mtime)?;
    let all = locked.urls.iter().map(|url| retention(url, day, requested.kept_days, session.now));
    // A host without a limit keeps it.
    all.collect::<Option<Vec<Retention>>>()?.into_iter().max_by_key(|one| one.days)
}

/// Returns the locked builds that will soon be deleted. Asks their indexes what they list now, if there is a network.
pub(super) fn leaving(
    session: &Session,
    lock: &Lock,
    store: &Store,
    documents: Option<&dyn Documents>,
) -> Result<Vec<LeavingPin>> {
    let mut all = Vec::new();
    for (name, input) in &lock.inputs {
        let LockedInput::Rocm(block) = input else { continue };
        let Some(left) = left(session, input).filter(Retention::is_soon) else { continue };
        let listing = match (documents, block.locked.urls.first()) {
            (Some(documents), Some(url)) => listing(url, &block.requested, documents)?,
            _ => None,
        };
        let kept_by = keepers(session, store, input, &block.locked)?;
        let kept = if kept_by.is_empty() {
            "there is no copy here: `strixlock realize` downloads it into the store".to_owned()
        } else {
            kept_by.join(", and ")
        };
        let text = format!("{}; {kept}", left.text(&block.locked.version.to_string(), listing.as_ref()));
        all.push(LeavingPin { input: name.clone(), days: left.days, until: left.until.to_string(), kept_by, text });
    }
    Ok(all)
}

/// Lists other places that have the build. Mirrors are listed unasked, since this uses no network.
fn keepers(session: &Session, store: &Store, input: &LockedInput, pin: &RocmPin) -> Result<Vec<String>> {
    let tree = matches!(input_action(store, input), Action::Have | Action::Thaw);
    let here = match (store.download(pin.sha256).is_some(), tree) {
        (true, true) => Some("the store has its tarball and its tree"),
        (true, false) => Some("the store has its tarball"),
        (false, true) => Some("the store has its tree"),
        (false, false) => None,
    };
    let archive = session.usual_archive().ok().filter(|path| holds(path, input));
    let archive = archive.map(|path| format!("the archive {} has it", path.display()));
    let places = session.fetch_settings()?.with_mirrors(&pin.urls);
    let mirrors = places.iter().filter(|url| !pin.urls.contains(url));
    let mirrors = mirrors.map(|url| format!("a configured mirror may have it: {}", show_url(url)));
    Ok(here.map(str::to_owned).into_iter().chain(archive).chain(mirrors).collect())
}

/// Returns true if an archive has every byte of an input, by names and sizes.
fn holds(archive: &Path, input: &LockedInput) -> bool {
    Archive::open(archive).is_ok_and(|archive| input.kept().iter().all(|kept| archive.held(kept).is_some()))
}
