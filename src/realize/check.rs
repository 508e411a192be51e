//! Makes an output once more, and compares it with what is realized.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::Realizer;
use super::about::ABOUT;
use super::execute::Made;
use super::plan::Plan;
use crate::compare::{Difference, Side, trees};
use crate::digest::TreeDigest;
use crate::error::{About as _, Error, Kind, Result};
use crate::log::running;
use crate::recipe::Files;
use crate::store::{Staging, StoredTree};

/// What making an output once more gave.
#[derive(Debug)]
pub struct Checked {
    /// The output.
    pub name: String,
    /// What is realized.
    pub realized: TreeDigest,
    /// What was made now.
    pub made: TreeDigest,
    /// What differs, by path.
    pub differences: Vec<Difference>,
    /// The tools that were other ones.
    pub tools: Vec<OtherTool>,
    /// Where the second tree is, if it was to be kept.
    pub kept: Option<PathBuf>,
}

/// A tool that was another one when an output was made once more.
#[derive(Debug, Serialize)]
pub struct OtherTool {
    /// How it was called.
    pub tool: String,
    /// What it said of its version when the output was realized.
    pub realized: String,
    /// What it said now.
    pub made: String,
}

impl Realizer<'_> {
    /// The usual outputs that are made by a recipe rather than taken as they were published.
    #[must_use]
    pub fn made_outputs(&self) -> Vec<String> {
        let made =
            |name: &&String| self.lock.outputs.get(*name).is_some_and(|output| output.recipe.files() != Files::Taken);
        self.lock.usual_outputs().filter(made).cloned().collect()
    }

    /// Makes the realized output `name` once more in a directory of its own, and compares the two. Its record is not looked
    /// at while it is made, and stays as it is. With `keep`, a second tree that differs stays in the store beside the
    /// record.
    pub fn check(&self, name: &str, keep: bool) -> Result<Checked> {
        self.check_one(name, keep).about(name)
    }

    fn check_one(&self, name: &str, keep: bool) -> Result<Checked> {
        let (store, locked) = (self.intake.store, self.lock.output(name)?);
        let missing = || {
            Error::new(Kind::NotFound, "the output is not realized, so that there is nothing to compare with")
                .hint(format!("`strixlock realize {name}` makes it"))
        };
        let record = store.output_record(locked.derivation)?.ok_or_else(missing)?;
        // What it is made from; other outputs are taken as they are realized.
        if self.builds(name) {
            self.demand_sandbox(&locked.recipe)?;
        }
        self.run(&Plan::of_parts(self.lock, store, name)?)?;
        let realized = store.thaw(record.tree, name, self.intake.fetcher.progress())?.ok_or_else(missing)?;
        // A file that was damaged is no output that came out differently.
        let realized = self.whole(name, realized)?;
        let listing = realized.listing()?;
        let made = self.build(locked, true)?;
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
        let kept = match made {
            _ if !keep || differences.is_empty() => None,
            Made::Stored(tree) => Some(tree.path),
            Made::Staged(staging, _) => Some(self.keep(name, &staging, &realized)?),
        };
        Ok(Checked { name: name.to_owned(), realized: record.tree, made: second.digest(), differences, tools, kept })
    }

    /// The tools that say another version of themselves than those that made what is realized, in a sandbox with the host's
    /// root.
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

    /// Puts the second tree, its log, and what diffoscope says of both, where it stays until the output goes.
    fn keep(&self, name: &str, staging: &Staging, realized: &StoredTree) -> Result<PathBuf> {
        diffoscope(&realized.path, staging.path())?;
        Ok(self.intake.store.keep_second(self.lock.output(name)?.derivation, staging)?.join("tree"))
    }
}

/// The versions that a record of a build names. What cannot be read says nothing.
fn tools(about: &Path) -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    struct Tools {
        tools: BTreeMap<String, String>,
    }
    let text = fs_err::read(about).unwrap_or_default();
    serde_json::from_slice::<Tools>(&text).map(|about| about.tools).unwrap_or_default()
}

/// Has diffoscope look at both trees, where it is installed: it knows many more kinds of files.
fn diffoscope(realized: &Path, staging: &Path) -> Result<()> {
    let said = staging.join("diffoscope.txt");
    let mut diffoscope = Command::new("diffoscope");
    diffoscope.args(["--no-progress", "--exclude-directory-metadata=yes", "--text"]).arg(&said);
    let ran = running(diffoscope.arg(realized).arg(staging.join("tree"))).stdin(Stdio::null()).output();
    match ran {
        // 0 and 1 say whether there are differences.
        Ok(output) if !matches!(output.status.code(), Some(0 | 1)) => Ok(fs_err::write(said, output.stderr)?),
        _ => Ok(()),
    }
}
