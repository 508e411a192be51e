//! Profiles: each project has its own generations, and changes touch no other project.
//!
//! ```text
//! profiles/.held                        flock: held while generations or profiles are added
//! profiles/<name>/owner                 path of the manifest or lock whose usual profile this is; or
//! profiles/<name>/maker                 path of the manifest or lock for which a profile with a chosen name was made
//! profiles/<name>/generations/<n>/      see `generations`
//! profiles/<name>/current               link to the current generation
//! profiles/<name>/previous              link to the generation that was current before
//! ```
//!
//! A project finds its profile by the real path of its manifest or lock. The name is for people: the project's
//! directory, and the beginning of a digest of the path. When a project is moved, its profile keeps the old path, which
//! may be on a disk that comes back. `adopt` gives the profile to the new path when a person says so.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Store, open_lock};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};

/// The longest name of a profile, in bytes.
const MAX_NAME: usize = 100;
/// Number of characters of a directory's name that go into the name of a profile.
const READABLE: usize = 60;

/// The name of a profile: letters, digits, `.`, `_` and `-`, with a letter or digit first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ProfileName(String);

impl ProfileName {
    /// Returns the usual name for the project with this manifest or lock.
    pub(super) fn of_place(place: &Path) -> Self {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let project = project_of(place).file_name().unwrap_or_default().to_string_lossy();
        let stem = place.file_stem().unwrap_or_default().to_string_lossy();
        let text = if stem == "strix" { project.into_owned() } else { format!("{project}.{stem}") };
        let text: String = text.chars().map(|c| if allowed(c) { c } else { '-' }).take(READABLE).collect();
        let text = text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let digest = Sha256Digest::of(place.as_os_str().as_bytes()).hex();
        Self(format!("{}-{}", if text.is_empty() { "project" } else { text }, &digest[..8]))
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name of a profile beside this one. A long name is cut.
    #[must_use]
    pub fn beside(&self, purpose: &str) -> Self {
        let most = MAX_NAME.saturating_sub(purpose.len() + 1).min(self.0.len());
        Self(format!("{}-{purpose}", &self.0[..most]))
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for ProfileName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if first && text.len() <= MAX_NAME && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::new(
            Kind::Usage,
            "invalid profile name: expected up to 100 letters, digits, `.`, `_` and `-`, with a letter or digit first",
        ))
    }
}

impl TryFrom<String> for ProfileName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

/// A profile of a store. It may not exist yet: its first generation creates it.
#[derive(Debug, Clone)]
pub struct Profile<'s> {
    pub(super) store: &'s Store,
    pub(super) name: ProfileName,
    pub(super) record: Record,
}

/// Recorded origin of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// The usual profile of the manifest or lock with this path.
    Owner(PathBuf),
    /// A profile with a chosen name, made for the manifest or lock with this path.
    Maker(PathBuf),
    /// No recorded origin.
    None,
}

impl Record {
    fn read(directory: &Path) -> Result<Self> {
        for (name, record) in [("owner", Self::Owner as fn(PathBuf) -> Self), ("maker", Self::Maker)] {
            match fs_err::read(directory.join(name)) {
                Ok(text) => return Ok(record(PathBuf::from(OsString::from_vec(text)))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self::None)
    }

    /// Writes the record into the directory of a profile that is still being staged.
    pub(super) fn write(&self, directory: &Path) -> Result<()> {
        match self {
            Self::Owner(place) => Ok(fs_err::write(directory.join("owner"), place.as_os_str().as_bytes())?),
            Self::Maker(place) => Ok(fs_err::write(directory.join("maker"), place.as_os_str().as_bytes())?),
            Self::None => Ok(()),
        }
    }
}

impl Profile<'_> {
    /// Removes the profile with all of its generations. Their trees stay until garbage is collected.
    pub fn remove(&self) -> Result<()> {
        self.store.demand_writable()?;
        let _held = self.store.hold_profiles()?;
        if !self.exists() {
            return Ok(());
        }
        let staging = self.store.stage()?;
        Ok(fs_err::rename(self.directory(), staging.path().join("garbage"))?)
    }

    /// Returns the profile's name.
    #[must_use]
    pub fn name(&self) -> &ProfileName {
        &self.name
    }

    /// Returns the directory of the project that the profile belongs to or was made for.
    #[must_use]
    pub fn project(&self) -> Option<&Path> {
        match &self.record {
            Record::Owner(place) | Record::Maker(place) => Some(project_of(place)),
            Record::None => None,
        }
    }

    /// Returns whether the directory of the profile's project is missing.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(&self.record, Record::Owner(place) if is_missing(project_of(place)))
    }

