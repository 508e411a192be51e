//! Everything that commands share, made when it is first asked for.

mod args;
mod config;
mod lock;
mod profile;
mod project;
mod store;
mod work;

use std::cell::OnceCell;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Ui;
use crate::error::Result;
use crate::fetch::Fetcher;
use crate::lock::Lock;
use crate::manifest::Manifest;
use crate::store::Store;
use config::Config;

pub use args::GlobalArgs;
pub use profile::described;
pub use project::Project;

/// The global options of a command, and what they lead to.
pub struct Session {
    /// What a person sees.
    pub ui: Ui,
    /// The places of manifest and lock.
    pub project: Project,
    /// The time at which the command began, in seconds since 1970.
    pub now: i64,
    args: GlobalArgs,
    config: OnceCell<Config>,
    manifest: OnceCell<Manifest>,
    lock: OnceCell<Option<Lock>>,
    store: OnceCell<Store>,
    fetcher: OnceCell<Fetcher>,
}

impl Session {
    /// Begins with what the command line says.
    pub fn new(project: Project, args: GlobalArgs) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        Self {
            ui: Ui::new(&args),
            project,
            now,
            args,
            config: OnceCell::new(),
            manifest: OnceCell::new(),
            lock: OnceCell::new(),
            store: OnceCell::new(),
            fetcher: OnceCell::new(),
        }
    }

    /// Returns true if the network is not to be used.
    pub fn is_offline(&self) -> bool {
        self.args.offline
    }
}

/// Returns what the cell holds, made now if it is empty. A failure is not kept.
fn lazily<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}
