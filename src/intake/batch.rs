//! Takes in many files at a time whose digests are known: packages, layers.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use rustix::io::Errno;
use tracing::{debug, info};
use url::Url;

use super::Intake;
use crate::digest::Promise;
use crate::digest::{Sha256Digest, hash_reader};
use crate::error::{Error, Result};
use crate::fetch::{Sink, Voucher, Wanted};
use crate::log::CACHE;
use crate::progress::{Doing, Task, Unit};
use crate::store::Store;
use crate::threads::on_threads;

/// Number of downloads at a time. The fetcher allows two connections to each host; more help if there are several
/// hosts.
const WORKERS: usize = 4;

/// A file to download.
pub struct MissingFile {
    /// Its size and digest.
    pub promise: Promise,
    /// Its URLs.
    pub urls: Vec<Url>,
    /// Its name in messages.
    pub called: String,
}

/// Returns whether a download is in the store. It is found by its digest; the size detects a file that another program
/// has truncated.
pub fn is_here(store: &Store, promise: Promise) -> bool {
    let path = store.download(promise.digest);
    path.and_then(|path| path.metadata().ok()).is_some_and(|found| found.len() == promise.size)
}

/// Removes a download whose bytes in the store do not match its digest.
pub fn drop_damaged(store: &Store, digest: Sha256Digest) -> Result<()> {
    let path = store.download_path(digest);
    if !path.is_file() {
        return Ok(());
    }
    let (file, _) = fs_err::File::open(&path)?.into_parts();
    match hash_reader(file) {
        Ok((found, _)) if found == digest => Ok(()),
        Ok(_) => Ok(fs_err::remove_file(&path)?),
        // An unreadable disk block is damage as well; other errors say nothing about the file.
        Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => Ok(fs_err::remove_file(&path)?),
        Err(error) => Err(Error::from(error).about(path.display().to_string())),
    }
}

/// Takes in the missing files. `explain` adds advice to an error.
pub fn download_all(
    intake: Intake,
    name: &str,
    missing: &[MissingFile],
    voucher: Voucher,
    explain: &(dyn Fn(Error, &MissingFile) -> Error + Sync),
) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    info!(target: CACHE, "{name}: fetch: {} of its files are not in the store", missing.len());
    for piece in missing {
        debug!(target: CACHE, "{name}: fetch: {}, {}", piece.called, piece.promise.digest);
    }
    let total = missing.iter().map(|piece| piece.promise.size).fold(0, u64::saturating_add);
    intake.store.demand_space(total)?;
    let task = intake.fetcher.progress().begin(Doing::Fetch, name, Some(total), Unit::Bytes);
    let (queue, done, stop) = (Mutex::new(missing.iter()), AtomicU64::new(0), AtomicBool::new(false));
    let worker = || {
        let next = || queue.lock().ok().and_then(|mut queue| queue.next());
        while let Some(piece) = next().filter(|_| !stop.load(Ordering::Relaxed)) {
            let mut share = Share { done: &done, task: &*task, own: 0 };
            one(intake, name, piece, voucher, &mut share)
                .map_err(|error| explain(error, piece))
                .inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    };
    on_threads(WORKERS.min(missing.len()), "a thread that downloads", |_| worker())?;
    task.done(None);
    Ok(())
}

fn one(intake: Intake, name: &str, piece: &MissingFile, voucher: Voucher, share: &mut Share) -> Result<()> {
    let promise = piece.promise;
    let partial = intake.store.partial(&promise.digest.to_string())?;
    // Another process may have finished this download while this one waited for the lock.
    if is_here(intake.store, promise) {
        share.add(promise.size);
        share.task.skip(promise.size);
        return Ok(());
    }
    let wanted = Wanted { name, urls: &piece.urls, promise: Some(promise), voucher, if_gone: None };
    let task = share.task;
    intake.fetcher.download_part(wanted, &partial, share, task)?;
    intake.store.publish_download(&partial, promise.digest).map(drop)
}

/// The part of one download in the common progress.
struct Share<'a> {
    done: &'a AtomicU64,
    task: &'a dyn Task,
    own: u64,
}

impl Share<'_> {
    fn add(&mut self, count: u64) {
        self.own += count;
        self.task.set_position(self.done.fetch_add(count, Ordering::Relaxed) + count);
    }
}

impl Sink for Share<'_> {
    fn take(&mut self, bytes: Bytes) -> Result<()> {
        self.add(bytes.len() as u64);
        Ok(())
    }

    fn resumed(&mut self, count: u64) {
        self.task.skip(count);
    }

    fn restart(&mut self) -> Result<()> {
        self.done.fetch_sub(self.own, Ordering::Relaxed);
        self.own = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The address zero of a process cannot be read: the same error as of a broken disk.
    #[test]
    fn a_download_that_the_disk_cannot_read_gives_way() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let path = store.download_path(Sha256Digest::of(b"whole"));
        std::os::unix::fs::symlink("/proc/self/mem", &path).unwrap();
        assert!(path.is_file() && std::fs::read(&path).unwrap_err().raw_os_error() == Some(Errno::IO.raw_os_error()));
        drop_damaged(&store, Sha256Digest::of(b"whole")).unwrap();
        assert!(!path.is_symlink());
        // What is whole stays.
        std::fs::write(&path, "whole").unwrap();
        drop_damaged(&store, Sha256Digest::of(b"whole")).unwrap();
        assert!(path.is_file());
    }
}
