//! Staging directories: directories under `tmp/` for unfinished things, each locked while its process lives.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::AsFd as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::Store;
use super::remove::{remove_beneath, remove_tree};
use crate::digest::DerivationId;
use crate::error::Result;
use crate::tree::confined::Root;

/// Prefix of the names of staging directories.
const STAGE: &str = "stage-";
/// Suffix of the name of a staging directory's lock.
const LOCK: &str = ".lock";

/// Name of the file that tells which output is made in a staging directory.
const MAKES: &str = "makes";

/// A staging directory. Removed when dropped, or by the next run if the process was killed.
#[derive(Debug)]
pub struct Staging {
    directory: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl Store {
    /// Creates an empty staging directory, on the store's file system.
    pub fn stage(&self) -> Result<Staging> {
        self.demand_writable()?;
        let tmp = self.root.join("tmp");
        loop {
            // The lock is taken before the directory exists, so that no sweep sees an unlocked directory.
            let file = tempfile::Builder::new().prefix(STAGE).suffix(LOCK).tempfile_in(&tmp)?.keep();
            let (lock, lock_path) = file.map_err(|error| error.error)?;
            self.waiting.alone(&lock, &lock_path)?;
            // A sweep may have removed the file between its creation and our lock.
            if !lock_path.exists() {
                continue;
            }
            let directory = lock_path.with_extension("");
            // Files of a build may be setuid for a moment, so nobody else may enter.
            std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
            return Ok(Staging { directory, lock_path, _lock: lock });
        }
    }
}

impl Store {
    /// Returns the log of the build that is making an output now, if one is running.
    #[must_use]
    pub fn running_log(&self, id: DerivationId) -> Option<PathBuf> {
        // Those of processes that have ended were removed when the store was opened.
        let entries = fs_err::read_dir(self.root.join("tmp")).ok()?;
        let stages = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let makes = |stage: &PathBuf| fs_err::read_to_string(stage.join(MAKES)).is_ok_and(|makes| makes == id.hex());
        stages.filter(makes).map(|stage| stage.join("log")).find(|log| log.is_file())
    }
}

impl Staging {
    /// Records which output is made here, for [`Store::running_log`].
    pub fn makes(&self, id: DerivationId) -> Result<()> {
        Ok(fs_err::write(self.directory.join(MAKES), id.hex())?)
    }

    /// Returns the directory's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // If removal fails, the lock file stays: the next run finds the directory by it.
        if remove_tree(&self.directory).is_ok() {
            let _ = fs_err::remove_file(&self.lock_path);
        }
    }
}

/// Removes the staging directories of processes that have ended.
pub(super) fn sweep(tmp: &Root) -> Result<()> {
    let names = match tmp.names() {
        // A read-only store.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(()),
        other => other?,
    };
    for (name, _) in names {
        // Only names that `stage` makes. Other files with this suffix are not locks of staging directories.
        let Some(stem) = name.strip_suffix(LOCK.as_bytes()).filter(|stem| stem.starts_with(STAGE.as_bytes())) else {
            continue;
        };
        let Ok(lock) = tmp.reopen(&name) else { continue };
        // A directory that cannot be removed stops nobody from working. Its lock stays, and the next run tries again.
        if lock.try_lock().is_ok() && remove_beneath(tmp.as_fd(), stem).is_ok() {
            let _ = tmp.remove_file(&name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn staging_directories_are_their_owners_alone() {
        let place = tempfile::tempdir().unwrap();
        let staging = Store::open(place.path()).unwrap().stage().unwrap();
        assert_eq!(fs_err::metadata(staging.path()).unwrap().permissions().mode() & 0o7777, 0o700);
    }
}
