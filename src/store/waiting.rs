//! Waiting for locks of other processes, with a message and a time limit.

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::holders;
use crate::error::{Error, Kind, Result};

/// Time until the holder of the lock is reported.
const SILENCE: Duration = Duration::from_secs(1);
/// The longest pause between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// Settings for waiting for a lock of another process.
#[derive(Clone)]
pub struct Waiting {
    /// Time limit for the store's lock.
    pub limit: Duration,
    /// Receives the message that names the holder of the lock.
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
    /// Takes a shared lock.
    pub(super) fn shared(&self, file: &File, place: &Path) -> Result<()> {
        self.wait(&|| file.try_lock_shared(), file, place, Some(self.limit))
    }

    /// Takes an exclusive lock.
    pub(super) fn alone(&self, file: &File, place: &Path) -> Result<()> {
        self.wait(&|| file.try_lock(), file, place, Some(self.limit))
    }

    /// Takes an exclusive lock without a time limit: only our own processes can hold it, and a download may take hours.
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
                return Err(Error::new(Kind::Busy, "another process did not release the store in time")
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
    Error::failure("the file system does not support file locks, which keep processes from working at the same time")
        .fact("file", place.display())
        .because(error)
        .hint("put the store on a file system of this machine, such as ext4, xfs or btrfs, with --store")
}
