//! Realized outputs by derivation id: which tree a recipe gave, and the log of making it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Staging, Store, StoredTree, sync_directory};
use crate::digest::{DerivationId, TreeDigest};
use crate::error::{Error, Kind, Result};

/// What a build leaves besides its tree.
const KEPT: [&str; 2] = ["log", "about.json"];

/// What is known of a realized output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputRecord {
    /// The output's name in the lock that it was first made from.
    pub name: String,
    /// The tree that it is.
    pub tree: TreeDigest,
}

impl Store {
    fn output_directory(&self, id: DerivationId) -> PathBuf {
        self.root.join("outputs").join(id.hex())
    }

    /// The output with this derivation id and its tree, if both are here and the tree is hot.
    pub fn output(&self, id: DerivationId) -> Result<Option<(OutputRecord, StoredTree)>> {
        let record = self.output_record(id)?;
        Ok(record.and_then(|record| self.tree(record.tree).map(|tree| (record, tree))))
    }

    /// The output with this derivation id, if its tree is here, hot or cold.
    pub fn output_record(&self, id: DerivationId) -> Result<Option<OutputRecord>> {
        let path = self.output_directory(id).join("output.json");
        let text = match fs_err::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let record: OutputRecord = serde_json::from_slice(&text).map_err(|error| {
            Error::new(Kind::Damaged, "a record in the store is damaged")
                .fact("file", path.display())
                .because(&error)
                .hint("remove this file and run again")
        })?;
        let here = self.tree(record.tree).is_some() || self.cold(record.tree).is_some();
        Ok(here.then_some(record))
    }

    /// The log of the build that made this output, else of the last one that failed to.
    #[must_use]
    pub fn output_log(&self, id: DerivationId) -> Option<PathBuf> {
        ["log", "failed.log"].map(|name| self.output_directory(id).join(name)).into_iter().find(|path| path.is_file())
    }

    /// What is known of the build that made this output: its tools, its configuration, the libraries that its files need.
    #[must_use]
    pub fn output_about(&self, id: DerivationId) -> Option<PathBuf> {
        Some(self.output_directory(id).join("about.json")).filter(|path| path.is_file())
    }

    /// Keeps the log of a build that failed, until one succeeds.
    pub fn keep_failed_log(&self, id: DerivationId, log: &Path) -> Result<PathBuf> {
        let directory = self.make_directory(&format!("outputs/{}", id.hex()))?;
        let (staging, place) = (self.stage()?, directory.join("failed.log"));
        let staged = staging.path().join("log");
        fs_err::copy(log, &staged)?;
        self.place(&staged, &place)?;
        Ok(place)
    }

    /// Keeps what making an output once more left in a staging directory beside its record: the tree, and what is kept
    /// besides it, with what diffoscope says. An older one goes.
    pub fn keep_second(&self, id: DerivationId, staging: &Staging) -> Result<PathBuf> {
        let (second, place) = (staging.path().join("second"), self.output_directory(id).join("second"));
        fs_err::create_dir(&second)?;
        for name in ["tree", "diffoscope.txt"].iter().chain(&KEPT) {
            let from = staging.path().join(name);
            if from.exists() {
                fs_err::rename(from, second.join(name))?;
            }
        }
        if place.is_dir() {
            let old = self.stage()?;
            fs_err::rename(&place, old.path().join("second"))?;
        }
        self.sync()?;
        fs_err::rename(&second, &place)?;
        sync_directory(&self.output_directory(id))?;
        Ok(place)
    }

    /// Records a realized output, with what its build left in `kept` besides the tree. Replaces an older record.
    pub fn publish_output(&self, id: DerivationId, record: &OutputRecord, kept: Option<&Path>) -> Result<()> {
        let directory = self.make_directory(&format!("outputs/{}", id.hex()))?;
        for name in KEPT {
            let Some(from) = kept.map(|kept| kept.join(name)).filter(|from| from.is_file()) else { continue };
            let staging = self.stage()?;
            let staged = staging.path().join(name);
            fs_err::copy(from, &staged)?;
            self.place(&staged, &directory.join(name))?;
        }
        let _ = fs_err::remove_file(directory.join("failed.log"));
        let text = serde_json::to_vec_pretty(record)
            .map_err(|error| Error::failure("cannot write a record").because(&error))?;
        self.write(&directory.join("output.json"), &text)?;
        sync_directory(&self.root.join("outputs"))
    }
}
