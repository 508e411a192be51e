//! Drops locks. The registry frees what no other lock needs, by its own rules.

use super::RegistryArchive;
use crate::archive::prune::{Pruned, named};
use crate::error::Result;

impl RegistryArchive<'_> {
    /// Drops locks by their digests, or beginnings of these. With `dry_run` drops nothing.
    pub fn prune(&self, drop: &[String], dry_run: bool) -> Result<Pruned> {
        let locks: Vec<_> = self.artifacts.iter().map(|artifact| artifact.layers.lock.digest).collect();
        let dropped = named(drop, &locks, &self.address())?;
        for artifact in self.artifacts.iter().filter(|artifact| dropped.contains(&artifact.layers.lock.digest)) {
            if !dry_run {
                self.remote.delete_manifest(artifact.manifest)?;
            }
        }
        Ok(Pruned { locks: dropped, ..Pruned::default() })
    }
}
