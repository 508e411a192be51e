//! Reads parts of a remote file without downloading it.

use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Method, StatusCode};
use tracing::info;
use url::Url;

use super::Fetcher;
use super::client::{local_path, transport_error};
use super::retry;
use super::transfer::Trouble;
use crate::error::{Error, Kind, Result};
use crate::log::FETCH;
use crate::urls::{log_url, server, show_url};

/// Size of the first requested part, in bytes; each part that directly follows is twice as large as the one before.
const FIRST: u64 = 256 << 10;
/// Greatest size of a part, in bytes.
const LARGEST: u64 = 8 << 20;

/// A remote file, read in parts on demand. Skipped parts are not requested.
pub struct Remote<'a> {
    fetcher: &'a Fetcher,
    urls: Vec<Url>,
    size: u64,
    at: u64,
    part: Bytes,
    /// The offset of the part.
    start: u64,
    next: u64,
}

impl<'a> Remote<'a> {
    /// Returns the file of `size` bytes that each of `urls`, and of their mirrors, has.
    #[must_use]
    pub fn new(fetcher: &'a Fetcher, urls: &[Url], size: u64) -> Self {
        let urls = fetcher.settings().with_mirrors(urls);
        Self { fetcher, urls, size, at: 0, part: Bytes::new(), start: 0, next: FIRST }
    }

    fn ask(&mut self) -> Result<()> {
        let goes_on = self.at == self.start + self.part.len() as u64;
        self.next = if goes_on && !self.part.is_empty() { (self.next * 2).min(LARGEST) } else { FIRST };
        let length = self.next.min(self.size - self.at);
        let mut failure = None;
        for url in &self.urls {
            match self.fetcher.part(url, self.at, length, self.size) {
                Ok(part) => {
                    (self.part, self.start) = (part, self.at);
                    return Ok(());
                }
                Err(trouble) => failure = failure.or(Some(trouble.error)),
            }
        }
        Err(failure.unwrap_or_else(|| Error::failure("there is no URL to ask")))
    }
}

impl Read for Remote<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        let end = self.start + self.part.len() as u64;
        if self.at < self.start || self.at >= end {
            self.ask().map_err(io::Error::other)?;
        }
        let rest = self.part.get((self.at - self.start) as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Remote<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl Fetcher {
    /// Returns `length` bytes at `offset` of a file of `size` bytes, and asks again if they break off. Only the connection
    /// protects them.
    pub fn file_part(&self, url: &Url, offset: u64, length: u64, size: u64) -> Result<Bytes> {
        let mut round = 1;
        loop {
            match self.part(url, offset, length, size) {
                Ok(bytes) => return Ok(bytes),
                Err(Trouble { error, again, .. }) if !again || round >= self.settings.rounds => return Err(error),
                Err(Trouble { error, .. }) => {
                    let wait = retry::pause(self.settings.pause, round);
                    info!(target: FETCH, "{}: {}; retry in {wait:.1?}", log_url(url), error.message());
                    std::thread::sleep(wait);
                    round += 1;
                }
            }
        }
    }

    /// Returns a part of a file, like [`Self::file_part`], or the trouble of a single attempt.
    fn part(&self, url: &Url, offset: u64, length: u64, size: u64) -> Result<Bytes, Trouble> {
        self.settings.check(url)?;
        let other = |found: String| {
            Error::new(Kind::Mismatch, "the server sent another part of the file than it was asked for")
                .fact("url", show_url(url))
                .fact("asked", format!("bytes {offset}-{} of {size}", offset + length - 1))
                .fact("sent", found)
        };
        if let Ok(path) = local_path(url) {
            let mut file = fs_err::File::open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::new();
            file.take(length).read_to_end(&mut bytes)?;
            return if bytes.len() as u64 == length { Ok(bytes.into()) } else { Err(other("less".to_owned()).into()) };
        }
        let limit = self.settings.window.saturating_mul(10);
        let task = self.requesting(&server(url));
        let answer = async {
            let _permit = self.permit(url).await;
            let range = format!("bytes={offset}-{}", offset + length - 1);
            let mut response = self.ask(url, self.request(Method::GET, url).header(RANGE, range), &*task).await?;
            let text = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let wanted = format!("bytes {offset}-{}/{size}", offset + length - 1);
            // A server without support for ranges sends the whole file, whose beginning is enough for offset 0.
            let fits = match response.status() {
                StatusCode::PARTIAL_CONTENT => text == wanted,
                status => status == StatusCode::OK && offset == 0,
            };
            if !fits {
                return Err(other(format!("{} {text}", response.status())).into());
            }
            let mut bytes = Vec::with_capacity(length as usize);
            while (bytes.len() as u64) < length {
                let chunk = response.chunk().await;
                let Some(chunk) = chunk.map_err(|error| Trouble::passing(transport_error(url, &error)))? else { break };
                bytes.extend_from_slice(&chunk);
            }
            if (bytes.len() as u64) < length {
                return Err(Trouble::passing(other(format!("{} bytes", bytes.len()))));
            }
            bytes.truncate(length as usize);
            Ok(Bytes::from(bytes))
        };
        let late =
            || Error::new(Kind::Unreachable, "the server took too long to send a part").fact("url", show_url(url));
        self.runtime.block_on(async {
            tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| Err(Trouble::passing(late())))
        })
    }
}
