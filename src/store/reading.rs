//! Stores that are only read: one on a disk that cannot be written, one of root's, or one that is not there yet.
//!
//! Reading takes the shared lock where there is one, makes nothing and sweeps nothing. A store that is not there reads as an empty
//! one.

use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::Access;

use super::{BEFORE, Store, VERSION, Waiting, owners, plain_file, unknown_format};
use crate::error::{Error, Result};
use crate::tree::confined::Root;

impl Store {
    /// Opens the store at `root` for reading. A store of before there were profiles is brought up to date all the same: it cannot
    /// be read otherwise.
    pub fn open_for_reading(root: &Path, waiting: Waiting) -> Result<Self> {
        let root = std::path::absolute(root)?;
        let me = rustix::process::geteuid().as_raw();
        let place = root.join("lock");
        let nothing = Self { root, beneath: None, me, waiting, lock: None, migrated: None };
        let beneath = match Root::open(&nothing.root) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(nothing),
            other => other?,
        };
        owners::judge_what_is_there(&beneath, &nothing.root, me)?;
        match fs_err::read_to_string(nothing.root.join("version")) {
            Ok(text) if text == VERSION => {}
            Ok(text) if text == BEFORE => return Self::open_waiting(&nothing.root, nothing.waiting),
            Ok(text) => return Err(unknown_format(&nothing.root, &text)),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            Err(_) if nothing.has_old_generations()? => return Self::open_waiting(&nothing.root, nothing.waiting),
            // Made by a process that was killed at once.
            Err(_) => return Ok(nothing),
        }
        let lock = match beneath.open_file(b"lock") {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            other => Some(plain_file(other?, &place)?),
        };
        if let Some(lock) = &lock {
            nothing.waiting.shared(lock, &place)?;
        }
        Ok(Self { beneath: Some(beneath), lock, ..nothing })
    }

    /// Returns whether whoever runs this may add to the store.
    #[must_use]
    pub fn can_write(&self) -> bool {
        self.beneath.is_some() && rustix::fs::access(self.root.join("tmp"), Access::WRITE_OK).is_ok()
    }

    /// Fails if nothing can be added to the store.
    pub fn demand_writable(&self) -> Result<()> {
        if self.can_write() {
            return Ok(());
        }
        Err(Error::failure("the store can only be read, and something is to be added to it")
            .fact("store", self.root.display())
            .hint("name a store that you may write to, with --store or STRIXLOCK_STORE"))
    }
}
