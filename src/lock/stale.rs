//! Does a lock fit a manifest? A comparison, with no network.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::Lock;
use crate::manifest::Manifest;

/// What a manifest asks for and a lock does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Staleness {
    /// Each reason in words, e.g. ``input `rocm`: `version` is `latest` in the manifest, `10.1.0` in the lock``.
    pub reasons: Vec<String>,
}

impl Staleness {
    /// Whether the lock fits.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// Compares what `manifest` asks for with what `lock` answers. Names each setting that differs.
#[must_use]
pub fn staleness(manifest: &Manifest, lock: &Lock) -> Staleness {
    let mut reasons = Vec::new();
    if manifest.requires != lock.requires {
        reasons.push(format!("`requires` is `{}` in the manifest, `{}` in the lock", manifest.requires, lock.requires));
    }
    for (name, request) in &manifest.inputs {
        match lock.inputs.get(name) {
            None => reasons.push(format!("input `{name}` is not locked yet")),
            Some(input) if input.requested() != *request => {
                reasons.push(format!("input `{name}`: {}", differing(request, &input.requested())));
            }
            Some(_) => {}
        }
    }
    for (name, recipe) in &manifest.outputs {
        match lock.outputs.get(name) {
            None => reasons.push(format!("output `{name}` is not locked yet")),
            Some(output) if output.recipe != *recipe => {
                reasons.push(format!("output `{name}`: {}", differing(recipe, &output.recipe)));
            }
            Some(_) => {}
        }
    }
    let gone = lock.inputs.keys().filter(|name| !manifest.inputs.contains_key(*name));
    reasons.extend(gone.map(|name| format!("input `{name}` is in the lock, but not in the manifest")));
    let gone = lock.outputs.keys().filter(|name| !manifest.outputs.contains_key(*name));
    reasons.extend(gone.map(|name| format!("output `{name}` is in the lock, but not in the manifest")));
    Staleness { reasons }
}

/// Names the settings in which two requests or recipes differ, with both values.
fn differing(manifest: &impl Serialize, lock: &impl Serialize) -> String {
    let (Ok(Value::Object(wanted)), Ok(Value::Object(locked))) =
        (serde_json::to_value(manifest), serde_json::to_value(lock))
    else {
        return "the manifest asks for something else".to_owned();
    };
    let names: BTreeSet<&String> = wanted.keys().chain(locked.keys()).collect();
    let differing = names.into_iter().filter(|name| wanted.get(*name) != locked.get(*name)).map(|name| {
        let (wanted, locked) = (wanted.get(name), locked.get(name));
        format!("`{name}` is {} in the manifest, {} in the lock", shown(wanted), shown(locked))
    });
    differing.collect::<Vec<_>>().join("; ")
}

/// Shows a setting in one line. Long ones are cut: the lock has all of it.
fn shown(value: Option<&Value>) -> String {
    const MOST: usize = 80;
    let text = match value {
        None | Some(Value::Null) => return "not set".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let cut: String = text.chars().take(MOST).collect();
    if cut.len() < text.len() { format!("`{cut}...`") } else { format!("`{cut}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_with_both_values() {
        let wanted = serde_json::json!({ "version": "latest", "target": "gfx1151", "cmake": { "A": "ON" } });
        let locked = serde_json::json!({ "version": "10.1.0a20260901", "target": "gfx1151", "channel": "rc" });
        assert_eq!(
            differing(&wanted, &locked),
            "`channel` is not set in the manifest, `rc` in the lock; \
             `cmake` is `{\"A\":\"ON\"}` in the manifest, not set in the lock; \
             `version` is `latest` in the manifest, `10.1.0a20260901` in the lock"
        );
    }
}
