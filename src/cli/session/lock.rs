//! The manifest and the lock, as commands read them.

use super::{Session, lazily};
use crate::error::{Error, Kind, Result};
use crate::lock::{Lock, Staleness, staleness};
use crate::manifest::Manifest;

impl Session {
    /// Returns the manifest.
    pub fn manifest(&self) -> Result<&Manifest> {
        lazily(&self.manifest, || Manifest::read(&self.project.manifest_path()))
    }

    /// Returns the lock, if there is one.
    pub fn lock_if_there(&self) -> Result<Option<&Lock>> {
        Ok(lazily(&self.lock, || Lock::read_if_there(&self.project.lock_path()))?.as_ref())
    }

    /// Returns the lock. Fails with the first step to take where there is no lock.
    pub fn lock(&self) -> Result<&Lock> {
        self.lock_if_there()?.ok_or_else(|| {
            let manifest = self.project.manifest_path();
            let error = Error::new(Kind::NotFound, "there is no lock").fact("path", self.project.lock_path().display());
            if manifest.is_file() {
                error.hint("`strixlock update` writes it")
            } else {
                error
                    .fact("manifest", format!("{}  missing too", manifest.display()))
                    .hint("`strixlock init` writes a manifest, and then `strixlock update` the lock")
            }
        })
    }

    /// Returns the lock to make something from it. Warns where the manifest asks for something else by now: the lock counts.
    /// A lock that was named, such as that of a generation, need not be the manifest's.
    pub fn lock_to_use(&self) -> Result<&Lock> {
        let lock = self.lock()?;
        if self.project.names_lock() {
            return Ok(lock);
        }
        match self.compare_with_manifest(lock) {
            // A lock alone is enough to make what it says.
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => {
                self.ui.warning(&format!(
                    "the lock was not compared with the manifest, which cannot be read: {}",
                    error.message()
                ));
            }
            Ok(stale) if stale.is_fresh() => {}
            Ok(stale) => self.ui.warning(&format!(
                "the manifest has changed, and the lock is used as it is: {}. `strixlock update` takes the changes in",
                stale.reasons.join("; ")
            )),
        }
        Ok(lock)
    }

    /// Returns the lock. Fails with [`Kind::Stale`] unless it is up to date with the manifest.
    pub fn fresh_lock(&self) -> Result<&Lock> {
        let lock = self.lock()?;
        let stale = self.compare_with_manifest(lock)?;
        if stale.is_fresh() {
            return Ok(lock);
        }
        Err(Error::new(Kind::Stale, "the lock is not up to date with the manifest")
            .fact("because", stale.reasons.join("; "))
            .hint("run `strixlock update`"))
    }

    /// Compares the lock with the manifest. Fails if the manifest is missing or invalid.
    pub fn compare_with_manifest(&self, lock: &Lock) -> Result<Staleness> {
        Ok(staleness(self.manifest()?, lock))
    }
}
