//! Does a lock fit a manifest? A comparison, with no network.

use super::Lock;
use crate::manifest::Manifest;

/// What a manifest asks for and a lock does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Staleness {
    /// Each reason in words, e.g. ``input `rocm`: the manifest asks for something else``.
    pub reasons: Vec<String>,
}

impl Staleness {
    /// Whether the lock fits.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// Compares what `manifest` asks for with what `lock` answers.
#[must_use]
pub fn staleness(manifest: &Manifest, lock: &Lock) -> Staleness {
    let mut reasons = Vec::new();
    if manifest.requires != lock.requires {
        reasons.push("`requires` changed".to_owned());
    }
    for (name, request) in &manifest.inputs {
        match lock.inputs.get(name) {
            None => reasons.push(format!("input `{name}` is not locked yet")),
            Some(input) if input.requested() != *request => {
                reasons.push(format!("input `{name}`: the manifest asks for something else than the lock answers"));
            }
            Some(_) => {}
        }
    }
    for (name, recipe) in &manifest.outputs {
        match lock.outputs.get(name) {
            None => reasons.push(format!("output `{name}` is not locked yet")),
            Some(output) if output.recipe != *recipe => reasons.push(format!("output `{name}`: its recipe changed")),
            Some(_) => {}
        }
    }
    let gone = lock.inputs.keys().filter(|name| !manifest.inputs.contains_key(*name));
    reasons.extend(gone.map(|name| format!("input `{name}` is no longer asked for")));
    let gone = lock.outputs.keys().filter(|name| !manifest.outputs.contains_key(*name));
    reasons.extend(gone.map(|name| format!("output `{name}` is no longer asked for")));
    Staleness { reasons }
}
