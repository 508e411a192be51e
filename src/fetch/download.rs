//! Downloads: every byte is hashed as it arrives, passed on at once, and kept so that an interrupted run can resume.
//!
//! Servers are not trusted: a 206 must continue exactly at the requested offset, a body must have the announced length,
//! and at the end size and digest decide. After a broken connection the received bytes are kept and only the rest is
//! requested. Bytes of another file (the validator changed) and bytes with a wrong digest are discarded.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};

use bytes::Bytes;
use reqwest::header::{CONTENT_RANGE, IF_RANGE, RANGE, TRANSFER_ENCODING};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};
use tracing::info;
use url::Url;

use super::client::{Fetcher, is_refusal, lasting, local_path, transport_error, validator};
use super::mismatch::Voucher;
use super::registry::SendError;
use super::reply::Reply;
use super::retry;
use crate::digest::Promise;
use crate::digest::{Sha256, Sha256Digest};
use crate::error::{About as _, Error, Kind, Result};
use crate::log::FETCH;
use crate::progress::{Silent, Task, Unit};
use crate::store::Partial;
use crate::text;
use crate::urls::{log_url, show_url};

/// Number of bytes after which write-back to the disk is started, so that the sync at the end is short.
const FLUSH: u64 = 16 << 20;

/// The disk space that a download of unknown size leaves free.
const RESERVE: u64 = 256 << 20;

/// Number of bytes that a round must receive to count as progress.
const PROGRESS: u64 = 1 << 20;

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

/// The origin of the bytes in a partial file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    url: Url,
    validator: Option<String>,
    size: Option<u64>,
}

impl Fetcher {
    /// Downloads into `partial`, feeding `sink`. On success the partial file holds all bytes; the caller publishes it.
    pub fn download(&self, wanted: Wanted, partial: &Partial, sink: &mut dyn Sink) -> Result<Received> {
        let task = self.progress.begin(wanted.name, wanted.promise.map(|promise| promise.size), Unit::Bytes);
        self.download_as(wanted, partial, sink, task)
    }

    /// Like [`Self::download`], but for one of many files that report progress together: reports none itself.
    pub fn download_part(&self, wanted: Wanted, partial: &Partial, sink: &mut dyn Sink) -> Result<Received> {
        self.download_as(wanted, partial, sink, Box::new(Silent))
    }

