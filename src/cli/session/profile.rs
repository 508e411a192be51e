//! Choice of the profile whose generations a command uses.

use super::Session;
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::store::{Profile, ProfileName, no_profile};

impl Session {
    /// Returns the name of the chosen profile, if there is one.
    fn chosen_profile(&self) -> Result<Option<ProfileName>> {
        Ok(self.args.profile.clone().or(self.config()?.profile.as_ref().map(|set| set.value.clone())))
    }

    /// Returns the chosen profile, or else that of this project, which need not exist yet. Warns if the project seems
    /// to have been moved and left a profile behind.
    pub fn profile(&self) -> Result<Profile<'_>> {
        let store = self.store()?;
        let places = self.project.places();
        let first = places.first().cloned().unwrap_or_default();
        if let Some(name) = self.chosen_profile()? {
            return store.named_profile(&name, &first);
        }
        // The lock of a generation, used outside of any project, belongs to that generation's profile.
        let lock = self.project.lock_path();
        if !self.project.manifest_path().is_file()
            && let Some(profile) = store.profile_around(&lock)?
        {
            return Ok(profile);
        }
        let profile = store.profile_of(&places)?;
        if !profile.exists() {
            let lock = fs_err::read(lock).ok().map(|text| Sha256Digest::of(&text));
            for moved in store.moved_profiles(&first, lock)? {
                let (name, project) = (moved.name(), moved.project().unwrap_or(store.root()).display());
                self.ui.warning(&format!(
                    "this project has no generations, but the missing {project} has: if it was moved here, run \
                     `strixlock generations --adopt {name}`"
                ));
            }
        }
        Ok(profile)
    }

    /// Like [`Self::profile`], but fails if a profile that was chosen by name does not exist.
    pub fn profile_there(&self) -> Result<Profile<'_>> {
        let profile = self.profile()?;
        if self.chosen_profile()?.is_some() && !profile.exists() {
            Err(no_profile(profile.name()))
        } else {
            Ok(profile)
        }
    }
}

/// Describes a profile by its name and project.
pub fn described(profile: &Profile) -> String {
    match profile.project() {
        Some(project) if profile.is_gone() => format!("{} ({}, missing)", profile.name(), project.display()),
        Some(project) => format!("{} ({})", profile.name(), project.display()),
        None => profile.name().to_string(),
    }
}
