//! Distribution packages and the lists that name them: downloads by their digests.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use url::Url;

use super::Intake;
use super::file::file_trusting;
use crate::digest::{HashingReader, Sha256Digest};
use crate::error::{About, Error, Kind, Result};
use crate::fetch::{Promise, Sink, Trust, Wanted, show_url};
use crate::lock::DebsPin;
use crate::progress::{Task, Unit};
use crate::store::Store;
use crate::upstream::debs::DebPackage;

/// Packages fetched at a time. The fetcher allows two connections a host; more serve archives on several hosts.
const WORKERS: usize = 4;

/// Takes in a pinned set of packages; where each of them lies in the store, in the pin's order. Each has the pinned digest
/// now: one that was damaged in the store since it came is fetched again.
pub fn debs(intake: Intake, name: &str, pin: &DebsPin) -> Result<Vec<(DebPackage, PathBuf)>> {
    for package in &pin.packages {
        let path = intake.store.download_path(package.sha256);
        if path.is_file() && digest_of(&path)? != package.sha256 {
            fs_err::remove_file(&path)?;
        }
    }
    let missing: Vec<&DebPackage> = missing_debs(intake.store, pin).collect();
    if !missing.is_empty() {
        fetch(intake, name, pin, &missing).about(name)?;
    }
    let place = |package: &DebPackage| (package.clone(), intake.store.download_path(package.sha256));
    Ok(pin.packages.iter().map(place).collect())
}

fn digest_of(path: &Path) -> Result<Sha256Digest> {
    let mut hashed = HashingReader::new(fs_err::File::open(path)?);
    let mut buffer = vec![0; 256 * 1024];
    while hashed.read(&mut buffer)? > 0 {}
    Ok(hashed.finish().0)
}

/// The packages of a set that are not in the store.
pub fn missing_debs<'p>(store: &'p Store, pin: &'p DebsPin) -> impl Iterator<Item = &'p DebPackage> {
    // A digest gives a download its name; the size tells one that was cut short by something else than us.
    let here = |package: &DebPackage| {
        let path = store.download(package.sha256);
        path.and_then(|path| path.metadata().ok()).is_some_and(|found| found.len() == package.size)
    };
    pin.packages.iter().filter(move |package| !here(package))
}

/// Takes in a package list that a signed Release file promises.
pub fn package_list(intake: Intake, name: &str, urls: &[Url], promise: Promise) -> Result<PathBuf> {
    file_trusting(intake, name, urls, Some(promise), Trust::Content).map(|(path, _)| path)
}

fn fetch(intake: Intake, name: &str, pin: &DebsPin, missing: &[&DebPackage]) -> Result<()> {
    let total = missing.iter().map(|package| package.size).fold(0, u64::saturating_add);
    intake.store.demand_space(total)?;
    let task = intake.fetcher.progress().begin(name, Some(total), Unit::Bytes);
    let (queue, done, stop) = (Mutex::new(missing.iter()), AtomicU64::new(0), AtomicBool::new(false));
    let worker = || {
        let next = || queue.lock().ok().and_then(|mut queue| queue.next().copied());
        while let Some(package) = next().filter(|_| !stop.load(Ordering::Relaxed)) {
            let mut share = Share { done: &done, task: &*task, own: 0 };
            one(intake, name, pin, package, &mut share).inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..WORKERS.min(missing.len())).map(|_| scope.spawn(worker)).collect();
        let results: Vec<Result<()>> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(Error::failure("a thread panicked"))))
            .collect();
        results.into_iter().collect()
    })
}

fn one(intake: Intake, name: &str, pin: &DebsPin, package: &DebPackage, share: &mut Share) -> Result<()> {
    let partial = intake.store.partial(&package.sha256.to_string())?;
    let promise = Promise { size: package.size, digest: package.sha256 };
    // Another process may have brought it while this one waited.
    let path = intake.store.download_path(package.sha256);
    if path.metadata().is_ok_and(|found| found.len() == package.size) {
        share.add(package.size);
        return Ok(());
    }
    let urls = pin.urls(package);
    let wanted = Wanted { name, urls: &urls, promise: Some(promise), trust: Trust::Content };
    intake.fetcher.download_part(wanted, &partial, share).map_err(|error| explained(error, package, &urls))?;
    intake.store.publish_download(&partial, package.sha256).map(drop)
}

/// A package that the archive names and does not have is a thing of its own; all else is told as it is.
fn explained(error: Error, package: &DebPackage, urls: &[Url]) -> Error {
    let called = format!("{} {} {}", package.name, package.version, package.architecture);
    if error.kind() != Kind::NotFound {
        return error.fact("package", called);
    }
    let missing = Error::new(Kind::NotFound, "a pinned package is no longer in the archive").fact("package", called);
    let missing = urls.iter().fold(missing, |missing, url| missing.fact("url", show_url(url)));
    missing.fact("locked", format!("{}  {} bytes", package.sha256, package.size)).hint(
        "archives keep only their newest versions: name a snapshot service's URL with its date as `archive` or under `archives`, or update this input",
    )
}

/// One download's part of the progress of all.
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
    fn take(&mut self, bytes: Bytes) {
        self.add(bytes.len() as u64);
    }

    fn restart(&mut self) -> Result<()> {
        self.done.fetch_sub(self.own, Ordering::Relaxed);
        self.own = 0;
        Ok(())
    }
}
