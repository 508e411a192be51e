//! The order in which outputs are made and shown.

use std::collections::{BTreeMap, BTreeSet};

use crate::recipe::Recipe;

/// Sorts outputs so that each comes after its parts, and otherwise by kind and name. In a circle of outputs, the first
/// comes before its parts.
pub(super) fn in_order<'l>(outputs: impl Iterator<Item = (&'l String, &'l Recipe)>) -> Vec<&'l String> {
    let recipes: BTreeMap<&str, (&String, &Recipe)> =
        outputs.map(|(name, recipe)| (name.as_str(), (name, recipe))).collect();
    let mut open: Vec<(usize, &str)> = recipes.iter().map(|(name, (_, recipe))| (recipe.rank(), *name)).collect();
    open.sort_unstable();
    let mut placed = BTreeSet::new();
    let mut sorted = Vec::with_capacity(open.len());
    while !open.is_empty() {
        let is_open = |part: &str| recipes.contains_key(part) && !placed.contains(part);
        let is_ready = |(_, name): &(usize, &str)| recipes[name].1.outputs().iter().all(|(_, part)| !is_open(part));
        let (_, name) = open.remove(open.iter().position(is_ready).unwrap_or_default());
        placed.insert(name);
        sorted.push(recipes[name].0);
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(outputs: &serde_json::Value) -> Vec<String> {
        let recipes: BTreeMap<String, Recipe> = serde_json::from_value(outputs.clone()).unwrap();
        in_order(recipes.iter()).into_iter().cloned().collect()
    }

    #[test]
    fn an_output_stands_behind_its_parts_and_then_by_kind_and_name() {
        let outputs = serde_json::json!({
            "a-image": { "type": "image", "name": "x", "runtime": "b-runtime", "llama": "llama" },
            "b-runtime": { "type": "runtime", "rocm": "rocm", "llama": "llama", "roots": ["llama-cli"] },
            "llama": { "type": "llama", "source": "s", "backend": "cpu", "prefix": "/opt/llama", "sysroot": "root" },
            "rocm": { "type": "rocm", "input": "rocm", "prefix": "/opt/rocm" },
            "root": { "type": "sysroot", "packages": "p" },
        });
        assert_eq!(order(&outputs), ["rocm", "root", "llama", "b-runtime", "a-image"]);
    }

    #[test]
    fn outputs_whose_parts_are_missing_or_themselves_are_all_there() {
        let outputs = serde_json::json!({
            "a": { "type": "runtime", "rocm": "a", "llama": "b", "roots": [] },
            "b": { "type": "runtime", "rocm": "a", "llama": "gone", "roots": [] },
        });
        assert_eq!(order(&outputs), ["a", "b"]);
    }
}
