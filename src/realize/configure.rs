//! The configure phase of a build: CMake is run until it knows every variable that it is given.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::build::Build;
use super::configured::{Configured, Unused};
use crate::error::Result;
use crate::llama_source::CMakeFiles;
use crate::recipe::build;

/// Runs CMake, here or elsewhere.
pub(super) trait Configures {
    /// Configures in an empty directory, in the round with this number, from 0. Returns what CMake said of unused
    /// variables, and the directory with its cache.
    fn configure(&mut self, round: usize, command: &[String]) -> Result<(Unused, PathBuf)>;
    /// Takes note of variables that the next round leaves out.
    fn left_out(&mut self, names: &str) -> Result<()>;
}

/// Configures a build. Fails if the source does not know a variable of the manifest, before anything is compiled.
/// Variables of the recipe that CMake calls unused are removed from `variables`, except for those that it insists on,
/// and it configures again.
pub(super) fn configure(
    of: &Build,
    files: &CMakeFiles,
    variables: &mut BTreeMap<String, String>,
    runs: &mut dyn Configures,
) -> Result<Configured> {
    let recipe = of.recipe;
    let mut dropped = BTreeSet::new();
    let mut round = 0;
    loop {
        let commands = build::commands(recipe, variables, of.jobs());
        let command = commands.into_iter().next().map(|(_, command)| command).unwrap_or_default();
        let (unused, out) = runs.configure(round, &command)?;
        let names = variables.keys().map(String::as_str).collect();
        let mut found = Configured::read(&out, files, &names, &unused, recipe)?;
        found.demand(recipe.project().cmake.keys(), &of.version)?;
        let given = variables.clone();
        variables.retain(|name, value| !found.unknown.contains(name) || recipe.insists(name, value));
        let unused: Vec<&str> =
            given.keys().filter(|name| !variables.contains_key(*name)).map(String::as_str).collect();
        dropped.append(&mut found.unknown);
        // Each round drops at least one.
        if unused.is_empty() {
            found.unknown = dropped;
            return Ok(found);
        }
        runs.left_out(&unused.join(", "))?;
        round += 1;
    }
}
