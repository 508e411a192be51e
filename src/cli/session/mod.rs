//! Everything that commands share, created on first use.

mod args;
mod clock;
mod config;
mod lock;
mod profile;
mod project;
mod remotes;
mod services;
mod settings;
mod store;
mod trust;

use std::cell::OnceCell;

use url::Url;

use super::Ui;
use crate::error::Result;
use crate::fetch::Fetcher;
use crate::lock::Lock;
use crate::manifest::Manifest;
use crate::store::Store;
use config::Config;

pub use args::{GlobalArgs, switch};
pub use config::{Builder, RemoteSetting, remote_name, variable};
pub use profile::described;
pub use project::Project;
pub use settings::{Given, Setting};

/// Global options of a command, and the things that depend on them.
pub struct Session {
    /// Output for the user.
    pub ui: Ui,
    /// Paths of manifest and lock.
    pub project: Project,
    /// Start time of the command, in seconds since 1970. Ages are counted from it.
    pub now: i64,
    args: GlobalArgs,
    config: OnceCell<Config>,
    manifest: OnceCell<Manifest>,
    lock: OnceCell<Option<Lock>>,
    store: OnceCell<Store>,
    fetcher: OnceCell<Fetcher>,
    /// The address of an archive that the command line names.
    archive: OnceCell<Url>,
}

impl Session {
    /// Creates a session from the options on the command line.
    pub fn new(project: Project, args: GlobalArgs) -> Self {
        Self {
            ui: Ui::new(&args),
            project,
            now: clock::clock(),
            args,
            config: OnceCell::new(),
            manifest: OnceCell::new(),
            lock: OnceCell::new(),
            store: OnceCell::new(),
            fetcher: OnceCell::new(),
            archive: OnceCell::new(),
        }
    }

    /// Sets the time to that of `STRIXLOCK_NOW`, if that is set.
    pub fn set_clock(&mut self) -> Result<()> {
        self.now = clock::of_environment()?;
        Ok(())
    }

    /// Returns true if the network must not be used.
    pub fn is_offline(&self) -> bool {
        self.args.offline
    }
}

/// Returns the value of the cell, and fills the cell first if it is empty. A failure is not stored.
fn lazily<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}
