//! Makes an output once more, and compares it with what is realized.

use std::path::{Path, PathBuf};

use super::execute::Made;
use super::plan::Plan;
use super::{Realizer, build};
use crate::compare::{Difference, Side, trees};
use crate::digest::TreeDigest;
use crate::error::{About as _, Error, Kind, Result};
use crate::recipe::Recipe;
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
    /// Where the second tree is, if it was to be kept.
    pub kept: Option<PathBuf>,
}

impl Realizer<'_> {
    /// The outputs that are made by a recipe rather than taken as they were published.
    #[must_use]
    pub fn made_outputs(&self) -> Vec<String> {
        let made = self.lock.outputs.iter().filter(|(_, output)| !matches!(output.recipe, Recipe::Rocm(_)));
        made.map(|(name, _)| name.clone()).collect()
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
            Self::demand_sandbox()?;
        }
        self.run(&Plan::of_parts(self.lock, store, name)?)?;
        let realized = store.thaw(record.tree, name, self.intake.fetcher.progress())?.ok_or_else(missing)?;
        let listing = realized.listing()?;
        let made = self.build(locked)?;
        let (directory, second) = match &made {
            Made::Stored(tree) => (tree.path.clone(), tree.listing()?),
            Made::Staged(staging, listing) => (staging.path().join("tree"), listing.clone()),
        };
        let differences = trees(
            Side { directory: &realized.path, listing: &listing },
            Side { directory: &directory, listing: &second },
        )?;
        let kept = match made {
            _ if !keep || differences.is_empty() => None,
            Made::Stored(tree) => Some(tree.path),
            Made::Staged(staging, _) => Some(self.keep(name, &staging, &realized)?),
        };
        Ok(Checked { name: name.to_owned(), realized: record.tree, made: second.digest(), differences, kept })
    }

    /// Puts the second tree, its log, and what diffoscope says of both, where it stays until the output goes.
    fn keep(&self, name: &str, staging: &Staging, realized: &StoredTree) -> Result<PathBuf> {
        let place = staging.path().join("kept");
        fs_err::create_dir(&place)?;
        for part in ["tree", build::LOG] {
            fs_err::rename(staging.path().join(part), place.join(part))?;
        }
        diffoscope(&realized.path, &place)?;
        Ok(self.intake.store.keep_second(self.lock.output(name)?.derivation, &place)?.join("tree"))
    }
}

/// Has diffoscope look at both trees, where it is installed: it knows many more kinds of files.
fn diffoscope(realized: &Path, place: &Path) -> Result<()> {
    let ran = std::process::Command::new("diffoscope")
        .args(["--no-progress", "--exclude-directory-metadata=yes", "--text"])
        .arg(place.join("diffoscope.txt"))
        .arg(realized)
        .arg(place.join("tree"))
        .stdin(std::process::Stdio::null())
        .output();
    match ran {
        // 0 and 1 say whether there are differences.
        Ok(output) if matches!(output.status.code(), Some(0 | 1)) => Ok(()),
        Ok(output) => Ok(fs_err::write(place.join("diffoscope-failed.txt"), output.stderr)?),
        Err(_) => Ok(()),
    }
}
