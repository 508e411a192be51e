//! Options of builds on the page that are ON although nobody decided them. The lock does not hold them: a build's
//! record has them, and a page may have been written where nothing was built.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::heading;
use crate::lock::{Lock, LockedOutput};
use crate::recipe::build::left_field;
use crate::recipe::{CMakeBuild, Recipe};
use crate::store::Store;

/// Options by the name of the output; an output that is missing here was not built.
pub type LeftOptions = BTreeMap<String, BTreeSet<String>>;

/// Returns the beginning of the line on the page.
fn label(recipe: &dyn CMakeBuild) -> String {
    format!("- left to {}: ", recipe.decider())
}

/// Line where an output was not built.
const NOT_BUILT: &str = "not known before it is built";
/// Line of a build in which every option was decided.
const NOTHING: &str = "nothing";

/// Reads the records of all builds that are realized here. A record that cannot be read is left to `verify`.
#[must_use]
pub(super) fn known(lock: &Lock, store: &Store) -> LeftOptions {
    let read = |(name, output): (&String, &LockedOutput)| {
        let record = fs_err::read(store.output_about(output.derivation)?).ok()?;
        let record: serde_json::Value = serde_json::from_slice(&record).ok()?;
        let field = left_field(output.recipe.cmake_build()?);
        let names = record.get(field).and_then(serde_json::Value::as_array).map_or(&[][..], Vec::as_slice);
        let names = names.iter().filter_map(serde_json::Value::as_str).filter(|name| is_option(name));
        Some((name.clone(), names.map(str::to_owned).collect()))
    };
    lock.outputs.iter().filter_map(read).collect()
}

/// Writes the options of an output, if it can have any.
pub(super) fn write(page: &mut String, recipe: &Recipe, options: Option<&BTreeSet<String>>) {
    let Some(build) = recipe.cmake_build() else { return };
    let listed = match options {
        None => NOT_BUILT.to_owned(),
        Some(names) if names.is_empty() => NOTHING.to_owned(),
        Some(names) => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(page, "\n{}{listed}", label(build));
}

/// Reads the options that a page states of a lock's outputs.
pub(super) fn stated(page: &str, lock: &Lock) -> LeftOptions {
    let of = |(name, output): (&String, &LockedOutput)| {
        let (heading, label) = (heading(name), label(output.recipe.cmake_build()?));
        let mut lines =
            page.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with("### "));
        let listed = lines.find_map(|line| line.strip_prefix(&label)).filter(|listed| *listed != NOT_BUILT)?;
        if listed == NOTHING {
            return Some((name.clone(), BTreeSet::new()));
        }
        let name_of = |text: &str| Some(text.strip_prefix('`')?.strip_suffix('`')?.to_owned());
        let names: Option<BTreeSet<String>> = listed.split(", ").map(name_of).collect();
        Some((name.clone(), names.filter(|names| names.iter().all(|name| is_option(name)))?))
    };
    lock.outputs.iter().filter_map(of).collect()
}

/// Returns true for the name of an option: a record and a page are believed no more than that.
fn is_option(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
