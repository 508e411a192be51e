//! Versions of HIP and clang on the page. The lock does not hold them: they are read from realized trees, and a page
//! may have been written where nothing was realized, or where more was.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::heading;
use crate::inputs::rocm::{Tools, is_version};
use crate::lock::{Lock, LockedOutput};
use crate::page::fact;
use crate::recipe::Recipe;
use crate::store::Store;

/// Versions by the name of the output that they are in; an output that is missing here is not realized.
pub type KnownTools = BTreeMap<String, Tools>;

/// The labels on the page.
const LABELS: [&str; 2] = ["HIP", "clang"];
/// Line in place of a version that no file of the tree states.
const NOT_STATED: &str = "not stated in the tree";
/// Line in place of both versions.
const NOT_REALIZED: &str = "- HIP and clang: not known before it is realized";

/// Reads the versions of all ROCm trees that are realized here. A tree that cannot be read is left to `verify`.
#[must_use]
pub(super) fn known(lock: &Lock, store: &Store) -> KnownTools {
    let read = |(name, output): (&String, &LockedOutput)| {
        let (_, tree) = store.output(output.derivation).ok()??;
        Some((name.clone(), Tools::read(&tree.path).ok()?))
    };
    lock.outputs.iter().filter(|(_, output)| has_tools(&output.recipe)).filter_map(read).collect()
}

/// Returns whether an output has lines of versions.
pub(super) fn has_tools(recipe: &Recipe) -> bool {
    matches!(recipe, Recipe::Rocm(_))
}

/// Writes the versions of an output.
pub(super) fn write(page: &mut String, tools: Option<&Tools>) {
    let Some(tools) = tools else {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "{NOT_REALIZED}");
        return;
    };
    for (label, version) in LABELS.into_iter().zip([&tools.hip, &tools.clang]) {
        match version {
            Some(version) => fact(page, label, version),
            None => {
                let _ = writeln!(page, "- {label}: {NOT_STATED}");
            }
        }
    }
}

/// Reads the versions that a page states of a lock's outputs.
pub(super) fn stated(page: &str, lock: &Lock) -> KnownTools {
    let of = |name: &String| {
        let heading = heading(name);
        let lines =
            page.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with("### "));
        let value = |label: &str| {
            let value =
                lines.clone().find_map(|line| line.strip_prefix("- ")?.strip_prefix(label)?.strip_prefix(": "))?;
            if value == NOT_STATED {
                return Some(None);
            }
            let version = value.strip_prefix('`')?.strip_suffix('`')?;
            is_version(version).then(|| Some(version.to_owned()))
        };
        let [hip, clang] = LABELS.map(value);
        Some((name.clone(), Tools { hip: hip?, clang: clang? }))
    };
    lock.outputs.iter().filter(|(_, output)| has_tools(&output.recipe)).filter_map(|(name, _)| of(name)).collect()
}
