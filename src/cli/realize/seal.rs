//! Seals: the lock with the digests of the trees that were made.

use std::path::Path;

use crate::cli::Session;
use crate::error::Result;
use crate::lock::Lock;
use crate::realize::Realized;
use crate::report::{Known, fits};
use crate::store::replace_file;

/// Writes the resulting tree digests into the lock. Reads it again first, since it may have been updated during the
/// build.
pub(super) fn seal<'r>(
    path: &Path,
    built: &Lock,
    realized: impl Iterator<Item = (&'r String, &'r Realized)>,
) -> Result<Lock> {
    let mut lock = Lock::read(path)?;
    for (name, output) in realized {
        if let Some(locked) = lock.outputs.get_mut(name)
            && built.outputs.get(name).is_some_and(|built| built.derivation == locked.derivation)
        {
            locked.set_seal(output.tree.digest);
        }
    }
    replace_file(path, lock.to_text()?.as_bytes())?;
    Ok(lock)
}

/// Reports that the lock was written, and warns if REPRODUCIBLE.md was made from the lock before.
pub(super) fn report(session: &Session, lock: &Path) {
    let ui = &session.ui;
    if !ui.is_json() {
        ui.line(format!("wrote {}", lock.display()));
    }
    let page = session.project.directory().join("REPRODUCIBLE.md");
    let fits = |there: &str| {
        let lock = Lock::read(lock)?;
        fits(there, &lock, &Known::read(&lock, session.store()?))
    };
    if fs_err::read_to_string(&page).is_ok_and(|there| fits(&there).is_ok_and(|fits| !fits)) {
        ui.warning(&format!("{} is no longer up to date: run `strixlock audit`", page.display()));
    }
}
