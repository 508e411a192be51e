//! Locked builds that AMD's host will delete soon, and copies elsewhere. Uses no network.

use serde::Serialize;

use super::Session;
use crate::error::Result;
use crate::inputs::LockedInput;
use crate::inputs::rocm::RocmPin;
use crate::lock::Lock;
use crate::realize::{Action, input_action};
use crate::store::Store;
use crate::upstream::rocm::{Leaving, leaves, made};
use crate::urls::show_url;

/// A locked build that AMD's host will delete soon, by AMD's policy.
#[derive(Debug, Serialize)]
pub(super) struct LeavingPin {
    input: String,
    /// Days that are left.
    days: i64,
    /// Other places that have the build, or may have it.
    kept_by: Vec<String>,
    text: String,
}

impl LeavingPin {
    /// Returns the warning, with the other places that keep the build.
    pub fn text(&self) -> String {
        format!("{}: {}", self.input, self.text)
    }
}

/// Returns the locked builds that will be deleted soon.
pub(super) fn leaving(session: &Session, lock: &Lock, store: &Store) -> Result<Vec<LeavingPin>> {
    let soon = |pin: &RocmPin| -> Option<Leaving> {
        let day = made(&pin.version, pin.mtime)?;
        pin.urls.iter().filter_map(|url| leaves(url, day, session.now)).max_by_key(|leaving| leaving.days)
    };
    let mut all = Vec::new();
    for (name, input) in &lock.inputs {
        let LockedInput::Rocm(block) = input else { continue };
        let Some(leaving) = soon(&block.locked) else { continue };
        let kept_by = keepers(session, store, input, &block.locked)?;
        let kept = if kept_by.is_empty() {
            "there is no copy here: `strixlock realize` downloads it into the store".to_owned()
        } else {
            kept_by.join(", and ")
        };
        let text = format!("{}; {kept}", leaving.text(&block.locked.version.to_string()));
        all.push(LeavingPin { input: name.clone(), days: leaving.days, kept_by, text });
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
    let places = session.fetch_settings()?.with_mirrors(&pin.urls);
    let mirrors = places.iter().filter(|url| !pin.urls.contains(url));
    let mirrors = mirrors.map(|url| format!("a configured mirror may have it: {}", show_url(url)));
    Ok(here.map(str::to_owned).into_iter().chain(mirrors).collect())
}
