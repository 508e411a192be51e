//! Compares a lock with a manifest, without the network.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::Lock;
use crate::manifest::Manifest;

/// The differences by which a lock is stale.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Staleness {
    /// A sentence for each difference, such as
    /// ``input `rocm`: the manifest wants `version` `latest`, the lock was made for `10.1.0` ``.
    pub reasons: Vec<String>,
}

impl Staleness {
    /// Returns true if the lock is up to date.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// Compares `lock` with `manifest`, setting by setting.
#[must_use]
pub fn staleness(manifest: &Manifest, lock: &Lock) -> Staleness {
    let mut reasons = Vec::new();
    if manifest.requires != lock.requires {
        reasons.push(format!(
            "the manifest wants `requires` `{}`, the lock was made for `{}`",
            manifest.requires, lock.requires
        ));
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

/// Describes the settings in which two requests or recipes differ, with both values.
fn differing(manifest: &impl Serialize, lock: &impl Serialize) -> String {
    let (Ok(Value::Object(wanted)), Ok(Value::Object(locked))) =
        (serde_json::to_value(manifest), serde_json::to_value(lock))
    else {
        return "the manifest wants something else".to_owned();
    };
    let names: BTreeSet<&String> = wanted.keys().chain(locked.keys()).collect();
    let differing = names.into_iter().filter(|name| wanted.get(*name) != locked.get(*name)).map(|name| {
        match (shown(wanted.get(name)), shown(locked.get(name))) {
            (Some(wanted), Some(locked)) => {
                format!("the manifest wants `{name}` `{wanted}`, the lock was made for `{locked}`")
            }
            (Some(wanted), None) => format!("the manifest wants `{name}` `{wanted}`, the lock was made without"),
            (None, Some(locked)) => format!("the manifest sets no `{name}`, the lock was made for `{locked}`"),
            (None, None) => format!("the manifest and the lock differ in `{name}`"),
        }
    });
    differing.collect::<Vec<_>>().join("; ")
}

/// Returns a setting as one line, or none if it is not set. Long ones are cut: the lock has the rest.
fn shown(value: Option<&Value>) -> Option<String> {
    const MOST: usize = 80;
    let text = match value {
        None | Some(Value::Null) => return None,
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let cut: String = text.chars().take(MOST).collect();
    Some(if cut.len() < text.len() { format!("{cut}...") } else { cut })
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
            "the manifest sets no `channel`, the lock was made for `rc`; \
             the manifest wants `cmake` `{\"A\":\"ON\"}`, the lock was made without; \
             the manifest wants `version` `latest`, the lock was made for `10.1.0a20260901`"
        );
    }
}
