//! One download on its way into a partial file: the request for the rest, the bytes as they arrive, the digest at the
//! end.

mod answer;
mod resume;
mod trouble;

use std::io::{Read, Seek, SeekFrom, Write};

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{IF_RANGE, RANGE};
use tokio::time::{Instant, timeout};
use url::Url;

use super::client::{Fetcher, local_path, transport_error};
use super::download::{Received, Sink, Wanted};
use super::registry::SendError;
use super::reply::Reply;
use crate::digest::{Promise, Sha256, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::progress::Task;
use crate::store::Partial;
use crate::text;
use crate::urls::show_url;

use resume::State;
pub(super) use trouble::Trouble;
use trouble::{broke_off, stalled, too_large};

/// Number of bytes after which write-back to the disk is started, so that the sync at the end is short.
const FLUSH: u64 = 16 << 20;

/// The disk space that a download of unknown size leaves free.
const RESERVE: u64 = 256 << 20;

/// A download on its way.
pub(super) struct Transfer<'a> {
    fetcher: &'a Fetcher,
    wanted: Wanted<'a>,
    partial: &'a Partial,
    sink: &'a mut dyn Sink,
    task: &'a dyn Task,
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
    pub fn begin(
        fetcher: &'a Fetcher,
        wanted: Wanted<'a>,
        partial: &'a Partial,
        sink: &'a mut dyn Sink,
        task: &'a dyn Task,
    ) -> Result<Self> {
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
            state: State::of(partial),
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

    /// Returns the number of bytes so far.
    pub fn have(&self) -> u64 {
        self.have
    }

    /// Returns whether the sink ended the download.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Downloads the rest from `url`.
    pub fn fetch_from(&mut self, url: &Url) -> Result<Received, Trouble> {
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

    async fn receive(&mut self, url: &Url, mut response: Reply, size: Option<u64>) -> Result<(), Trouble> {
        let (window, floor) = (self.fetcher.settings.window, self.fetcher.settings.floor);
        let most = self.wanted.promise.map(|promise| promise.size).or(size).unwrap_or(self.fetcher.settings.largest);
        let (mut since, mut at) = (Instant::now(), self.have);
        loop {
            let chunk = match timeout(window, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => {
                    return Err(Trouble::passing(broke_off(url, size, self.have, &transport_error(url, &error))));
                }
                Err(_) => return Err(Trouble::passing(stalled(url))),
            };
            if self.have + chunk.len() as u64 > most {
                let promise = self.wanted.promise;
                let received = self.have + chunk.len() as u64;
                self.restart()?;
                let error = match promise {
                    Some(promise) => self.mismatch(url, promise, received, None),
                    None if size.is_none() => too_large(url, None, self.fetcher.settings.largest),
                    None => {
                        Error::new(Kind::Mismatch, "the server sent more than it promised").fact("url", show_url(url))
                    }
                };
                return Err(error.into());
            }
            self.add(chunk)?;
            if since.elapsed() >= window {
                if self.have - at < floor {
                    return Err(Trouble::passing(stalled(url)));
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
            return Err(Trouble::passing(broke_off(
                url,
                Some(size),
                self.have,
                &Error::failure("the connection was closed"),
            )));
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

    fn mismatch(&self, url: &Url, promise: Promise, size: u64, digest: Option<Sha256Digest>) -> Error {
        self.wanted.voucher.mismatch(url, promise, (size, digest), self.wanted.name)
    }
}
