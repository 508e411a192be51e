//! Fetches objects, and reports how far it is.

use std::cell::Cell;

use git2::{FetchOptions, Progress, RemoteCallbacks};

use super::Repository;
use crate::error::Result;
use crate::progress::{Doing, Task, Unit};
use crate::text;

impl Repository<'_> {
    /// Fetches refs with the objects that the cache lacks, and reports the transfer.
    pub(super) fn fetch_refs(&self, refspecs: &[String]) -> Result<()> {
        let address = self.address()?;
        let task = self.fetcher.progress().begin(Doing::Fetch, self.name, None, Unit::Bytes);
        let (task, fetched) = (&*task, Cell::new((0, 0)));
        let mut callbacks = RemoteCallbacks::new();
        callbacks.transfer_progress(|progress| {
            report(task, &progress);
            fetched.set((progress.received_objects(), progress.received_bytes() as u64));
            true
        });
        // The server tells how it counts and compresses, which may take long.
        callbacks.sideband_progress(|said| {
            let said = String::from_utf8_lossy(said).replace('\r', "\n");
            task.detail(&text::last_line(said.as_bytes()));
            true
        });
        let mut options = FetchOptions::new();
        options.remote_callbacks(callbacks).download_tags(git2::AutotagOption::None).update_fetchhead(false);
        let mut remote = self.remote()?;
        let ended = self.session.run(address, || remote.fetch(refspecs, Some(&mut options), None));
        ended.map_err(|error| self.trouble(&error))?;
        let (objects, bytes) = fetched.get();
        if objects > 0 {
            task.done(Some(&format!("{objects} objects, {}", text::bytes(bytes))));
        }
        self.remember_answered();
        Ok(())
    }
}

/// Reports the state of a transfer: bytes, then objects received or deltas resolved.
fn report(task: &dyn Task, progress: &Progress) {
    task.set_position(progress.received_bytes() as u64);
    let (received, objects) = (progress.received_objects(), progress.total_objects());
    let (resolved, deltas) = (progress.indexed_deltas(), progress.total_deltas());
    task.detail(&if received < objects || deltas == 0 {
        format!("{received} of {objects} objects")
    } else {
        format!("{resolved} of {deltas} deltas resolved")
    });
}
