//! Generations in one line: the version of each output, without the parts that earlier ones show.

use std::collections::BTreeMap;

use crate::lock::Lock;
use crate::store::{Generation, Profile};

/// Returns the outputs of a generation in display order, each with the parts of its version that no earlier output has:
/// after a ROCm tree, `b6789 + 10.1.0a20260901` is shown as `b6789`.
#[must_use]
pub fn versions(profile: &Profile, number: u64, generation: &Generation) -> Vec<(String, String)> {
    let lock = fs_err::read_to_string(profile.generation_lock(number)).ok().and_then(|text| Lock::parse(&text).ok());
    let ordered: Vec<String> =
        lock.as_ref().map(|lock| lock.ordered().into_iter().cloned().collect()).unwrap_or_default();
    let known = ordered.iter().filter(|name| generation.outputs.contains_key(*name));
    let others = generation.outputs.keys().filter(|name| !ordered.contains(name));
    let (mut seen, mut all) = (Vec::new(), Vec::new());
    for name in known.chain(others) {
        let mut own = Vec::new();
        for part in generation.outputs.get(name).map(|output| output.version.split(" + ")).into_iter().flatten() {
            if !seen.contains(&part) {
                own.push(part);
                seen.push(part);
            }
        }
        all.push((name.clone(), own.join(" + ")));
    }
    all
}

/// Returns the versions in one line.
#[must_use]
pub fn line(versions: &[(String, String)]) -> String {
    let shown = |(name, version): &(String, String)| {
        if version.is_empty() { name.clone() } else { format!("{name} {version}") }
    };
    versions.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// Describes the differences between two generations, one output per line, such as
/// `rocm 10.2.0a20261120 -> 10.1.0a20260901`. `same_tree` returns true for an output whose tree did not change.
#[must_use]
pub fn changes(from: &[(String, String)], to: &[(String, String)], same_tree: impl Fn(&str) -> bool) -> Vec<String> {
    let (before, after): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (from.iter().cloned().collect(), to.iter().cloned().collect());
    let gone = from.iter().filter(|(name, _)| !after.contains_key(name));
    let mut lines: Vec<String> = gone.map(|(name, version)| format!("{name} {version} -> nothing")).collect();
    for (name, version) in to {
        match before.get(name) {
            None => lines.push(format!("{name} nothing -> {version}")),
            Some(old) if old != version => lines.push(format!("{name} {old} -> {version}")),
            // If versions changed, outputs that were rebuilt only because of that are left out.
            Some(_) if !same_tree(name) && from == to => {
                lines.push(format!("{name}: different tree of the same version"));
            }
            Some(_) => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_described_once() {
        let set = |parts: &[(&str, &str)]| -> Vec<(String, String)> {
            parts.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect()
        };
        let old = set(&[("rocm", "1"), ("llama", "b1"), ("runtime", ""), ("model", "m")]);
        let new = set(&[("rocm", "2"), ("llama", "b1"), ("runtime", ""), ("image", "i")]);
        assert_eq!(line(&old), "rocm 1, llama b1, runtime, model m");
        assert_eq!(changes(&old, &new, |_| false), ["model m -> nothing", "rocm 1 -> 2", "image nothing -> i"]);
        assert_eq!(changes(&old, &old, |name| name != "llama"), ["llama: different tree of the same version"]);
        assert_eq!(changes(&old, &old, |_| true), Vec::<String>::new());
    }
}