    fn download_as(
        &self,
        wanted: Wanted,
        partial: &Partial,
        sink: &mut dyn Sink,
        task: Box<dyn Task>,
    ) -> Result<Received> {
        let urls = self.settings.with_mirrors(wanted.urls);
        let mut transfer = Transfer::begin(self, wanted, partial, sink, task)?;
        // The last failure of each URL, unless an earlier one says more.
        let mut failures: BTreeMap<usize, Error> = BTreeMap::new();
        let mut round = 1;
        // The greatest length ever reached. A restart does not lower it: otherwise a server that always fails at the
        // same offset would be retried forever.
        let mut furthest = transfer.have;
        loop {
            let mut wait = None;
            let mut passing = false;
            for (place, url) in urls.iter().enumerate() {
                match transfer.fetch_from(url) {
                    Ok(received) => return Ok(received),
                    // Another URL does not help against a fault of this machine, such as a full disk.
                    Err(Trouble { error, .. }) if transfer.ended || error.kind() == Kind::Failure => {
                        return Err(error.about(wanted.name));
                    }
                    Err(Trouble { error, again, after }) => {
                        info!(target: FETCH, "{}: {}: {}", wanted.name, log_url(url), error.message());
                        passing |= again;
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
            let (name, rounds, have) = (wanted.name, self.settings.rounds, text::bytes(transfer.have));
            info!(target: FETCH, "{name}: asked again in {wait:.1?}, after {round} of {rounds} rounds and {have}");
            std::thread::sleep(wait);
            // An unstable connection is retried as long as it makes progress.
            round = if transfer.have > furthest + PROGRESS { 1 } else { round + 1 };
            furthest = furthest.max(transfer.have);
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

/// The failure of one attempt at one URL: the error, whether a retry makes sense, and after which pause.
struct Trouble {
    error: Error,
    again: bool,
    after: Option<std::time::Duration>,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self { error, again: false, after: None }
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Error::from(error).into()
    }
}

fn passing(error: Error) -> Trouble {
    Trouble { error, again: true, after: None }
}

struct Transfer<'a> {
    fetcher: &'a Fetcher,
    wanted: Wanted<'a>,
    partial: &'a Partial,
    sink: &'a mut dyn Sink,
    task: Box<dyn Task>,
    file: fs_err::File,
    hash: Sha256,
    have: u64,
    state: Option<State>,
    /// The last answer's validator, if it identifies these bytes later.
    lasting: Option<String>,
    /// True if neither a promise nor the server gives the size.
    open_ended: bool,
    /// True if some of the bytes came in an earlier run, or from another URL.
    patched: bool,
    /// True if the sink ended the download.
    ended: bool,
}

impl<'a> Transfer<'a> {
    /// Opens the partial file and takes in the bytes of an earlier run.
    fn begin(
        fetcher: &'a Fetcher,
        wanted: Wanted<'a>,
        partial: &'a Partial,
        sink: &'a mut dyn Sink,
        task: Box<dyn Task>,
    ) -> Result<Self> {
        let state: Option<State> = partial.read_state().and_then(|text| serde_json::from_slice(&text).ok());
        let file = fs_err::File::from_parts(partial.open()?, &partial.data);
        let hash = Sha256::default();
        let mut this = Self {
            fetcher,
            wanted,
            partial,
            sink,
            task,
            file,
            hash,
            have: 0,
            state,
            lasting: None,
            open_ended: false,
            patched: false,
            ended: false,
        };
        // Without a digest to verify or a validator for If-Range, the bytes cannot be continued.
        let usable = wanted.promise.is_some() || this.state.as_ref().is_some_and(|state| state.validator.is_some());
        if usable {
            this.take_in_prefix()?;
        } else {
            this.restart()?;
        }
        Ok(this)
    }

    fn take_in_prefix(&mut self) -> Result<()> {
        // A range beyond the end would be refused. Without a promise the last byte is requested again, which also
        // checks that it is still the same file.
        if self.wanted.promise.is_none()
            && let Some(size) = self.state.as_ref().and_then(|state| state.size)
            && self.file.metadata()?.len() >= size
        {
            self.file.set_len(size.saturating_sub(1))?;
        }
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let count = self.file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            self.hash.update(&buffer[..count]);
            self.sink.take(Bytes::copy_from_slice(&buffer[..count])).about(self.wanted.name)?;
            self.have += count as u64;
            self.task.set_position(self.have);
        }
        self.patched = self.have > 0;
        if self.patched {
            let (name, have) = (self.wanted.name, text::bytes(self.have));
            info!(target: FETCH, "{name}: resumes after the {have} of an earlier run");
        }
        Ok(())
    }

    /// Discards all received bytes.
    fn restart(&mut self) -> Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        if self.have > 0 {
            info!(target: FETCH, "{}: begins again, without the {} so far", self.wanted.name, text::bytes(self.have));
            self.sink.restart()?;
        }
        (self.hash, self.have, self.state, self.patched) = (Sha256::default(), 0, None, false);
        self.partial.forget_state();
        Ok(())
    }

    /// Downloads the rest from `url`.
    fn fetch_from(&mut self, url: &Url) -> Result<Received, Trouble> {
        if let Some(promise) = self.wanted.promise
            && self.have >= promise.size
        {
            return self.judge(url, Some(promise.size));
        }
        self.fetcher.settings.check_for(url, self.wanted.voucher.trust(self.wanted.promise))?;
        if self.state.as_ref().is_some_and(|state| state.url != *url) {
            // Bytes of one URL may only be continued from another if a digest is verified at the end.
            if self.wanted.promise.is_none() {
                self.restart()?;
            }
            self.patched = self.have > 0;
        }
        let size = if let Ok(path) = local_path(url) {
            self.copy_local(&path)?
        } else {
            let fetcher = self.fetcher;
            fetcher.runtime.block_on(self.request(url))?
        };
        self.judge(url, size)
    }

    fn copy_local(&mut self, path: &std::path::Path) -> Result<Option<u64>, Trouble> {
        let mut source = fs_err::File::open(path)
            .map_err(|error| Error::new(Kind::NotFound, "there is no such file").because(&error))?;
        let size = source.metadata()?.len();
        if let Some(promise) = self.wanted.promise
            && promise.size != size
        {
            let url = Url::from_file_path(path).ok();
            let url = url.as_ref().or(self.wanted.urls.first());
            return Err(url
                .map_or_else(|| Error::failure("there is no URL"), |url| self.mismatch(url, promise, size, None))
                .into());
        }
        self.restart()?;
        self.task.set_total(size);
        let mut buffer = vec![0; 256 * 1024];
        loop {
            // With an unreadable disk block this copy is lost, but another URL may have the file.
            let count = source
                .read(&mut buffer)
                .map_err(|error| Error::new(Kind::Mismatch, "the file cannot be read to its end").because(&error))?;
            if count == 0 || self.have > size {
                return Ok(Some(size));
            }
            self.add(Bytes::copy_from_slice(&buffer[..count]))?;
        }
    }

    /// Sends one request and receives its body. Returns the size of the whole file that the server announced.
    async fn request(&mut self, url: &Url) -> Result<Option<u64>, Trouble> {
        let _permit = self.fetcher.permit(url).await;
        let known = self.state.as_ref().is_some_and(|state| state.url == *url && state.validator.is_some());
        if self.have > 0 && !known && self.wanted.promise.is_none() {
            // Nothing would show that the rest belongs to the same file.
            self.restart()?;
        }
        let mut request = self.fetcher.request(Method::GET, url);
        if self.have > 0 {
            request = request.header(RANGE, format!("bytes={}-", self.have));
            let validator =
                self.state.as_ref().filter(|state| state.url == *url).and_then(|state| state.validator.clone());
            if let Some(validator) = validator {
                request = request.header(IF_RANGE, validator);
            }
        }
        let response = self.fetcher.send(url, request).await.map_err(|error| match error {
            SendError::Login(error) => error.into(),
            SendError::Transport(error) => {
                Trouble { again: !error.is_redirect(), ..transport_error(url, &error).into() }
            }
        })?;
        let size = self.accept(url, &response)?;
        self.receive(url, response, size).await?;
        Ok(size)
    }

    /// Checks status and framing. Returns the size of the whole file, if it is known.
    fn accept(&mut self, url: &Url, response: &Reply) -> Result<Option<u64>, Trouble> {
        let size = match response.status() {
            StatusCode::OK => {
                let size = response.content_length();
                // An error page of a proxy must not discard the received bytes.
                if let (Some(promise), Some(size)) = (self.wanted.promise, size)
                    && promise.size != size
                {
                    return Err(self.mismatch(url, promise, size, None).into());
                }
                // The file changed, or the server does not support ranges: the answer is the whole file.
                if self.have > 0 {
                    self.restart()?;
                }
                size
            }
            StatusCode::PARTIAL_CONTENT if self.have > 0 => Some(self.check_range(url, response)?),
            StatusCode::RANGE_NOT_SATISFIABLE if self.have > 0 => {
                self.restart()?;
                return Err(passing(self.fetcher.refused(url, response.status(), response.headers())));
            }
            status if status.is_success() => {
                return Err(Error::new(
                    Kind::Mismatch,
                    format!("the server answered {status} to a request for a whole file"),
                )
                .fact("url", show_url(url))
                .into());
            }
            status => {
                let error = self.fetcher.refused(url, status, response.headers());
                let if_gone = self.wanted.if_gone.filter(|_| is_refusal(&error));
                return Err(Trouble {
                    error: if let Some(hint) = if_gone { error.hint(hint) } else { error },
                    again: retry::is_passing(status),
                    after: retry::retry_after(response.headers()),
                });
            }
        };
        if let (Some(promise), Some(size)) = (self.wanted.promise, size)
            && promise.size != size
        {
            return Err(self.mismatch(url, promise, size, None).into());
        }
        if self.wanted.promise.is_none() {
            if size.is_some_and(|size| size > self.fetcher.settings.largest) {
                return Err(self.too_large(url, size).into());
            }
            self.demand_space(size.map_or(0, |size| size.saturating_sub(self.have)))?;
        }
        self.open_ended = size.is_none() && self.wanted.promise.is_none();
        self.lasting = lasting(response.headers());
        let chunked =
            response.headers().contains_key(TRANSFER_ENCODING) || response.version() >= reqwest::Version::HTTP_2;
        if size.is_none() && !chunked && self.wanted.promise.is_none() {
            return Err(Error::new(
                Kind::Mismatch,
                "the server does not say how long the file is, so a truncated download would go unnoticed",
            )
            .fact("url", show_url(url))
            .into());
        }
        let state = State { url: url.clone(), validator: validator(response.headers()), size };
        if self.state.as_ref() != Some(&state) {
            let text = serde_json::to_vec(&state)
                .map_err(|error| Error::failure("cannot write the state of a download").because(&error))?;
            self.partial.write_state(&text)?;
            self.state = Some(state);
        }
        if let Some(size) = size {
            self.task.set_total(size);
        }
        Ok(size)
    }

    /// Fails unless `Content-Range: bytes FIRST-LAST/TOTAL` continues at our offset to the end. Returns the total.
    fn check_range(&mut self, url: &Url, response: &Reply) -> Result<u64, Trouble> {
        let text =
            response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or("nothing").to_owned();
        let parsed = text.strip_prefix("bytes ").and_then(|text| text.split_once('/')).and_then(|(range, total)| {
            let (first, last) = range.split_once('-')?;
            Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?, total.parse::<u64>().ok()?))
        });
        match parsed {
            Some((first, last, total))
                if first == self.have && last.checked_add(1) == Some(total) && self.continues_ours(response, total) =>
            {
                Ok(total)
            }
            _ => {
                let error =
                    Error::new(Kind::Mismatch, "the server sent another part of the file than it was asked for")
                        .fact("url", show_url(url))
                        .fact("asked", format!("bytes {}-", self.have))
                        .fact("sent", text);
                // The same server may answer correctly without a range.
                self.restart()?;
                Err(passing(error))
            }
        }
    }

