//! The manifest and the lock of a project, as commands read them.

use super::{GlobalArgs, Ui};
use crate::error::{Error, Kind, Result};
use crate::lock::{Lock, Staleness, staleness};
use crate::manifest::Manifest;

impl GlobalArgs {
    /// Reads the lock. Fails with the first step to take where there is no lock.
    pub fn read_lock(&self) -> Result<Lock> {
        let path = self.lock_path();
        Lock::read_if_there(&path)?.ok_or_else(|| {
            let error = Error::new(Kind::NotFound, "there is no lock").fact("path", path.display());
            if self.manifest_path().is_file() {
                error.hint("`strixlock update` writes it")
            } else {
                error
                    .fact("manifest", format!("{}  missing too", self.manifest_path().display()))
                    .hint("`strixlock init` writes a manifest, and then `strixlock update` the lock")
            }
        })
    }

    /// Reads the lock to make something from it. Warns where the manifest asks for something else by now: the lock counts.
    /// A lock that was named, such as that of a generation, need not be the manifest's.
    pub fn lock_to_use(&self, ui: &Ui) -> Result<Lock> {
        let lock = self.read_lock()?;
        if self.lock.is_some() {
            return Ok(lock);
        }
        match self.compare_with_manifest(&lock) {
            // A lock alone is enough to make what it says.
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => {
                ui.warning(&format!(
                    "the lock was not compared with the manifest, which cannot be read: {}",
                    error.message()
                ));
            }
            Ok(stale) if stale.is_fresh() => {}
            Ok(stale) => ui.warning(&format!(
                "the manifest has changed, and the lock is used as it is: {}. `strixlock update` takes the changes in",
                stale.reasons.join("; ")
            )),
        }
        Ok(lock)
    }

    /// Compares the lock with the manifest. Fails if the manifest is missing or invalid.
    pub fn compare_with_manifest(&self, lock: &Lock) -> Result<Staleness> {
        Ok(staleness(&Manifest::read(&self.manifest_path())?, lock))
    }

    /// Fails with [`Kind::Stale`] unless the lock is up to date with the manifest.
    pub fn demand_fresh(&self, lock: &Lock) -> Result<()> {
        let stale = self.compare_with_manifest(lock)?;
        if stale.is_fresh() {
            return Ok(());
        }
        Err(Error::new(Kind::Stale, "the lock is not up to date with the manifest")
            .fact("because", stale.reasons.join("; "))
            .hint("run `strixlock update`"))
    }
}
