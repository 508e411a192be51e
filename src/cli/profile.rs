//! The profile whose generations a command is about.

use std::io::Write as _;
use std::path::PathBuf;

use super::{GlobalArgs, Ui};
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::store::{Profile, Store, no_profile, project_of};

impl GlobalArgs {
    /// Returns the paths by which this project may be known to a store. The first is the one that a new profile belongs to.
    #[must_use]
    pub fn places(&self) -> Vec<PathBuf> {
        let (manifest, lock) = (self.manifest_path(), self.lock_path());
        let usual = Self { lock: None, ..self.clone() }.lock_path();
        // A lock that is named alone is known by the manifest that it is usually made from.
        let mut name = lock.file_stem().unwrap_or_default().to_owned();
        name.push(".toml");
        let of_lock = project_of(&lock).join("manifests").join(name);
        if manifest.is_file() { vec![manifest, usual, lock, of_lock] } else { vec![lock, of_lock, usual, manifest] }
    }

    /// Returns the profile that was chosen, or the usual one of this project. It may not be there yet; warns where the project
    /// seems to have one from before it was moved.
    pub fn profile<'s>(&self, ui: &Ui, store: &'s Store) -> Result<Profile<'s>> {
        let places = self.places();
        let first = places.first().cloned().unwrap_or_default();
        if let Some(name) = self.chosen_profile()? {
            return store.named_profile(&name, &first);
        }
        // A generation's own lock, realized from anywhere but a project, is about that generation's profile.
        if !self.manifest_path().is_file()
            && let Some(profile) = store.profile_around(&self.lock_path())?
        {
            return Ok(profile);
        }
        let profile = store.profile_of(&places)?;
        if !profile.exists() {
            let lock = fs_err::read(self.lock_path()).ok().map(|text| Sha256Digest::of(&text));
            for moved in store.moved_profiles(&first, lock)? {
                let (name, project) = (moved.name(), moved.project().unwrap_or(store.root()).display());
                ui.warning(&format!(
                    "this project has no generations here, but {project}, which is not there any more, has: if it was moved here, \
                     `strixlock generations --adopt {name}` brings them along"
                ));
            }
        }
        Ok(profile)
    }

    /// Returns the same profile, if it is there or was not chosen by name.
    pub fn profile_there<'s>(&self, ui: &Ui, store: &'s Store) -> Result<Profile<'s>> {
        let profile = self.profile(ui, store)?;
        if self.chosen_profile()?.is_some() && !profile.exists() {
            Err(no_profile(profile.name()))
        } else {
            Ok(profile)
        }
    }
}

/// Returns a profile as a person knows it: its name, and whose it is.
pub fn described(profile: &Profile) -> String {
    match profile.project() {
        Some(project) if profile.is_gone() => format!("{} ({}, not there any more)", profile.name(), project.display()),
        Some(project) => format!("{} ({})", profile.name(), project.display()),
        None => profile.name().to_string(),
    }
}

/// Tells what became of the generations of a store that had one list for all projects. It happens once, whatever the command.
pub fn tell_migrated(store: &Store) {
    let Some(migrated) = store.migrated().filter(|migrated| !migrated.profiles.is_empty()) else { return };
    let mut lines = vec!["the generations in this store are sorted by project from now on:".to_owned()];
    for (name, owner, count) in &migrated.profiles {
        let project = owner.as_deref().map(|owner| project_of(owner).display().to_string());
        lines.push(format!("  {name} ({}): {count}", project.unwrap_or_else(|| "no project known".to_owned())));
    }
    if let Some(first) = &migrated.first {
        let current = store.root().join("current");
        lines.push(format!("{} leads to {first}, and so do links through it", current.display()));
    }
    let _ = writeln!(anstream::stderr(), "{}", lines.join("\n"));
}
