//! Versions of outputs: those of the inputs that they are made from.

use crate::inputs::LockedInput;
use crate::lock::Lock;
use crate::recipe::Recipe;

/// Returns the version of an output, for people: the versions of all inputs that it is made from.
#[must_use]
pub fn version(lock: &Lock, name: &str) -> String {
    let Some(output) = lock.outputs.get(name) else { return String::new() };
    let inputs = leading(lock, &output.recipe).map(|input| input.version());
    let outputs = output.recipe.outputs().into_iter().map(|(_, name)| version(lock, name));
    let mut all: Vec<String> = Vec::new();
    for part in inputs.chain(outputs).flat_map(|text| text.split(" + ").map(str::to_owned).collect::<Vec<_>>()) {
        if !all.contains(&part) {
            all.push(part);
        }
    }
    all.join(" + ")
}

/// Returns the version of an output in the words that people use: that of its own inputs, such as `b6789`. An output
/// without inputs of its own, and an image, has the versions of its parts: `rocm 10.1.0a20260901, llama b6789`.
#[must_use]
pub fn short_version(lock: &Lock, name: &str) -> String {
    let Some(output) = lock.outputs.get(name) else { return String::new() };
    let own = own_version(lock, name);
    if !own.is_empty() && !output.recipe.is_image() {
        return own;
    }
    let is_root = |part: &str| lock.outputs.get(part).is_some_and(|output| output.recipe.is_root());
    let parts = parts(lock, name);
    let named = |roots: bool| {
        let wanted = parts.iter().filter(|part| is_root(part) == roots);
        let versions = wanted.map(|part| (*part, own_version(lock, part))).filter(|(_, version)| !version.is_empty());
        versions.map(|(part, version)| format!("{part} {version}")).collect::<Vec<_>>().join(", ")
    };
    // The root file system is what people ask for last.
    [named(false), own, named(true)].into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

/// Returns the short versions of an output's own inputs; empty if it has none.
#[must_use]
pub fn own_version(lock: &Lock, name: &str) -> String {
    let Some(output) = lock.outputs.get(name) else { return String::new() };
    leading(lock, &output.recipe).map(|input| input.short_version()).collect::<Vec<_>>().join(", ")
}

/// Returns the inputs of a recipe by which people know it: without those that follow another.
fn leading<'l>(lock: &'l Lock, recipe: &'l Recipe) -> impl Iterator<Item = &'l LockedInput> {
    let inputs = recipe.inputs().into_iter().filter_map(|(_, name)| lock.inputs.get(name));
    inputs.filter(|input| input.requested().follows().is_none())
}

/// Returns the outputs that an output is made from, directly or not, in the order in which outputs are shown.
fn parts<'l>(lock: &'l Lock, name: &str) -> Vec<&'l str> {
    let mut found = vec![name];
    let mut next = 0;
    // Reading the lock checked that no output is made from itself.
    while let Some(output) = found.get(next).map(|name| lock.outputs.get(*name)) {
        let new = output.map(|output| output.recipe.outputs()).unwrap_or_default();
        found.extend(new.into_iter().map(|(_, part)| part).filter(|part| !found.contains(part)).collect::<Vec<_>>());
        next += 1;
    }
    let ordered = lock.ordered().into_iter().map(String::as_str);
    ordered.filter(|part| *part != name && found.contains(part)).collect()
}
