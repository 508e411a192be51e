//! Waiting for what other processes hold: not in silence, and not for ever.

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::holders;
use crate::error::{Error, Kind, Result};

/// After this time it is told who is waited for.
const SILENCE: Duration = Duration::from_secs(1);
/// The longest time between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Manner of waiting for what another process holds.
#[derive(Clone)]
pub struct Waiting {
    /// For the store at most so long.
    pub limit: Duration,
    /// Told who is waited for.
    pub tell: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { limit: Duration::from_secs(600), tell: Arc::new(|_| {}) }
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Waiting {
    /// Takes the lock together with others.
    pub(super) fn shared(&self, file: &File, place: &Path) -> Result<()> {
        self.wait(&|| file.try_lock_shared(), file, place, Some(self.limit))
    }

    /// Takes the lock alone.
    pub(super) fn alone(&self, file: &File, place: &Path) -> Result<()> {
        self.wait(&|| file.try_lock(), file, place, Some(self.limit))
    }

    /// Takes the lock alone, however long it takes: only processes of ours can hold it, and a download may take hours.
    pub(super) fn patiently(&self, file: &File, place: &Path) -> Result<()> {
        self.wait(&|| file.try_lock(), file, place, None)
    }

    fn wait(
        &self,
        attempt: &dyn Fn() -> std::result::Result<(), TryLockError>,
        file: &File,
        place: &Path,
        limit: Option<Duration>,
    ) -> Result<()> {
        let begun = Instant::now();
        let (mut told, mut pause) = (false, Duration::from_millis(1));
        loop {
            match attempt() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(TryLockError::Error(error)) => return Err(no_locks(place, &error)),
            }
            let waited = begun.elapsed();
            if limit.is_some_and(|limit| waited >= limit) {
                return Err(Error::new(Kind::Busy, "another process did not give the store up in time")
                    .fact("file", place.display())
                    .fact("held by", holders::describe(file))
                    .fact("waited", format!("{} s", waited.as_secs()))
                    .hint("end that process, or wait longer: busy-seconds in the configuration"));
            }
            if !told && waited >= SILENCE {
                told = true;
                (self.tell)(&format!("waiting for {}, which is held by {}", place.display(), holders::describe(file)));
            }
            std::thread::sleep(pause);
            pause = PAUSE.min(pause * 2);
        }
    }
}

fn no_locks(place: &Path, error: &std::io::Error) -> Error {
    Error::failure("the file system cannot lock files, which tells whether another process is at work")
        .fact("file", place.display())
        .because(error)
        .hint("put the store on a file system of this machine, such as ext4, xfs or btrfs, with --store")
}
