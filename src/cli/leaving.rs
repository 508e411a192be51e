//! Which locked builds leave AMD's host soon, and what keeps them here. Asks no network.

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

/// A locked build that leaves AMD's host soon by AMD's policy.
#[derive(Debug, Serialize)]
pub(super) struct LeavingPin {
    input: String,
    /// Days that are left; absent where it may go any day.
    days: i64,
    /// Places that have it besides AMD, or may.
    kept_by: Vec<String>,
    text: String,
}

impl LeavingPin {
    /// Returns the sentence, with what keeps the build.
    pub fn text(&self) -> String {
        format!("{}: {}", self.input, self.text)
    }
}

/// Returns the locked builds that leave soon.
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
            "nothing here keeps it: `strixlock realize` brings it into the store".to_owned()
        } else {
            kept_by.join(", and ")
        };
        let text = format!("{}; {kept}", leaving.text(&block.locked.version.to_string()));
        all.push(LeavingPin { input: name.clone(), days: leaving.days, kept_by, text });
    }
    Ok(all)
}

/// Says what has a build besides AMD, or may: only a mirror itself knows what it has.
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
    let mirrors = mirrors.map(|url| format!("a mirror is configured that may have it, {}", show_url(url)));
    Ok(here.map(str::to_owned).into_iter().chain(mirrors).collect())
}
