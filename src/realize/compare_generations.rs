//! Compares two generations.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::store::{Generation, GenerationOutput, Store};
use crate::tree::{Listing, Node, show};

/// One output that differs between two generations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputDifference {
    /// The name of the output.
    pub output: String,
    /// Its version in the first generation; absent if only the second has the output.
    pub from: Option<String>,
    /// Its version in the second generation; absent if only the first has the output.
    pub to: Option<String>,
    /// Its size in the first generation, in bytes.
    pub from_size: u64,
    /// Its size in the second generation, in bytes.
    pub to_size: u64,
    /// Paths that only the second generation has.
    pub added: Vec<String>,
    /// Paths that only the first generation has.
    pub removed: Vec<String>,
    /// Paths that both have with different entries.
    pub changed: Vec<String>,
}

/// Compares two generations, output by output.
pub fn compare_generations(store: &Store, from: &Generation, to: &Generation) -> Result<Vec<OutputDifference>> {
    let names: BTreeSet<&String> = from.outputs.keys().chain(to.outputs.keys()).collect();
    let mut differences = Vec::new();
    for name in names {
        let (old, new) = (from.outputs.get(name), to.outputs.get(name));
        if old.map(|output| output.tree) == new.map(|output| output.tree) {
            continue;
        }
        let listing = |output: Option<&GenerationOutput>| match output {
            Some(output) => Ok(store.listing(output.tree)?.unwrap_or_default()),
            None => Ok::<_, Error>(Listing::default()),
        };
        let (before, after) = (listing(old)?, listing(new)?);
        let mut difference = OutputDifference {
            output: name.clone(),
            from: old.map(|output| output.version.clone()),
            to: new.map(|output| output.version.clone()),
            from_size: before.total_size(),
            to_size: after.total_size(),
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
        };
        for entry in after.entries() {
            match before.get(&entry.path) {
                None => difference.added.push(entry.display()),
                Some(other) if other.node != entry.node => difference.changed.push(entry.display()),
                Some(_) => {}
            }
        }
        let gone = before.entries().iter().filter(|entry| after.get(&entry.path).is_none());
        // Directories are left out: their files are listed.
        difference.removed =
            gone.filter(|entry| entry.node != Node::Directory).map(|entry| show(&entry.path)).collect();
        difference
            .added
            .retain(|path| !matches!(after.get(path.as_bytes()).map(|entry| &entry.node), Some(Node::Directory)));
        differences.push(difference);
    }
    Ok(differences)
}
