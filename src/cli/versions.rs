//! The outputs of a generation with their versions, as people say them.

use std::collections::BTreeMap;

use crate::lock::Lock;
use crate::realize::own_version;
use crate::store::{Generation, Profile};

/// An output of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputVersion {
    /// The name.
    pub name: String,
    /// The version of its own inputs, such as `b6789`; empty for an output that is made from others alone.
    pub short: String,
    /// The version with all parts and digests.
    pub long: String,
    /// True for a root file system.
    pub is_root: bool,
}

/// Returns the outputs of a generation in display order.
#[must_use]
pub fn versions(profile: &Profile, number: u64, generation: &Generation) -> Vec<OutputVersion> {
    let lock = fs_err::read_to_string(profile.generation_lock(number)).ok().and_then(|text| Lock::parse(&text).ok());
    let ordered: Vec<&String> = lock.as_ref().map(Lock::ordered).unwrap_or_default();
    let known = ordered.iter().copied().filter(|name| generation.outputs.contains_key(*name));
    let others = generation.outputs.keys().filter(|name| !ordered.contains(name));
    let version = |name: &String| {
        let long = generation.outputs.get(name).map(|output| output.version.clone()).unwrap_or_default();
        let locked = lock.as_ref().filter(|lock| lock.outputs.contains_key(name));
        // A record without a readable lock has the long version alone.
        let short = locked.map_or_else(|| long.clone(), |lock| own_version(lock, name));
        let is_root = locked.and_then(|lock| lock.outputs.get(name)).is_some_and(|output| output.recipe.is_root());
        OutputVersion { name: name.clone(), short, long, is_root }
    };
    known.chain(others).map(version).collect()
}

/// Returns the versions in one line: those of outputs with inputs of their own, and of root file systems only if there
/// is nothing else.
#[must_use]
pub fn line(versions: &[OutputVersion]) -> String {
    let of = |roots: bool| {
        let named = versions.iter().filter(|output| output.is_root == roots && !output.short.is_empty());
        named.map(|output| format!("{} {}", output.name, output.short)).collect::<Vec<_>>().join(", ")
    };
    let others = of(false);
    if others.is_empty() { of(true) } else { others }
}

/// Describes the differences between two generations, one output per line, such as
/// `rocm 10.2.0a20261120 -> 10.1.0a20260901`. `same_tree` returns true for an output whose tree did not change.
#[must_use]
pub fn changes(from: &[OutputVersion], to: &[OutputVersion], same_tree: impl Fn(&str) -> bool) -> Vec<String> {
    let by_name = |all: &[OutputVersion]| -> BTreeMap<String, OutputVersion> {
        all.iter().map(|output| (output.name.clone(), output.clone())).collect()
    };
    let (before, after) = (by_name(from), by_name(to));
    let named = |output: &OutputVersion| format!("{} {}", output.name, output.short).trim_end().to_owned();
    let gone = from.iter().filter(|output| !after.contains_key(&output.name));
    let mut lines: Vec<String> = gone.map(|output| format!("{} -> nothing", named(output))).collect();
    for output in to {
        let Some(old) = before.get(&output.name) else {
            lines.push(format!("nothing -> {}", named(output)));
            continue;
        };
        if old.short != output.short {
            lines.push(format!("{} {} -> {}", output.name, old.short, output.short));
        } else if old.long != output.long && !output.short.is_empty() && !built_on_others(old, output) {
            lines.push(format!("{} {} -> {}", output.name, old.long, output.long));
        }
    }
    // An output that only follows another one is left out, unless nothing else tells that something changed.
    if lines.is_empty() {
        let different = to.iter().filter(|output| !same_tree(&output.name));
        lines.extend(different.map(|output| format!("{}: different tree of the same version", output.name)));
    }
    lines
}

/// Returns true if the versions differ only in the parts behind the first, which are those of other outputs.
fn built_on_others(one: &OutputVersion, other: &OutputVersion) -> bool {
    let own = |output: &OutputVersion| output.long.split(" + ").next().map(str::to_owned);
    own(one) == own(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(parts: &[(&str, &str, &str)]) -> Vec<OutputVersion> {
        let output = |(name, short, long): &(&str, &str, &str)| OutputVersion {
            name: (*name).to_owned(),
            short: (*short).to_owned(),
            long: (*long).to_owned(),
            is_root: *name == "root",
        };
        parts.iter().map(output).collect()
    }

    #[test]
    fn each_change_is_described_once() {
        let old = set(&[
            ("rocm", "1", "1"),
            ("root", "noble", "3 packages (a)"),
            ("llama", "b1", "b1 (abc) + 1"),
            ("runtime", "", "1 + b1"),
            ("model", "m", "m (a)"),
        ]);
        let new = set(&[
            ("rocm", "2", "2"),
            ("root", "noble", "3 packages (b)"),
            ("llama", "b1", "b1 (abc) + 2"),
            ("runtime", "", "2 + b1"),
            ("image", "i", "i"),
        ]);
        assert_eq!(line(&old), "rocm 1, llama b1, model m");
        assert_eq!(line(&old[1..2]), "root noble");
        assert_eq!(
            changes(&old, &new, |_| false),
            ["model m -> nothing", "rocm 1 -> 2", "root 3 packages (a) -> 3 packages (b)", "nothing -> image i"]
        );
        assert_eq!(changes(&old, &old, |name| name != "llama"), ["llama: different tree of the same version"]);
        assert_eq!(changes(&old, &old, |_| true), Vec::<String>::new());
    }
}