    /// Returns whether this response continues our partial file. With a digest to check at the end, validators need not
    /// match.
    fn continues_ours(&self, response: &Reply, total: u64) -> bool {
        let before = self.state.as_ref();
        self.wanted.promise.is_some()
            || before.is_some_and(|state| {
                state.validator == validator(response.headers()) && state.size.is_none_or(|size| size == total)
            })
    }

    async fn receive(&mut self, url: &Url, mut response: Reply, size: Option<u64>) -> Result<(), Trouble> {
        let (window, floor) = (self.fetcher.settings.window, self.fetcher.settings.floor);
        let most = self.wanted.promise.map(|promise| promise.size).or(size).unwrap_or(self.fetcher.settings.largest);
        let (mut since, mut at) = (Instant::now(), self.have);
        loop {
            let chunk = match timeout(window, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(passing(self.broke_off(url, size, &transport_error(url, &error)))),
                Err(_) => return Err(passing(stalled(url))),
            };
            if self.have + chunk.len() as u64 > most {
                let promise = self.wanted.promise;
                let received = self.have + chunk.len() as u64;
                self.restart()?;
                let error = match promise {
                    Some(promise) => self.mismatch(url, promise, received, None),
                    None if size.is_none() => self.too_large(url, None),
                    None => {
                        Error::new(Kind::Mismatch, "the server sent more than it promised").fact("url", show_url(url))
                    }
                };
                return Err(error.into());
            }
            self.add(chunk)?;
            if since.elapsed() >= window {
                if self.have - at < floor {
                    return Err(passing(stalled(url)));
                }
                (since, at) = (Instant::now(), self.have);
            }
        }
    }

