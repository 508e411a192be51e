//! Generations: numbered sets of realized outputs. Switching is one rename of the `current` link.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Store, open_lock, sync_directory};
use crate::digest::{DerivationId, Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};

/// One generation as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    /// The digest of the lock that it was realized from; the lock itself lies beside the record.
    pub lock: Sha256Digest,
    /// The outputs by name.
    pub outputs: BTreeMap<String, GenerationOutput>,
}

/// One output of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerationOutput {
    /// How it was made.
    pub derivation: DerivationId,
    /// What it is.
    pub tree: TreeDigest,
    /// What a person calls it, e.g. `10.1.0a20260901` or `b6789`.
    pub version: String,
}

impl Store {
    pub(super) fn generation_directory(&self, number: u64) -> PathBuf {
        self.root.join("generations").join(number.to_string())
    }

    /// The numbers of all generations, in order.
    pub fn generations(&self) -> Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs_err::read_dir(self.root.join("generations"))? {
            if let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The record of one generation.
    pub fn generation(&self, number: u64) -> Result<Generation> {
        let path = self.generation_directory(number).join("generation.json");
        let text = fs_err::read(&path).map_err(|error| {
            Error::new(Kind::NotFound, format!("there is no generation {number}"))
                .because(&error)
                .hint("`strixlock generations` lists them")
        })?;
        serde_json::from_slice(&text).map_err(|error| {
            Error::new(Kind::Damaged, "the record of a generation is damaged")
                .fact("file", path.display())
                .because(&error)
        })
    }

    /// The generation that is switched to, if any.
    pub fn current_generation(&self) -> Result<Option<u64>> {
        match fs_err::read_link(self.root.join("current")) {
            Ok(target) => Ok(target.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds a generation, unless there is one with the same outputs, and switches to it. Returns its number and whether
    /// it was not the current one before. `lock` is the text of the lock.
    pub fn add_generation(&self, generation: &Generation, lock: &[u8]) -> Result<(u64, bool)> {
        let held = open_lock(&self.root.join("generations/.held"))?;
        held.lock()?;
        // The same set is not numbered twice: rolling back must lead to something else.
        let current = self.current_generation()?;
        for number in self.generations()?.into_iter().rev() {
            if self.generation(number).is_ok_and(|there| there.outputs == generation.outputs) {
                if current != Some(number) {
                    self.switch_generation(number)?;
                }
                return Ok((number, current != Some(number)));
            }
        }
        let number = self.generations()?.last().copied().unwrap_or(0) + 1;
        let staging = self.stage()?;
        let wrapper = staging.path().join("generation");
        fs_err::create_dir(&wrapper)?;
        let text = serde_json::to_vec_pretty(generation)
            .map_err(|error| Error::failure("cannot write a record").because(&error))?;
        fs_err::write(wrapper.join("generation.json"), text)?;
        fs_err::write(wrapper.join("strix.lock"), lock)?;
        for (name, output) in &generation.outputs {
            fs_err::os::unix::fs::symlink(format!("../../trees/{}/tree", output.tree.hex()), wrapper.join(name))?;
        }
        self.sync()?;
        fs_err::rename(&wrapper, self.generation_directory(number))?;
        sync_directory(&self.root.join("generations"))?;
        self.switch_generation(number)?;
        Ok((number, true))
    }

    /// Switches to a generation whose trees must all be here.
    pub fn switch_generation(&self, number: u64) -> Result<()> {
        let generation = self.generation(number)?;
        for (name, output) in &generation.outputs {
            if self.tree(output.tree).is_none() {
                return Err(Error::new(Kind::Damaged, format!("generation {number} is not whole: its {name} is gone"))
                    .fact("tree", output.tree)
                    .hint(format!(
                        "`strixlock realize --lock {}` makes it again",
                        self.generation_directory(number).join("strix.lock").display()
                    )));
            }
        }
        let staging = self.stage()?;
        let link = staging.path().join("current");
        fs_err::os::unix::fs::symlink(format!("generations/{number}"), &link)?;
        fs_err::rename(&link, self.root.join("current"))?;
        sync_directory(&self.root)
    }
}
