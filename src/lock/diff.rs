//! What changed between two locks, for people and for `--json`.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Lock, LockedInput};

/// One input that is not the same any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The input's name.
    pub input: String,
    /// Its version before; absent where it is new.
    pub from: Option<String>,
    /// Its version now; absent where it was removed.
    pub to: Option<String>,
    /// What else is worth saying, a line each.
    pub details: Vec<String>,
}

/// The changes of inputs from `old` to `new`, by name.
#[must_use]
pub fn changes(old: Option<&Lock>, new: &Lock) -> Vec<Change> {
    let empty = std::collections::BTreeMap::new();
    let old = old.map_or(&empty, |lock| &lock.inputs);
    let names: BTreeSet<&String> = old.keys().chain(new.inputs.keys()).collect();
    let change = |name: &&String| {
        let (before, after) = (old.get(*name), new.inputs.get(*name));
        (before != after).then(|| Change {
            input: (*name).clone(),
            from: before.map(LockedInput::version),
            to: after.map(LockedInput::version),
            details: after.map(|after| details(before, after)).unwrap_or_default(),
        })
    };
    names.iter().filter_map(change).collect()
}

fn details(before: Option<&LockedInput>, after: &LockedInput) -> Vec<String> {
    match (before, after) {
        (before, LockedInput::Rocm(new)) => {
            let old = if let Some(LockedInput::Rocm(old)) = before { Some(&old.locked) } else { None };
            let new = &new.locked;
            vec![
                format!("tarball {}", arrow(old.map(|old| bytes(old.size)), bytes(new.size))),
                format!("tree {}", arrow(old.map(|old| bytes(old.tree.size)), bytes(new.tree.size))),
                format!(
                    "made {}",
                    arrow(
                        old.and_then(|old| old.mtime).map(date),
                        new.mtime.map_or_else(|| "unknown".to_owned(), date)
                    )
                ),
            ]
        }
        (before, LockedInput::Git(new)) => {
            let old = if let Some(LockedInput::Git(old)) = before { Some(&old.locked) } else { None };
            vec![
                format!("commit {}", arrow(old.map(|old| old.commit.clone()), new.locked.commit.clone())),
                format!("dated {}", arrow(old.map(|old| date(old.time)), date(new.locked.time))),
            ]
        }
        (before, LockedInput::File(new)) => {
            let old = if let Some(LockedInput::File(old)) = before { Some(bytes(old.locked.size)) } else { None };
            vec![format!("size {}", arrow(old, bytes(new.locked.size)))]
        }
    }
}

fn arrow(old: Option<String>, new: String) -> String {
    match old {
        Some(old) if old != new => format!("{old} -> {new}"),
        _ => new,
    }
}

fn bytes(count: u64) -> String {
    crate::text::bytes(count)
}

fn date(seconds: i64) -> String {
    crate::text::date(seconds)
}
