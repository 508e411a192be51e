//! The store, opened once for the whole command.

use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use etcetera::BaseStrategy;

use super::{Session, lazily};
use crate::error::{Error, Result};
use crate::store::{Store, Waiting, project_of};

impl Session {
    /// Returns the place where the store is, or would be.
    pub fn store_path(&self) -> Result<PathBuf> {
        Ok(match self.args.store.clone().or(self.config()?.store.clone()) {
            // Links that last are made to it: they must not lead by way of where we happen to stand.
            Some(path) if path.components().any(|part| part == Component::ParentDir) => {
                std::fs::canonicalize(&path).unwrap_or(path)
            }
            Some(path) => path,
            None => etcetera::choose_base_strategy()
                .map_err(|error| {
                    Error::failure("cannot tell where the store should be").because(&error).hint("name it with --store")
                })?
                .data_dir()
                .join("strixlock/store"),
        })
    }

    /// Returns the store.
    pub fn store(&self) -> Result<&Store> {
        lazily(&self.store, || self.open_store())
    }

    /// Returns the store, which nobody else uses meanwhile. To be asked for before anything else that needs the store.
    pub fn exclusive_store(&self) -> Result<&Store> {
        lazily(&self.store, || self.open_store()?.exclusive())
    }

    /// Returns the store for reading alone; one that is not there is empty, and stays away. To be asked for before anything
    /// else that needs the store.
    pub fn store_to_read(&self) -> Result<&Store> {
        lazily(&self.store, || self.open(Store::open_for_reading))
    }

    /// Returns the store, or that for reading alone where it cannot be written to. To be asked for before anything else that
    /// needs the store.
    pub fn store_as_allowed(&self) -> Result<&Store> {
        lazily(&self.store, || {
            let store = self.open(Store::open_for_reading)?;
            if store.can_write() { self.open_store() } else { Ok(store) }
        })
    }

    /// Opens the store, and makes it if it is not there.
    fn open_store(&self) -> Result<Store> {
        self.open(Store::open_waiting)
    }

    fn open(&self, how: impl FnOnce(&Path, Waiting) -> Result<Store>) -> Result<Store> {
        let usual = Waiting::default();
        let limit = self.config()?.busy_seconds.map_or(usual.limit, Duration::from_secs);
        let tell: Arc<dyn Fn(&str) + Send + Sync> = if self.args.quiet {
            usual.tell
        } else {
            Arc::new(|text: &str| {
                let _ = writeln!(anstream::stderr(), "{text}");
            })
        };
        let store = how(&self.store_path()?, Waiting { limit, tell })?;
        if !self.args.quiet {
            tell_migrated(&store);
        }
        Ok(store)
    }
}

/// Tells what became of the generations of a store that had one list for all projects. It happens once, whatever the command.
fn tell_migrated(store: &Store) {
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
