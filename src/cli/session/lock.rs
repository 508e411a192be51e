//! Access to the manifest and the lock.

use super::{Session, lazily};
use crate::error::{Error, Kind, Result};
use crate::lock::{Lock, Staleness, staleness};
use crate::manifest::Manifest;

impl Session {
    /// Returns the manifest.
    pub fn manifest(&self) -> Result<&Manifest> {
        lazily(&self.manifest, || Manifest::read(&self.project.manifest_path()))
    }

    /// Returns the lock, if it exists.
    pub fn lock_if_there(&self) -> Result<Option<&Lock>> {
        Ok(lazily(&self.lock, || Lock::read_if_there(&self.project.lock_path()))?.as_ref())
    }

    /// Returns the lock. If it is missing, fails with a hint at the next step.
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

    /// Returns the lock for a command that builds from it, and warns if it is stale. A lock that was named, such as
    /// that of a generation, is not compared, since it need not belong to the manifest.
    pub fn lock_to_use(&self) -> Result<&Lock> {
        let lock = self.lock()?;
        if self.project.names_lock() {
            return Ok(lock);
        }
        match self.compare_with_manifest(lock) {
            // A lock can be realized without a manifest.
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => {
                self.ui.warning(&format!("cannot compare the lock with the manifest: {}", error.message()));
            }
            Ok(stale) if stale.is_fresh() => {}
            Ok(stale) => self.ui.warning(&format!(
                "the lock is not up to date with the manifest, and is used as it is: {}. Run `strixlock update`",
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
