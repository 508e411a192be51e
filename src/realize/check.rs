//! `check`: builds an output again and compares it with the realized one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::Realizer;
use super::build_record::ABOUT;
use super::compile_cache::{CacheUse, used};
use super::execute::Made;
use super::plan::Plan;
use crate::compare::{Difference, Side, trees};
use crate::digest::TreeDigest;
use crate::error::{About as _, Error, Kind, Result};
use crate::log::running;
use crate::recipe::Origin;
use crate::store::{Staging, StoredTree};

/// The result of building an output again.
#[derive(Debug)]
pub struct Checked {
    /// The name of the output.
    pub name: String,
    /// The realized tree.
    pub realized: TreeDigest,
    /// The tree that was built now.
    pub made: TreeDigest,
    /// The differences, by path.
    pub differences: Vec<Difference>,
    /// The tools whose versions differ.
    pub tools: Vec<OtherTool>,
    /// The path of the second tree, if it was kept.
    pub kept: Option<PathBuf>,
    /// Compilations of the realized build, if that had a compiler cache.
    pub compile_cache: Option<CacheUse>,
}

/// A tool whose version differs between two builds of an output.
#[derive(Debug, Serialize)]
pub struct OtherTool {
    /// The command.
    pub tool: String,
    /// Its version when the output was realized.
    pub realized: String,
    /// Its version now.
    pub made: String,
}

impl Realizer<'_> {
    /// Returns the usual outputs without those that consist of published files.
    #[must_use]
    pub fn made_outputs(&self) -> Vec<String> {
        let made =
            |name: &&String| self.lock.outputs.get(*name).is_some_and(|output| output.recipe.origin() != Origin::Taken);
        self.lock.usual_outputs().filter(made).cloned().collect()
    }

    /// Builds the realized output `name` again in a staging directory, and compares both trees. The record of the
    /// output is not used for the build and stays as it is. With `keep`, a second tree that differs is kept in the
    /// store beside the record.
    pub fn check(&self, name: &str, keep: bool) -> Result<Checked> {
        self.check_one(name, keep).about(name)
    }

    fn check_one(&self, name: &str, keep: bool) -> Result<Checked> {
        let (store, locked) = (self.intake.store, self.lock.output(name)?);
        let missing = || {
            Error::new(Kind::NotFound, "the output is not realized: nothing to compare with")
                .hint(format!("`strixlock realize {name}` builds it"))
        };
        let record = store.output_record(locked.derivation)?.ok_or_else(missing)?;
        // The parts only, as they are realized.
        if self.builds(name) {
            self.demand_sandbox(&locked.recipe)?;
        }
        self.run(&Plan::of_parts(self.lock, store, name)?)?;
        let realized = store.thaw(record.tree, name, self.intake.fetcher.progress())?.ok_or_else(missing)?;
        // A damaged file must not be reported as a difference between the builds.
        let realized = self.demand_intact(name, realized)?;
        let listing = realized.listing()?;
        let made = self.build_again(name, locked)?;
        let (directory, second) = match &made {
            Made::Stored(tree) => (tree.path.clone(), tree.listing()?),
            Made::Staged(staging, listing) => (staging.path().join("tree"), listing.clone()),
        };
        let differences = trees(
            Side { directory: &realized.path, listing: &listing },
            Side { directory: &directory, listing: &second },
        )?;
        let tools = match &made {
            Made::Staged(staging, _) if !differences.is_empty() => self.other_tools(name, staging)?,
            _ => Vec::new(),
        };
        // An output of published files comes out the same whatever happens.
        if differences.is_empty() && locked.recipe.origin() != Origin::Taken {
            store.record_made_again(locked.derivation, record.tree)?;
        }
        let kept = match made {
            _ if !keep || differences.is_empty() => None,
            Made::Stored(tree) => Some(tree.path),
            Made::Staged(staging, _) => Some(self.keep(name, &staging, &realized)?),
        };
        Ok(Checked {
            name: name.to_owned(),
            realized: record.tree,
            made: second.digest(),
            differences,
            tools,
            kept,
            compile_cache: used(store, locked.derivation),
        })
    }

    /// Returns the tools whose versions differ from those of the realized build. They can differ in builds with the
    /// host's root.
    fn other_tools(&self, name: &str, staging: &Staging) -> Result<Vec<OtherTool>> {
        let recorded = self.intake.store.output_about(self.lock.output(name)?.derivation);
        let (before, now) = (recorded.map(|path| tools(&path)), tools(&staging.path().join(ABOUT)));
        let Some(before) = before.filter(|before| !before.is_empty() && !now.is_empty()) else { return Ok(Vec::new()) };
        let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
        let version = |tools: &BTreeMap<String, String>, tool| tools.get(tool).cloned().unwrap_or_default();
        let all = names.into_iter().map(|tool| OtherTool {
            tool: tool.clone(),
            realized: version(&before, tool),
            made: version(&now, tool),
        });
        Ok(all.filter(|tool| tool.realized != tool.made).collect())
    }

    /// Keeps the second tree, its log and the report of diffoscope in the store until the output is removed.
    fn keep(&self, name: &str, staging: &Staging, realized: &StoredTree) -> Result<PathBuf> {
        diffoscope(&realized.path, staging.path())?;
        Ok(self.intake.store.keep_second(self.lock.output(name)?.derivation, staging)?.join("tree"))
    }
}

/// Returns the versions of tools from the record of a build; none if it cannot be read.
fn tools(about: &Path) -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    struct Tools {
        tools: BTreeMap<String, String>,
    }
    let text = fs_err::read(about).unwrap_or_default();
    serde_json::from_slice::<Tools>(&text).map(|about| about.tools).unwrap_or_default()
}

/// Compares both trees with diffoscope if it is installed, because it knows many more kinds of files.
fn diffoscope(realized: &Path, staging: &Path) -> Result<()> {
    let said = staging.join("diffoscope.txt");
    let mut diffoscope = Command::new("diffoscope");
    diffoscope.args(["--no-progress", "--exclude-directory-metadata=yes", "--text"]).arg(&said);
    let ran = running(diffoscope.arg(realized).arg(staging.join("tree"))).stdin(Stdio::null()).output();
    match ran {
        // 0: no differences. 1: differences.
        Ok(output) if !matches!(output.status.code(), Some(0 | 1)) => Ok(fs_err::write(said, output.stderr)?),
        _ => Ok(()),
    }
}