    fn add(&mut self, bytes: Bytes) -> Result<()> {
        if let Err(error) = self.file.write_all(&bytes) {
            // Part of the bytes may be written: file and hash must agree.
            self.file.set_len(self.have)?;
            self.file.seek(SeekFrom::Start(self.have))?;
            return Err(error.into());
        }
        self.hash.update(&bytes);
        let before = self.have;
        self.have += bytes.len() as u64;
        if before / FLUSH < self.have / FLUSH {
            // Linux starts write-back of dirty pages without waiting, and drops clean ones from the cache.
            let _ = rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::DontNeed);
            if self.open_ended {
                self.demand_space(RESERVE)?;
            }
        }
        self.sink.take(bytes).inspect_err(|_| self.ended = true)?;
        self.task.set_position(self.have);
        Ok(())
    }

    /// Verifies the finished body against the promise or the announced size.
    fn judge(&mut self, url: &Url, size: Option<u64>) -> Result<Received, Trouble> {
        let expected = self.wanted.promise.map(|promise| promise.size).or(size);
        if let Some(size) = expected
            && self.have < size
        {
            return Err(passing(self.broke_off(url, Some(size), &Error::failure("the connection was closed"))));
        }
        let digest = self.hash.clone().finish();
        if let Some(promise) = self.wanted.promise
            && (promise.size != self.have || promise.digest != digest)
        {
            let error = self.mismatch(url, promise, self.have, Some(digest));
            // The fault may be in bytes of an earlier run or another URL: retry once from the beginning.
            let again = self.patched;
            self.restart()?;
            return Err(Trouble { error, again, after: Some(std::time::Duration::ZERO) });
        }
        Ok(Received { url: url.clone(), size: self.have, digest, validator: self.lasting.take() })
    }

    /// Fails if the disk has no room for this many more bytes.
    fn demand_space(&self, more: u64) -> Result<()> {
        let free = rustix::fs::fstatvfs(&self.file).map_err(std::io::Error::from)?;
        let free = free.f_bavail.saturating_mul(free.f_frsize);
        if free >= more {
            return Ok(());
        }
        Err(Error::failure("there is not enough space for the download")
            .fact("needed", text::bytes(more))
            .fact("free", text::bytes(free))
            .hint("free some space, or put the store elsewhere with --store"))
    }

    fn too_large(&self, url: &Url, size: Option<u64>) -> Error {
        let sent = size.map_or_else(|| "more, with no end announced".to_owned(), text::bytes);
        Error::new(Kind::Mismatch, "the file is larger than expected")
            .fact("url", show_url(url))
            .fact("expected", format!("at most {}", text::bytes(self.fetcher.settings.largest)))
            .fact("sent", sent)
            .hint("if that is right, set `largest-bytes` in the configuration")
    }

    fn broke_off(&self, url: &Url, size: Option<u64>, cause: &Error) -> Error {
        let promised = size.map_or_else(|| "unknown".to_owned(), |size| format!("{size} bytes"));
        Error::new(Kind::Mismatch, "the download broke off")
            .fact("url", show_url(url))
            .fact("promised", promised)
            .fact("received", format!("{} bytes", self.have))
            .because(cause)
            .hint("run the same command again: it resumes here")
    }

    fn mismatch(&self, url: &Url, promise: Promise, size: u64, digest: Option<Sha256Digest>) -> Error {
        self.wanted.voucher.mismatch(url, promise, (size, digest), self.wanted.name)
    }
}

fn stalled(url: &Url) -> Error {
    Error::new(Kind::Unreachable, "the server stopped sending").fact("url", show_url(url))
}
