//! The profile whose generations a command is about.

use super::Session;
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::store::{Profile, ProfileName, no_profile};

impl Session {
    /// Returns the profile that was chosen by name, if one was.
    fn chosen_profile(&self) -> Result<Option<ProfileName>> {
        Ok(self.args.profile.clone().or(self.config()?.profile.clone()))
    }

    /// Returns the profile that was chosen, or the usual one of this project. It may not be there yet; warns where the project
    /// seems to have one from before it was moved.
    pub fn profile(&self) -> Result<Profile<'_>> {
        let store = self.store()?;
        let places = self.project.places();
        let first = places.first().cloned().unwrap_or_default();
        if let Some(name) = self.chosen_profile()? {
            return store.named_profile(&name, &first);
        }
        // A generation's own lock, realized from anywhere but a project, is about that generation's profile.
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
                    "this project has no generations here, but {project}, which is not there any more, has: if it was moved here, \
                     `strixlock generations --adopt {name}` brings them along"
                ));
            }
        }
        Ok(profile)
    }

    /// Returns the same profile, if it is there or was not chosen by name.
    pub fn profile_there(&self) -> Result<Profile<'_>> {
        let profile = self.profile()?;
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
