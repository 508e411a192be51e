//! Migration of stores of format 1, from before there were profiles: one list of generations for all projects becomes a
//! profile per project.
//!
//! Format 1 had `generations/<n>/` and `current` at the top, and `locks/` names the projects that used the store. Each
//! generation goes, with its number and time, to the projects whose lock it was made from. A generation that matches no
//! lock any more goes to all projects, as all of them saw it. `current` at the top stays, since links outside of the
//! store lead through it. It then leads to the profile of the project whose lock the current generation was made from.
//! If no such project is known, it leads to a profile `earlier` with all generations.
//!
//! The migration holds the store's exclusive lock. The format's number changes after all profiles are complete, and the
//! old list is removed after that: if the process is killed, the next run starts again or finishes. An older strixlock
//! refuses the new format.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};

use super::generations::{Generation, linked, numbers, read};
use super::profiles::{ProfileName, Record, project_of, real};
use super::{Store, sync_directory};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};

/// Name of the profile for generations of unknown projects.
const EARLIER: &str = "earlier";

/// Result of migrating a store of format 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrated {
    /// The profiles, each with its project and its number of generations.
    pub profiles: Vec<(ProfileName, Option<PathBuf>, usize)>,
    /// The profile that `STORE/current` leads to.
    pub first: Option<ProfileName>,
}

/// A profile to be created.
struct NewProfile {
    name: ProfileName,
    owner: Option<PathBuf>,
    numbers: BTreeSet<u64>,
    current: Option<u64>,
}

impl Store {
    fn old_generations(&self) -> PathBuf {
        self.root.join("generations")
    }

    /// Returns whether there are generations of a store of format 1.
    pub(super) fn has_old_generations(&self) -> Result<bool> {
        Ok(!numbers(&self.old_generations())?.is_empty())
    }

    /// Removes the list of generations of format 1. An older strixlock creates an empty one before it refuses the
    /// store.
    pub(super) fn drop_old_generations(&self) -> Result<()> {
        if fs_err::symlink_metadata(self.old_generations()).is_err() {
            return Ok(());
        }
        let staging = self.stage()?;
        match fs_err::rename(self.old_generations(), staging.path().join("generations")) {
            // Another process was faster.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => Ok(other?),
        }
    }

    /// Creates the profiles for a store of format 1. The caller holds the exclusive lock, and writes the format's
    /// number afterwards.
    pub(super) fn make_profiles(&self) -> Result<Migrated> {
        let mut generations = BTreeMap::new();
        for number in numbers(&self.old_generations())? {
            let directory = self.old_generations().join(number.to_string());
            // Format 1 wrote generations so that a crash never left a directory without its record.
            let record = read(&directory)?.ok_or_else(|| {
                Error::new(Kind::Damaged, "a generation has no record").fact("directory", directory.display())
            })?;
            generations.insert(number, record);
        }
        if generations.is_empty() {
            return Ok(Migrated::default());
        }
        let current = self.old_current()?.filter(|number| generations.contains_key(number));
        let (profiles, first) = plan(&generations, current, &self.projects()?)?;
        for profile in &profiles {
            self.make_profile(profile, &generations)?;
        }
        sync_directory(&self.root.join("profiles"))?;
        if let Some(first) = &first {
            let target = Path::new("profiles").join(first.as_str()).join("current");
            self.place_link(&target, &self.root.join("current"))?;
        }
        let profiles = profiles.into_iter().map(|new| (new.name, new.owner, new.numbers.len())).collect();
        Ok(Migrated { profiles, first })
    }

    /// Returns the current generation of a store of format 1, also if an earlier attempt has already replaced the link.
    fn old_current(&self) -> Result<Option<u64>> {
        let link = self.root.join("current");
        match fs_err::read_link(&link) {
            Ok(target) if target.starts_with("profiles") => linked(&self.root.join(target)),
            _ => linked(&link),
        }
    }

