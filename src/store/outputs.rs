//! Realized outputs by derivation id: the tree that a recipe made, and the log of its build.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Staging, Store, StoredTree, sync_directory};
use crate::digest::{DerivationId, TreeDigest};
use crate::error::{Error, Kind, Result};

/// Files that a build leaves besides its tree.
const BESIDES: [&str; 2] = ["log", "about.json"];

/// A file that a build leaves besides its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildFile {
    /// The log.
    Log,
    /// The record.
    About,
}

/// File with the tree that came out when the output was made again.
const MADE_AGAIN: &str = "made-again";

/// File with the words for where an output was received from, if it was not made here.
const RECEIVED: &str = "received";

/// Beginning of the names of files about a build that were received with its output.
const RECEIVED_FILE: &str = "received-";

/// Record of a realized output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputRecord {
    /// The output's name in the lock that it was first made from.
    pub name: String,
    /// The output's tree.
    pub tree: TreeDigest,
}

impl Store {
    fn output_directory(&self, id: DerivationId) -> PathBuf {
        self.root.join("outputs").join(id.hex())
    }

    /// Returns the output with this derivation id and its tree, if the store has both and the tree is hot.
    pub fn output(&self, id: DerivationId) -> Result<Option<(OutputRecord, StoredTree)>> {
        let record = self.output_record(id)?;
        Ok(record.and_then(|record| self.tree(record.tree).map(|tree| (record, tree))))
    }

    /// Returns the output with this derivation id, if the store has its tree, hot or cold.
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

    /// Returns the trees of outputs with this name that are hot, the one that was recorded last first. Records that
    /// cannot be read are left out.
    #[must_use]
    pub fn output_trees(&self, name: &str) -> Vec<StoredTree> {
        let outputs = std::fs::read_dir(self.root.join("outputs")).into_iter().flatten().flatten();
        let read = |output: std::fs::DirEntry| {
            let path = output.path().join("output.json");
            let record: OutputRecord = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
            let tree = self.tree(record.tree).filter(|_| record.name == name)?;
            Some((path.metadata().ok()?.modified().ok()?, tree))
        };
        let mut all: Vec<_> = outputs.filter_map(read).collect();
        all.sort_by_key(|(time, tree)| (std::cmp::Reverse(*time), tree.digest));
        all.into_iter().map(|(_, tree)| tree).collect()
    }

    /// Returns the log of the build that made this output, or of the last build that failed.
    #[must_use]
    pub fn output_log(&self, id: DerivationId) -> Option<PathBuf> {
        ["log", "failed.log"].map(|name| self.output_directory(id).join(name)).into_iter().find(|path| path.is_file())
    }

    /// Returns the description of the build that made this output: tools, configuration, and libraries that its files
    /// need.
    #[must_use]
    pub fn output_about(&self, id: DerivationId) -> Option<PathBuf> {
        Some(self.output_directory(id).join("about.json")).filter(|path| path.is_file())
    }

    /// Returns the descriptions of all builds, the newest first.
    #[must_use]
    pub fn abouts(&self) -> Vec<PathBuf> {
        let outputs = std::fs::read_dir(self.root.join("outputs")).into_iter().flatten().flatten();
        let about = |output: std::fs::DirEntry| {
            let path = output.path().join("about.json");
            Some((path.metadata().ok()?.modified().ok()?, path))
        };
        let mut all: Vec<_> = outputs.filter_map(about).collect();
        all.sort_by(|one, other| other.cmp(one));
        all.into_iter().map(|(_, path)| path).collect()
    }

    /// Keeps the log of a failed build, until one succeeds, and returns its error with the place of the log.
    #[must_use]
    pub fn with_failed_log(&self, failed: Error, id: DerivationId, log: &Path) -> Error {
        match self.keep_failed_log(id, log) {
            Ok(place) => failed.fact("log", place.display()),
            Err(error) => failed.fact("log", format!("not kept: {error}", error = error.message())),
        }
    }

