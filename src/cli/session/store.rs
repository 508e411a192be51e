//! The store, opened once per command.

use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use etcetera::BaseStrategy;

use super::config::Number;
use super::{Session, lazily};
use crate::error::{Error, Kind, Result};
use crate::store::{Store, Waiting, project_of};

impl Session {
    /// Returns the path of the store, which need not exist yet.
    pub fn store_path(&self) -> Result<PathBuf> {
        Ok(match self.args.store.clone().or(self.config()?.store.as_ref().map(|set| set.value.clone())) {
            // Permanent links to the store are made, which must not depend on the current directory.
            Some(path) if path.components().any(|part| part == Component::ParentDir) => {
                std::fs::canonicalize(&path).unwrap_or(path)
            }
            Some(path) => path,
            None => usual_path("store")?,
        })
    }

    /// Returns the store.
    pub fn store(&self) -> Result<&Store> {
        lazily(&self.store, || self.open_store())
    }

    /// Returns the store, locked for exclusive use. Must be the first use of the store in a command.
    pub fn exclusive_store(&self) -> Result<&Store> {
        lazily(&self.store, || self.open_store()?.exclusive())
    }

    /// Returns the store for reading only. A missing store counts as empty and is not created. Must be the first use of
    /// the store in a command.
    pub fn store_to_read(&self) -> Result<&Store> {
        lazily(&self.store, || self.open(Store::open_for_reading))
    }

    /// Returns the store for reading only, or fails if another process holds it. Must be the first use of the store in
    /// a command.
    pub fn store_at_once(&self) -> Result<&Store> {
        let root = self.store_path()?;
        // Stores of format 1, which are migrated even for reading, have no profiles.
        if !root.join("profiles").is_dir() {
            return Err(Error::new(Kind::NotFound, "the store has no profiles"));
        }
        let at_once = Waiting { limit: Duration::ZERO, ..Waiting::default() };
        lazily(&self.store, || Store::open_for_reading(&root, at_once))
    }

    /// Returns the store, opened for reading only if it is not writable. Must be the first use of the store in a
    /// command.
    pub fn store_as_allowed(&self) -> Result<&Store> {
        lazily(&self.store, || {
            let store = self.open(Store::open_for_reading)?;
            if store.can_write() { self.open_store() } else { Ok(store) }
        })
    }

    /// Returns the directory of the archive where no option names one: that of the configuration, or one beside the usual
    /// store.
    pub fn usual_archive(&self) -> Result<PathBuf> {
        self.config()?.archive.as_ref().map_or_else(|| usual_path("archive"), |set| Ok(set.value.clone()))
    }

    /// Opens the store, and creates it if it is missing.
    fn open_store(&self) -> Result<Store> {
        self.open(Store::open_waiting)
    }

    fn open(&self, how: impl FnOnce(&Path, Waiting) -> Result<Store>) -> Result<Store> {
        let usual = Waiting::default();
        let limit = Duration::from_secs(self.config()?.number(Number::BusySeconds));
        let tell: Arc<dyn Fn(&str) + Send + Sync> = if self.args.quiet {
            usual.tell
        } else {
            Arc::new(|text: &str| {
                let _ = writeln!(anstream::stderr(), "{text}");
            })
        };
        let store = how(&self.store_path()?, Waiting { limit, tell })?;
        if !self.args.quiet {
            report_migration(&store);
        }
        Ok(store)
    }
}

/// Returns the path of the store or archive where nothing names one: in the user's data directory. A relative home would be
/// another one in each directory.
fn usual_path(what: &str) -> Result<PathBuf> {
    let none = || {
        Error::failure(format!("cannot find a directory for the {what}"))
            .hint("choose a directory that you can write to, with --store or STRIXLOCK_STORE")
    };
    let data = etcetera::choose_base_strategy().map_err(|error| none().because(&error))?.data_dir();
    if data.is_absolute() {
        Ok(data.join("strixlock").join(what))
    } else {
        Err(none().fact("HOME", "not an absolute path"))
    }
}

/// Reports the migration of a store that had one list of generations for all projects, which happens once.
fn report_migration(store: &Store) {
    let Some(migrated) = store.migrated().filter(|migrated| !migrated.profiles.is_empty()) else { return };
    let mut lines = vec!["the generations in this store are now kept by project:".to_owned()];
    for (name, owner, count) in &migrated.profiles {
        let project = owner.as_deref().map(|owner| project_of(owner).display().to_string());
        lines.push(format!("  {name} ({}): {count}", project.unwrap_or_else(|| "unknown project".to_owned())));
    }
    if let Some(first) = &migrated.first {
        let current = store.root().join("current");
        lines.push(format!("{} points to {first}", current.display()));
    }
    let _ = writeln!(anstream::stderr(), "{}", lines.join("\n"));
}
