//! Generations: numbered sets of realized outputs of a profile. Switching is one rename of the profile's `current`
//! link.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::profiles::{Profile, ProfileName};
use super::{Store, sync_directory};
use crate::digest::{DerivationId, Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};

/// Record of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    /// The digest of the lock that the generation was realized from. The lock itself is beside the record.
    pub lock: Sha256Digest,
    /// The outputs by name.
    pub outputs: BTreeMap<String, GenerationOutput>,
}

/// One output of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerationOutput {
    /// The derivation that made the output.
    pub derivation: DerivationId,
    /// The output's tree.
    pub tree: TreeDigest,
    /// The version for people, such as `10.1.0a20260901` or `b6789`.
    pub version: String,
}

/// A generation's profile and number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Numbered {
    /// The profile.
    pub profile: ProfileName,
    /// The number.
    pub number: u64,
}

impl Generation {
    /// Writes the record, the lock and a link for each output into a new directory. The caller renames it to make it a
    /// generation.
    pub(super) fn write(&self, directory: &Path, lock: &[u8]) -> Result<()> {
        fs_err::create_dir(directory)?;
        let text =
            serde_json::to_vec_pretty(self).map_err(|error| Error::failure("cannot write a record").because(&error))?;
        fs_err::write(directory.join("generation.json"), text)?;
        fs_err::write(directory.join("strix.lock"), lock)?;
        for (name, output) in &self.outputs {
            let target = format!("../../../../trees/{}/tree", output.tree.hex());
            fs_err::os::unix::fs::symlink(target, directory.join(name))?;
        }
        Ok(())
    }
}

/// Returns the numbers of the generations in a directory, in order.
pub(super) fn numbers(directory: &Path) -> Result<Vec<u64>> {
    let entries = match fs_err::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        if let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Lists the newest numbers for a message.
fn listed(numbers: &[u64]) -> String {
    const SHOWN: usize = 8;
    let newest = &numbers[numbers.len().saturating_sub(SHOWN)..];
    let older = if newest.len() < numbers.len() { "..., " } else { "" };
    format!("{older}{}", newest.iter().map(u64::to_string).collect::<Vec<_>>().join(", "))
}

/// Reads the record of a generation, if there is one.
pub(super) fn read(directory: &Path) -> Result<Option<Generation>> {
    let path = directory.join("generation.json");
    let text = match fs_err::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| {
        Error::new(Kind::Damaged, "the record of a generation is damaged").fact("file", path.display()).because(&error)
    })
}