    /// Returns whether the profile exists in the store.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.directory().is_dir()
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.store.root.join("profiles").join(&self.name.0)
    }

    /// Returns the path of the link to the current generation.
    #[must_use]
    pub fn current_link(&self) -> PathBuf {
        self.directory().join("current")
    }

    /// Returns whether `STORE/current` leads to this profile, which makes it the store's first.
    #[must_use]
    pub fn is_first(&self) -> bool {
        let link = fs_err::read_link(self.store.root.join("current"));
        link.is_ok_and(|target| target == self.below_root())
    }

    /// Returns the target of a link beside `profiles/` to the current generation.
    pub(super) fn below_root(&self) -> PathBuf {
        Path::new("profiles").join(&self.name.0).join("current")
    }

    /// Returns whether `STORE/current` exists.
    pub(super) fn has_first(&self) -> bool {
        fs_err::symlink_metadata(self.store.root.join("current")).is_ok()
    }

    /// Points `STORE/current` to this profile if the link does not exist and the profile is the store's only one.
    pub(super) fn become_first(&self) -> Result<()> {
        if self.has_first() || self.store.profiles()?.len() != 1 {
            return Ok(());
        }
        self.store.place_link(&self.below_root(), &self.store.root.join("current"))
    }
}

impl Store {
    /// Takes the lock for adding to profiles. It is held until the returned file is closed.
    pub(super) fn hold_profiles(&self) -> Result<File> {
        let place = self.root.join("profiles/.held");
        let held = open_lock(&place)?;
        self.waiting.alone(&held, &place)?;
        Ok(held)
    }

    /// Returns all profiles, sorted by name.
    pub fn profiles(&self) -> Result<Vec<Profile<'_>>> {
        let mut profiles = Vec::new();
        let entries = match fs_err::read_dir(self.root.join("profiles")) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(profiles),
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(name) = name.filter(|_| entry.path().is_dir()) {
                profiles.push(Profile { store: self, name, record: Record::read(&entry.path())? });
            }
        }
        profiles.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(profiles)
    }

    /// Returns the profile with a chosen name. One that does not exist yet will be made for the project at `place`.
    pub fn named_profile(&self, name: &ProfileName, place: &Path) -> Result<Profile<'_>> {
        let mut profile = Profile { store: self, name: name.clone(), record: Record::None };
        profile.record =
            if profile.exists() { Record::read(&profile.directory())? } else { Record::Maker(real(place)?) };
        Ok(profile)
    }

    /// Returns the usual profile of a project. `places` are the paths of its manifest and its locks. A profile that
    /// does not exist yet belongs to the first of them.
    pub fn profile_of(&self, places: &[PathBuf]) -> Result<Profile<'_>> {
        let places = places.iter().map(|place| real(place)).collect::<Result<Vec<_>>>()?;
        let profiles = self.profiles()?;
        let owned = |place: &PathBuf| profiles.iter().find(|profile| profile.record == Record::Owner(place.clone()));
        if let Some(profile) = places.iter().find_map(owned) {
            return Ok(profile.clone());
        }
        let Some(place) = places.into_iter().next() else {
            return Err(Error::failure("cannot tell the profile of a project without manifest and lock"));
        };
        let usual = ProfileName::of_place(&place);
        let free = |name: &ProfileName| profiles.iter().all(|profile| profile.name != *name);
        // A profile that followed its project to another path keeps its name, so the usual name may be taken.
        let names = (1_u32..).map(|count| match count {
            1 => usual.clone(),
            count => ProfileName(format!("{usual}-{count}")),
        });
        let name = names.take(profiles.len() + 1).find(free).unwrap_or_else(|| usual.clone());
        Ok(Profile { store: self, name, record: Record::Owner(place) })
    }

    /// Returns the profile that contains a file of the store, such as the lock of a generation.
    pub fn profile_around(&self, path: &Path) -> Result<Option<Profile<'_>>> {
        let (path, inside) = (real(path)?, real(&self.root.join("profiles/x"))?);
        let below = inside.parent().and_then(|inside| path.strip_prefix(inside).ok());
        let name = below.and_then(|below| below.iter().next()).and_then(|name| name.to_str()?.parse().ok());
        let profile = name.map(|name| self.named_profile(&name, &path)).transpose()?;
        Ok(profile.filter(Profile::exists))
    }

    /// Returns the profiles that the project at `place` may have had before it was moved: their manifest or lock is
    /// missing, and it was in a directory of the same name, or one of their generations was made from `lock`.
    pub fn moved_profiles(&self, place: &Path, lock: Option<Sha256Digest>) -> Result<Vec<Profile<'_>>> {
        let place = real(place)?;
        let mut moved = Vec::new();
        for profile in self.profiles()? {
            let Record::Owner(owner) = &profile.record else { continue };
            if !is_missing(owner) {
                continue;
            }
            let namesake = project_of(owner).file_name() == project_of(&place).file_name();
            let made_from_it = |number| profile.generation(number).is_ok_and(|found| Some(found.lock) == lock);
            if namesake || profile.generations()?.into_iter().any(made_from_it) {
                moved.push(profile);
            }
        }
        Ok(moved)
    }

    /// Makes the profile `name` the usual one of the project at `place`, which was moved there. A profile that the
    /// project already had keeps its name and its generations.
    pub fn adopt_profile(&self, name: &ProfileName, place: &Path) -> Result<()> {
        let _held = self.hold_profiles()?;
        let (place, profiles) = (real(place)?, self.profiles()?);
        let Some(profile) = profiles.iter().find(|profile| profile.name == *name) else {
            return Err(no_profile(name));
        };
        let owner = if let Record::Owner(owner) = &profile.record { Some(owner) } else { None };
        if owner == Some(&place) {
            return Ok(());
        }
        if let Some(owner) = owner.filter(|owner| !is_missing(owner)) {
            return Err(Error::failure(format!("the profile `{name}` belongs to a project that still exists"))
                .fact("project", project_of(owner).display())
                .hint(format!("`--profile {name}` uses it anyway")));
        }
        for other in profiles.iter().filter(|other| other.record == Record::Owner(place.clone())) {
            fs_err::rename(other.directory().join("owner"), other.directory().join("maker"))?;
        }
        self.write(&profile.directory().join("owner"), place.as_os_str().as_bytes())?;
        let _ = fs_err::remove_file(profile.directory().join("maker"));
        if let Some(owner) = owner {
            self.forget_locks_in(project_of(owner))?;
        }
        Ok(())
    }
}

