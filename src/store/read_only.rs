//! Opening a store for reading: one on a read-only disk, one of root's, or one that does not exist yet.
//!
//! Reading takes the shared lock if there is one, creates nothing and sweeps nothing. A store that does not exist reads
//! as an empty one.

use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::Access;

use super::{Store, VERSION, VERSION_1, Waiting, owners, plain_file, unknown_format};
use crate::error::{Error, Result};
use crate::tree::confined::Root;

impl Store {
    /// Opens the store at `root` for reading. A store of format 1 is migrated all the same, because it cannot be read
    /// otherwise.
    pub fn open_for_reading(root: &Path, waiting: Waiting) -> Result<Self> {
        let root = std::path::absolute(root)?;
        let me = rustix::process::geteuid().as_raw();
        let place = root.join("lock");
        let empty = Self { root, beneath: None, me, waiting, lock: None, migrated: None };
        let beneath = match Root::open(&empty.root) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(empty),
            other => other?,
        };
        owners::judge_what_is_there(&beneath, &empty.root, me)?;
        match fs_err::read_to_string(empty.root.join("version")) {
            Ok(text) if text == VERSION => {}
            Ok(text) if text == VERSION_1 => return Self::open_waiting(&empty.root, empty.waiting),
            Ok(text) => return Err(unknown_format(&empty.root, &text)),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            Err(_) if empty.has_old_generations()? => return Self::open_waiting(&empty.root, empty.waiting),
            // Left by a process that was killed while it created the store.
            Err(_) => return Ok(empty),
        }
        let lock = match beneath.open_file(b"lock") {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            other => Some(plain_file(other?, &place)?),
        };
        if let Some(lock) = &lock {
            empty.waiting.shared(lock, &place)?;
        }
        Ok(Self { beneath: Some(beneath), lock, ..empty })
    }

    /// Returns whether this process can add to the store.
    #[must_use]
    pub fn can_write(&self) -> bool {
        self.beneath.is_some() && rustix::fs::access(self.root.join("tmp"), Access::WRITE_OK).is_ok()
    }

    /// Fails if this process cannot add to the store.
    pub fn demand_writable(&self) -> Result<()> {
        if self.can_write() {
            return Ok(());
        }
        Err(Error::failure("the store is read-only, and this needs to add to it")
            .fact("store", self.root.display())
            .hint("choose a store that you can write to, with --store or STRIXLOCK_STORE"))
    }
}