/// Returns the number that a `current` link leads to.
pub(super) fn linked(link: &Path) -> Result<Option<u64>> {
    match fs_err::read_link(link) {
        Ok(target) => Ok(target.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Profile<'_> {
    pub(super) fn generation_directory(&self, number: u64) -> PathBuf {
        self.directory().join("generations").join(number.to_string())
    }

    /// Returns the numbers of all generations, in order.
    pub fn generations(&self) -> Result<Vec<u64>> {
        numbers(&self.directory().join("generations"))
    }

    /// Returns the record of one generation.
    pub fn generation(&self, number: u64) -> Result<Generation> {
        read(&self.generation_directory(number))?.ok_or_else(|| {
            let directory = self.generation_directory(number);
            if directory.is_dir() {
                return Error::new(Kind::Damaged, format!("the record of generation {number} is missing"))
                    .fact("directory", directory.display())
                    .fact("profile", &self.name)
                    .hint(
                        "remove that directory: its trees stay in the store, and `strixlock realize` makes a new \
                         generation",
                    );
            }
            let error =
                Error::new(Kind::NotFound, format!("there is no generation {number}")).fact("profile", &self.name);
            match self.generations().as_deref() {
                Ok([]) => error.hint("`strixlock realize` makes the first"),
                Ok(all) => error.fact("there are", listed(all)).hint("`strixlock generations` lists them"),
                Err(_) => error.hint("`strixlock generations` lists them"),
            }
        })
    }

    /// Returns the path of the lock that a generation was realized from.
    #[must_use]
    pub fn generation_lock(&self, number: u64) -> PathBuf {
        self.generation_directory(number).join("strix.lock")
    }

    /// Returns the time at which a generation was made.
    pub fn made(&self, number: u64) -> Result<SystemTime> {
        Ok(fs_err::metadata(self.generation_directory(number).join("generation.json"))?.modified()?)
    }

    /// Returns the number of the current generation. `None` also if that was removed by hand and the link dangles.
    pub fn current(&self) -> Result<Option<u64>> {
        Ok(linked(&self.current_link())?.filter(|number| self.generation_directory(*number).is_dir()))
    }

    /// Returns the generation that was current before the current one, if it is still there.
    pub fn previous(&self) -> Result<Option<u64>> {
        let current = self.current()?;
        // After a crash between the two renames of a switch, both links lead to the same generation.
        let is_other = |number: &u64| Some(*number) != current && self.generation_directory(*number).is_dir();
        Ok(linked(&self.previous_link())?.filter(is_other))
    }

    /// Removes the link to the previous generation if that is gone.
    pub(super) fn forget_lost_previous(&self) -> Result<()> {
        let link = self.previous_link();
        if linked(&link)?.is_some_and(|number| !self.generation_directory(number).is_dir()) {
            fs_err::remove_file(link)?;
        }
        Ok(())
    }

    fn previous_link(&self) -> PathBuf {
        self.directory().join("previous")
    }

    /// Adds a generation, unless there is one with the same outputs, and switches to it. Returns its number, and `true`
    /// if it was not the current one before. `lock` is the text of the lock.
    pub fn add(&self, generation: &Generation, lock: &[u8]) -> Result<(u64, bool)> {
        if let Some(number) = self.is_current(generation)? {
            return Ok((number, false));
        }
        self.store.demand_writable()?;
        let _held = self.store.hold_profiles()?;
        let current = self.current()?;
        let number = self.put_current(generation, lock)?;
        self.become_first()?;
        Ok((number, current != Some(number)))
    }

    /// Adds a generation like [`Self::add`], in a profile that is nobody's usual one: `STORE/current` never leads to it.
    pub fn add_aside(&self, generation: &Generation, lock: &[u8]) -> Result<u64> {
        self.store.demand_writable()?;
        let _held = self.store.hold_profiles()?;
        self.put_current(generation, lock)
    }

    /// Writes a generation like [`Self::put`], and switches to it.
    fn put_current(&self, generation: &Generation, lock: &[u8]) -> Result<u64> {
        let number = self.put(generation, lock, true)?;
        if self.current()? != Some(number) {
            self.switch(number)?;
        }
        Ok(number)
    }

    /// Adds a generation, unless there is one with the same outputs, and leaves the current one as it is. Returns its
    /// number. `lock` is the text of the lock.
    pub fn keep(&self, generation: &Generation, lock: &[u8]) -> Result<u64> {
        if let Some(number) = self.is_current(generation)? {
            return Ok(number);
        }
        self.store.demand_writable()?;
        let _held = self.store.hold_profiles()?;
        self.put(generation, lock, false)
    }

    /// Writes a generation, unless there is one with the same outputs, and returns its number. The first generation of a
    /// new profile becomes the current one by that if `is_current`.
    fn put(&self, generation: &Generation, lock: &[u8], is_current: bool) -> Result<u64> {
        // The same outputs never get two numbers: a rollback must lead to something else.
        for number in self.generations()?.into_iter().rev() {
            if self.generation(number).is_ok_and(|there| there.outputs == generation.outputs) {
                return Ok(number);
            }
        }
        let number = self.generations()?.last().copied().unwrap_or(0) + 1;
        let staging = self.store.stage()?;
        if self.exists() {
            let wrapper = staging.path().join("generation");
            generation.write(&wrapper, lock)?;
            self.store.sync()?;
            fs_err::rename(&wrapper, self.generation_directory(number))?;
            sync_directory(&self.directory().join("generations"))?;
        } else {
            let profile = staging.path().join("profile");
            fs_err::create_dir_all(profile.join("generations"))?;
            self.record.write(&profile)?;
            generation.write(&profile.join("generations").join(number.to_string()), lock)?;
            if is_current {
                fs_err::os::unix::fs::symlink(format!("generations/{number}"), profile.join("current"))?;
            }
            self.store.sync()?;
            fs_err::rename(&profile, self.directory())?;
            sync_directory(&self.store.root.join("profiles"))?;
        }
        Ok(number)
    }

    /// Switches to a generation that [`Self::keep`] added.
    pub fn take(&self, number: u64) -> Result<()> {
        let _held = self.store.hold_profiles()?;
        if self.current()? != Some(number) {
            self.switch(number)?;
        }
        self.become_first()
    }

    /// Returns the number of the current generation if it has these outputs and nothing has to be written, so that a
    /// read-only store will do.
    fn is_current(&self, generation: &Generation) -> Result<Option<u64>> {
        let Some(number) = self.current()?.filter(|_| self.has_first()) else { return Ok(None) };
        let same = self.generation(number).is_ok_and(|there| there.outputs == generation.outputs);
        Ok(same.then_some(number))
    }

    /// Switches to a generation, and remembers the one before for [`Self::previous`]. Fails unless the store has all of
    /// its trees hot.
    pub fn switch(&self, number: u64) -> Result<()> {
        let generation = self.generation(number)?;
        for (name, output) in &generation.outputs {
            if self.store.tree(output.tree).is_none() {
                return Err(Error::new(
                    Kind::Damaged,
                    format!("generation {number} is incomplete: its {name} is missing"),
                )
                .fact("tree", output.tree)
                .hint(format!(
                    "`strixlock realize --profile {} --lock {}` makes it again",
                    self.name,
                    self.generation_lock(number).display()
                )));
            }
        }
        if let Some(current) = self.current()?.filter(|current| *current != number) {
            self.store.place_link(Path::new(&format!("generations/{current}")), &self.previous_link())?;
        }
        self.store.place_link(Path::new(&format!("generations/{number}")), &self.current_link())
    }
}

impl Store {
    /// Returns the generations of all profiles, with their records.
    pub fn all_generations(&self) -> Result<Vec<(Numbered, Generation)>> {
        let mut all = Vec::new();
        for profile in self.profiles()? {
            for number in profile.generations()? {
                all.push((Numbered { profile: profile.name.clone(), number }, profile.generation(number)?));
            }
        }
        Ok(all)
    }

    /// Creates the link `path` to `target` atomically. Replaces an older link.
    pub(super) fn place_link(&self, target: &Path, path: &Path) -> Result<()> {
        let staging = self.stage()?;
        let link = staging.path().join("link");
        fs_err::os::unix::fs::symlink(target, &link)?;
        fs_err::rename(&link, path)?;
        sync_directory(path.parent().unwrap_or(&self.root))
    }
}