    /// Keeps the log of a failed build, until one succeeds.
    pub fn keep_failed_log(&self, id: DerivationId, log: &Path) -> Result<PathBuf> {
        let directory = self.make_directory(&format!("outputs/{}", id.hex()))?;
        let (staging, place) = (self.stage()?, directory.join("failed.log"));
        let staged = staging.path().join("log");
        fs_err::copy(log, &staged)?;
        self.place(&staged, &place)?;
        Ok(place)
    }

    /// Keeps the results of a second build beside the output's record: the tree, its log and description, and
    /// diffoscope's report, all from a staging directory. Replaces those of an older one.
    pub fn keep_second(&self, id: DerivationId, staging: &Staging) -> Result<PathBuf> {
        let (second, place) = (staging.path().join("second"), self.output_directory(id).join("second"));
        fs_err::create_dir(&second)?;
        for name in ["tree", "diffoscope.txt"].iter().chain(&BESIDES) {
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

    /// Records that an output was made again and came out as this tree, like the first time.
    pub fn record_made_again(&self, id: DerivationId, tree: TreeDigest) -> Result<()> {
        self.write(&self.output_directory(id).join(MADE_AGAIN), format!("{tree}\n").as_bytes())
    }

    /// Returns true if this tree of an output was made again here, with the same result.
    #[must_use]
    pub fn was_made_again(&self, id: DerivationId, tree: TreeDigest) -> bool {
        let text = fs_err::read_to_string(self.output_directory(id).join(MADE_AGAIN));
        text.is_ok_and(|text| text.trim_end() == tree.to_string())
    }

    /// Records that an output was not made here, but received, with the words for where from.
    pub fn record_received(&self, id: DerivationId, from: &str) -> Result<()> {
        self.write(&self.output_directory(id).join(RECEIVED), format!("{from}\n").as_bytes())
    }

    /// Returns the words for where this tree of an output was received from, unless it was made here since.
    #[must_use]
    pub fn received(&self, id: DerivationId, tree: TreeDigest) -> Option<String> {
        let text = fs_err::read_to_string(self.output_directory(id).join(RECEIVED)).ok()?;
        (!self.was_made_again(id, tree)).then(|| text.trim_end().to_owned())
    }

    /// Keeps a file about the build of a received output, under a name of its own: it is somebody's words.
    pub fn keep_received(&self, id: DerivationId, file: BuildFile, bytes: &[u8]) -> Result<()> {
        self.write(&self.received_path(id, file), bytes)
    }

    /// Returns a file about the build of this output that was received with it.
    #[must_use]
    pub fn received_file(&self, id: DerivationId, file: BuildFile) -> Option<PathBuf> {
        Some(self.received_path(id, file)).filter(|path| path.is_file())
    }

    fn received_path(&self, id: DerivationId, file: BuildFile) -> PathBuf {
        self.output_directory(id).join(format!("{RECEIVED_FILE}{}", BESIDES[file as usize]))
    }

    /// Records a realized output, with the log and description that its build left in `kept`. Replaces an older record.
    pub fn publish_output(&self, id: DerivationId, record: &OutputRecord, kept: Option<&Path>) -> Result<()> {
        let directory = self.make_directory(&format!("outputs/{}", id.hex()))?;
        for name in BESIDES {
            let Some(from) = kept.map(|kept| kept.join(name)).filter(|from| from.is_file()) else { continue };
            let staging = self.stage()?;
            let staged = staging.path().join(name);
            fs_err::copy(from, &staged)?;
            self.place(&staged, &directory.join(name))?;
        }
        let received = BESIDES.map(|name| format!("{RECEIVED_FILE}{name}"));
        for outdated in ["failed.log", RECEIVED].into_iter().chain(received.iter().map(String::as_str)) {
            let _ = fs_err::remove_file(directory.join(outdated));
        }
        let text = serde_json::to_vec_pretty(record)
            .map_err(|error| Error::failure("cannot write a record").because(&error))?;
        self.write(&directory.join("output.json"), &text)?;
        sync_directory(&self.root.join("outputs"))
    }
}