/// Reports that there is no profile with this name.
#[must_use]
pub fn no_profile(name: &ProfileName) -> Error {
    Error::new(Kind::NotFound, format!("there is no profile `{name}`"))
        .hint("`strixlock generations --all` lists the profiles")
}

/// Returns the directory of the project that a manifest or lock belongs to.
#[must_use]
pub fn project_of(place: &Path) -> &Path {
    let parent = place.parent().unwrap_or(place);
    match parent.file_name() {
        Some(name) if name == "lock" || name == "manifests" => parent.parent().unwrap_or(parent),
        _ => parent,
    }
}

/// Returns whether the path does not exist. A path that may not be looked at counts as existing.
pub(super) fn is_missing(path: &Path) -> bool {
    fs_err::symlink_metadata(path)
        .is_err_and(|error| matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory))
}

/// Returns the absolute path of a file that need not exist, with all links in its directories resolved.
pub(super) fn real(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let (Some(mut parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(path) };
    let mut rest = PathBuf::from(name);
    loop {
        match fs_err::canonicalize(parent) {
            Ok(found) => return Ok(found.join(rest)),
            Err(error) => match (parent.parent(), parent.file_name()) {
                (Some(above), Some(name)) if error.kind() == std::io::ErrorKind::NotFound => {
                    rest = Path::new(name).join(rest);
                    parent = above;
                }
                _ => return Ok(path),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_tell_the_project() {
        for good in ["a", "default", "7.x_y-Z", &"x".repeat(100)] {
            assert_eq!(good.parse::<ProfileName>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", ".held", "-x", "a/b", "a b", "ä", "a\n", &"x".repeat(101)] {
            assert!(bad.parse::<ProfileName>().is_err(), "{bad}");
        }
        for (place, readable) in [
            ("/home/me/llama/manifests/strix.toml", "llama"),
            ("/home/me/llama/lock/strix.lock", "llama"),
            ("/home/me/llama/manifests/next.toml", "llama.next"),
            ("/home/me/llama/strix.lock", "llama"),
            ("/home/me/my llama/lock/strix.lock", "my-llama"),
            ("/home/me/.dot/lock/strix.lock", "dot"),
            ("/lock/strix.lock", "project"),
            ("/héé/strix.lock", "h--"),
        ] {
            let name = ProfileName::of_place(Path::new(place));
            assert!(name.as_str().starts_with(&format!("{readable}-")), "{place}: {name}");
            assert_eq!(name.as_str().len(), readable.len() + 9, "{place}: {name}");
            assert_eq!(name.as_str().parse::<ProfileName>().unwrap(), name);
        }
        let long = format!("/{}/lock/strix.lock", "x".repeat(255));
        assert!(ProfileName::of_place(Path::new(&long)).as_str().parse::<ProfileName>().is_ok());
    }

    #[test]
    fn a_place_is_one_however_it_is_reached() {
        let directory = tempfile::tempdir().unwrap();
        let top = fs_err::canonicalize(directory.path()).unwrap();
        fs_err::create_dir(top.join("p")).unwrap();
        fs_err::os::unix::fs::symlink("p", top.join("link")).unwrap();
        let usual = top.join("p/lock/strix.lock");
        assert_eq!(real(&top.join("link/lock/strix.lock")).unwrap(), usual);
        assert_eq!(real(&usual).unwrap(), usual);
        fs_err::create_dir(top.join("p/lock")).unwrap();
        assert_eq!(real(&top.join("link/lock/strix.lock")).unwrap(), usual);
    }
}
