//! Hashes files that were just written, many side by side ([`crate::digest::hash_many`]).
//!
//! A tarball gives one file after the other, and what is hashed side by side must be there at the same time. So the files are read
//! back: from the system's memory, since they were written a moment ago, which takes a fraction of what it saves. What is hashed is
//! what another program will read.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::Receiver;

use super::beneath::Root;
use super::listing::show;
use super::names::Digests;
use crate::digest::{Files, Sha256Digest, hash_many};
use crate::error::{Error, Result};

/// A file that was written: the id of its digest, and its path.
pub(super) struct Written {
    pub(super) id: u64,
    pub(super) path: Vec<u8>,
}

/// One thread that reads back.
pub(super) struct ReadBack {
    pub(super) root: Arc<Root>,
    pub(super) digests: Arc<Digests>,
    pub(super) queue: Receiver<Written>,
    /// Something failed, here or where files are written: nobody needs digests any more.
    pub(super) failed: Arc<AtomicBool>,
}

impl ReadBack {
    /// Hashes until nobody writes any more.
    pub(super) fn run(self) -> Result<()> {
        let mut reading = Reading { from: self, failure: None };
        hash_many(&mut reading);
        reading.failure.map_or(Ok(()), Err)
    }
}

struct Reading {
    from: ReadBack,
    failure: Option<Error>,
}

impl Files for Reading {
    type File = File;
    type Name = Written;

    fn next(&mut self, wait: bool) -> Option<(Written, File)> {
        loop {
            let written = if wait { self.from.queue.recv().ok()? } else { self.from.queue.try_recv().ok()? };
            if self.from.failed.load(Ordering::Relaxed) {
                continue;
            }
            match self.from.root.open_file(&written.path) {
                Ok(file) => return Some((written, file)),
                Err(error) => self.fail(&written, &error),
            }
        }
    }

    fn done(&mut self, written: Written, read: io::Result<(Sha256Digest, u64)>) {
        if let Err(error) = read.and_then(|(digest, _)| self.from.digests.put(written.id, digest)) {
            self.fail(&written, &error);
        }
    }
}

impl Reading {
    // The queue is still emptied after it: whoever writes may wait for a place in it.
    fn fail(&mut self, written: &Written, error: &io::Error) {
        self.from.failed.store(true, Ordering::Relaxed);
        self.failure.get_or_insert_with(|| {
            Error::failure(format!("cannot read back `{}`", show(&written.path))).because(error)
        });
    }
}
