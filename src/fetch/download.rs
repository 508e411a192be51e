//! Downloads: every byte is hashed as it arrives, passed on at once, and kept so that an interrupted run can resume.
//!
//! Servers are not trusted: a 206 must continue exactly at the requested offset, a body must have the announced length,
//! and at the end size and digest decide. After a broken connection the received bytes are kept and only the rest is
//! requested. Bytes of another file (the validator changed) and bytes with a wrong digest are discarded.

use std::collections::BTreeMap;

use bytes::Bytes;
use tracing::info;
use url::Url;

use super::client::{Fetcher, local_path};
use super::mismatch::Voucher;
use super::retry;
use super::transfer::{Transfer, Trouble};
use crate::digest::{Promise, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::log::FETCH;
use crate::progress::{Doing, Retry, Task, Unit};
use crate::store::Partial;
use crate::text;
use crate::urls::{log_url, show_url};

/// Number of bytes that a round must receive to count as progress.
pub(super) const PROGRESS: u64 = 1 << 20;

/// A download to make.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The input's name, for messages and bars.
    pub name: &'a str,
    /// Its URLs, tried in order, before the mirrors.
    pub urls: &'a [Url],
    /// Its size and digest, if a pin has them.
    pub promise: Option<Promise>,
    /// The source of the promise.
    pub voucher: Voucher,
    /// A hint for the case that the server no longer has it, if there is one.
    pub if_gone: Option<&'a str>,
}

/// A finished download.
#[derive(Debug, Clone)]
pub struct Received {
    /// The URL that it came from.
    pub url: Url,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub digest: Sha256Digest,
    /// A validator that identifies these bytes later, if the server sent one.
    pub validator: Option<String>,
}

/// Receives a download's bytes in order as they arrive.
pub trait Sink {
    /// Takes the next bytes, which are not verified before the end. An error ends the download, without trying other
    /// URLs.
    fn take(&mut self, bytes: Bytes) -> Result<()>;
    /// Learns that the first `count` bytes that it took came from an earlier run.
    fn resumed(&mut self, _count: u64) {}
    /// Discards all bytes so far: they belonged to another file.
    fn restart(&mut self) -> Result<()>;
}

/// The sink for downloads that are only kept as files.
impl Sink for () {
    fn take(&mut self, _bytes: Bytes) -> Result<()> {
        Ok(())
    }
    fn restart(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Passes on the pauses of one of many downloads.
struct Pauses<'a>(&'a dyn Task);

impl Task for Pauses<'_> {
    fn retry(&self, retry: Retry) {
        self.0.retry(retry);
    }
}

impl Fetcher {
    /// Downloads into `partial`, feeding `sink`. On success the partial file holds all bytes; the caller publishes it.
    pub fn download(&self, wanted: Wanted, partial: &Partial, sink: &mut dyn Sink) -> Result<Received> {
        let here = wanted.urls.iter().all(|url| local_path(url).is_ok());
        let doing = if here { Doing::Read } else { Doing::Fetch };
        let task = self.progress.begin(doing, wanted.name, wanted.promise.map(|promise| promise.size), Unit::Bytes);
        let received = self.download_as(wanted, partial, sink, &*task)?;
        // What comes from this machine is unpacked next, which is told then.
        if !here {
            task.done(None);
        }
        Ok(received)
    }

    /// Like [`Self::download`], but for one of many files that report progress together in `task`: reports only its
    /// pauses.
    pub fn download_part(
        &self,
        wanted: Wanted,
        partial: &Partial,
        sink: &mut dyn Sink,
        task: &dyn Task,
    ) -> Result<Received> {
        self.download_as(wanted, partial, sink, &Pauses(task))
    }

    fn download_as(&self, wanted: Wanted, partial: &Partial, sink: &mut dyn Sink, task: &dyn Task) -> Result<Received> {
        let urls = self.settings.with_mirrors(wanted.urls);
        let mut transfer = Transfer::begin(self, wanted, partial, sink, task)?;
        // The last failure of each URL, unless an earlier one says more.
        let mut failures: BTreeMap<usize, Error> = BTreeMap::new();
        let mut round = 1;
        // The greatest length ever reached. A restart does not lower it: otherwise a server that always fails at the
        // same offset would be retried forever.
        let mut furthest = transfer.have();
        loop {
            let (mut wait, mut passing, mut why) = (None, false, String::new());
            for (place, url) in urls.iter().enumerate() {
                match transfer.fetch_from(url) {
                    Ok(received) => return Ok(received),
                    // Another URL does not help against a fault of this machine, such as a full disk.
                    Err(Trouble { error, .. }) if transfer.has_ended() || error.kind() == Kind::Failure => {
                        return Err(error.about(wanted.name));
                    }
                    Err(Trouble { error, again, after }) => {
                        info!(target: FETCH, "{}: {}: {}", wanted.name, log_url(url), error.message());
                        if again {
                            (passing, why) = (true, retry::why(&error));
                        }
                        wait = wait.max(after);
                        // A wrong digest says more than an unreachable host.
                        let keep = failures
                            .get(&place)
                            .is_some_and(|old| old.kind() == Kind::Mismatch && error.kind() != Kind::Mismatch);
                        if !keep {
                            failures.insert(place, error);
                        }
                    }
                }
            }
            if !passing || round == self.settings.rounds {
                break;
            }
            let wait = wait.unwrap_or_else(|| retry::pause(self.settings.pause, round));
            let (name, rounds, have) = (wanted.name, self.settings.rounds, transfer.have());
            info!(
                target: FETCH,
                "{name}: asked again in {wait:.1?}, after {round} of {rounds} rounds and {}", text::bytes(have)
            );
            task.retry(Retry { number: round, of: rounds.saturating_sub(1), wait, why: &why });
            std::thread::sleep(wait);
            // An unstable connection is retried as long as it makes progress.
            round = if have > furthest + PROGRESS { 1 } else { round + 1 };
            furthest = furthest.max(have);
        }
        Err(told(&urls, failures).about(wanted.name))
    }
}

/// Returns the error to report: the first mismatch, else the failure of the first URL, with the others as facts.
fn told(urls: &[Url], mut failures: BTreeMap<usize, Error>) -> Error {
    let mismatch = failures.iter().find(|(_, error)| error.kind() == Kind::Mismatch).map(|(place, _)| *place);
    let Some(told) = mismatch.or_else(|| failures.keys().next().copied()).and_then(|place| failures.remove(&place))
    else {
        return Error::new(Kind::Invalid, "there is no URL to fetch it from");
    };
    failures
        .into_iter()
        .filter_map(|(place, error)| Some((urls.get(place)?, error)))
        .fold(told, |told, (url, error)| told.fact("also asked", format!("{}: {}", show_url(url), error.message())))
}