    fn make_profile(&self, new: &NewProfile, generations: &BTreeMap<u64, Generation>) -> Result<()> {
        let staging = self.stage()?;
        let profile = staging.path().join("profile");
        fs_err::create_dir_all(profile.join("generations"))?;
        new.owner.clone().map_or(Record::None, Record::Owner).write(&profile)?;
        for (number, generation) in generations.iter().filter(|(number, _)| new.numbers.contains(number)) {
            let old = self.old_generations().join(number.to_string());
            let directory = profile.join("generations").join(number.to_string());
            generation.write(&directory, &fs_err::read(old.join("strix.lock"))?)?;
            let made = fs_err::metadata(old.join("generation.json"))?.modified()?;
            let record = fs_err::OpenOptions::new().write(true).open(directory.join("generation.json"))?;
            record.file().set_modified(made)?;
        }
        if let Some(current) = new.current {
            fs_err::os::unix::fs::symlink(format!("generations/{current}"), profile.join("current"))?;
        }
        self.sync()?;
        let place = self.root.join("profiles").join(new.name.as_str());
        // A profile that an earlier attempt left is replaced, because the store may have changed since.
        if place.is_dir() && rustix::fs::renameat_with(CWD, &profile, CWD, &place, RenameFlags::EXCHANGE).is_err() {
            fs_err::rename(&place, staging.path().join("old"))?;
        }
        if profile.is_dir() && !place.is_dir() {
            fs_err::rename(&profile, &place)?;
        }
        Ok(())
    }

    /// Returns the projects that used the store: their paths, and the present digests of their locks.
    fn projects(&self) -> Result<BTreeMap<PathBuf, BTreeSet<Sha256Digest>>> {
        let mut locks = BTreeMap::new();
        let inside = real(&self.root.join("x"))?;
        for entry in fs_err::read_dir(self.root.join("locks"))? {
            let lock = real(&PathBuf::from(OsString::from_vec(fs_err::read(entry?.path())?)))?;
            // The lock of a generation was registered when that was realized again. It stands for no project.
            if !inside.parent().is_some_and(|inside| lock.starts_with(inside)) {
                let digest = fs_err::read(&lock).ok().map(|text| Sha256Digest::of(&text));
                locks.insert(lock, digest);
            }
        }
        let mut projects: BTreeMap<PathBuf, BTreeSet<Sha256Digest>> = BTreeMap::new();
        for (lock, digest) in &locks {
            // A second lock without a manifest in a project belongs to that project.
            let project = project_of(lock);
            let mut proper = locks.keys().filter(|other| project_of(other) == project && has_manifest(other));
            let owner = match (has_manifest(lock), proper.next(), proper.next()) {
                (false, Some(owner), None) => owner,
                _ => lock,
            };
            projects.entry(owner.clone()).or_default().extend(digest);
        }
        Ok(projects)
    }
}

fn has_manifest(lock: &Path) -> bool {
    let mut name = lock.file_stem().unwrap_or_default().to_owned();
    name.push(".toml");
    project_of(lock).join("manifests").join(&name).is_file() || project_of(lock).join(&name).is_file()
}

/// Plans the profiles, and chooses the one that `STORE/current` leads to.
fn plan(
    generations: &BTreeMap<u64, Generation>,
    current: Option<u64>,
    projects: &BTreeMap<PathBuf, BTreeSet<Sha256Digest>>,
) -> Result<(Vec<NewProfile>, Option<ProfileName>)> {
    let makers = |number: &u64| -> Vec<&PathBuf> {
        let made_from = |digests: &BTreeSet<Sha256Digest>| digests.contains(&generations[number].lock);
        projects.iter().filter(|(_, digests)| made_from(digests)).map(|(owner, _)| owner).collect()
    };
    let mut profiles = Vec::new();
    for owner in projects.keys() {
        let is_its = |number: &&u64| makers(number).is_empty() || makers(number).contains(&owner);
        let numbers: BTreeSet<u64> = generations.keys().filter(is_its).copied().collect();
        let own = numbers.iter().rev().find(|number| makers(number).contains(&owner));
        let current = current.filter(|number| numbers.contains(number)).or_else(|| own.or(numbers.last()).copied());
        if !numbers.is_empty() {
            profiles.push(NewProfile {
                name: ProfileName::of_place(owner),
                owner: Some(owner.clone()),
                numbers,
                current,
            });
        }
    }
    let of_current = current.map(|number| makers(&number)).unwrap_or_default();
    let name_of = |owner: &PathBuf| Some(ProfileName::of_place(owner));
    let first = match (of_current.first(), profiles.as_slice()) {
        (Some(owner), _) => name_of(owner),
        (None, [only]) => Some(only.name.clone()),
        _ => None,
    };
    if first.is_some() || (current.is_none() && !profiles.is_empty()) {
        return Ok((profiles, first));
    }
    let name: ProfileName = EARLIER.parse()?;
    let numbers: BTreeSet<u64> = generations.keys().copied().collect();
    let current = current.or(numbers.last().copied());
    profiles.push(NewProfile { name: name.clone(), owner: None, numbers, current });
    Ok((profiles, Some(name)))
}
