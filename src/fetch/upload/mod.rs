//! Sends blobs to a container registry: in chunks, continued where the registry says that it stands.
//!
//! Protocol (OCI Distribution Specification 1.1, "Pushing a blob in chunks"): POST opens an upload and names its
//! address, each PATCH appends a chunk and names the next address, PUT with the digest ends it. After a failure GET
//! says how many bytes have arrived. A process that was killed leaves nothing to continue: the next one asks for each
//! blob first, and blobs are small enough to be sent again.
//!
//! Addresses are the registry's choice. One on another host gets no credentials, and none leads from https to http.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use reqwest::{Method, RequestBuilder, StatusCode};
use tokio::time::timeout;
use tracing::info;
use url::Url;

use super::client::{Fetcher, transport_error};
use super::download::PROGRESS;
use super::registry::SendError;
use super::registry_writer::join;
use super::reply::Reply;
use super::retry;
use super::transfer::Trouble;
use crate::digest::Promise;
use crate::error::{Error, Kind, Result};
use crate::log::FETCH;
use crate::progress::{Retry, Task};
use crate::urls::{log_url, show_url};

/// Size of a chunk in bytes. Smaller blobs are sent whole.
const CHUNK: u64 = 16 << 20;
/// Size of a chunk for registries that refuse larger ones as too large.
const SMALL_CHUNK: u64 = 4 << 20;
/// Greatest size of a chunk that a registry may demand.
const LARGEST_CHUNK: u64 = 256 << 20;
/// Bytes that a connection must take in the time in which one must deliver some (`window`).
const FLOOR: u64 = 1 << 20;

/// A blob to send.
pub struct Upload<'a> {
    /// The base address of the repository.
    pub base: &'a Url,
    /// Digest and size of the blob.
    pub blob: Promise,
    /// A file with its bytes.
    pub file: &'a File,
    /// Receives the number of bytes that the registry has taken so far.
    pub sent: &'a (dyn Fn(u64) + Sync),
    /// The task that pauses are reported to.
    pub task: &'a dyn Task,
}

/// An upload that the registry has opened.
struct Open {
    /// The address of the next request.
    url: Url,
    /// Number of bytes that the registry has.
    at: u64,
    /// Size of the chunks.
    chunk: u64,
    /// True after a failure: the registry must be asked where it stands.
    is_doubtful: bool,
}

impl Fetcher {
    /// Sends a blob.
    pub fn upload(&self, upload: &Upload) -> Result<()> {
        self.settings.check(upload.base)?;
        let (mut open, mut chunk, mut furthest, mut round) = (None, CHUNK, 0, 1);
        loop {
            let trouble = match self.runtime.block_on(self.attempt(upload, &mut open, chunk)) {
                Ok(()) => return Ok(()),
                Err(trouble) => trouble,
            };
            let (have, rounds) = (open.as_ref().map_or(0, |open| open.at), self.settings.rounds);
            // An unstable connection is retried as long as it makes progress.
            if have >= furthest + PROGRESS {
                (round, furthest) = (1, have);
            }
            let too_large = trouble.error.message() == TOO_LARGE && chunk > SMALL_CHUNK;
            if too_large {
                (open, chunk) = (None, SMALL_CHUNK);
            } else if !trouble.again || round >= rounds {
                return Err(trouble.error);
            }
            let wait = trouble.after.unwrap_or_else(|| retry::pause(self.settings.pause, round));
            let wait = if too_large { Duration::ZERO } else { wait };
            info!(target: FETCH, "{}: {}; retry in {wait:.1?}", log_url(upload.base), trouble.error.message());
            upload.task.retry(Retry { number: round, of: rounds - 1, wait, why: &retry::why(&trouble.error) });
            std::thread::sleep(wait);
            round += 1;
        }
    }

    /// Opens an upload or continues one, and sends the rest.
    async fn attempt(&self, upload: &Upload<'_>, kept: &mut Option<Open>, chunk: u64) -> Result<(), Trouble> {
        let _permit = self.permit(upload.base).await;
        if let Some(open) = kept.as_mut().filter(|open| open.is_doubtful)
            && !self.ask_where(upload, open).await?
        {
            *kept = None;
        }
        let open = match kept {
            Some(open) => open,
            None => kept.insert(self.open(upload, chunk).await?),
        };
        // Until the end is reached, any failure leaves it unknown what arrived.
        open.is_doubtful = true;
        let size = upload.blob.size;
        (upload.sent)(open.at);
        // What is left in the end goes along with the last request, if it is short.
        while size - open.at > open.chunk {
            let length = open.chunk.min(size - open.at);
            let body = read(upload.file, open.at, length)?;
            let range = format!("{}-{}", open.at, open.at + length - 1);
            let request = self.to(upload, &open.url, Method::PATCH)?.header(CONTENT_RANGE, range);
            let answer = self.exchange_of(upload, &open.url, request, body).await?;
            open.at += length;
            if reached(&answer).is_some_and(|reached| reached != open.at) {
                return Err(Trouble::passing(out_of_step(upload.base)));
            }
            open.url = self.location(upload, &open.url, &answer)?;
            (upload.sent)(open.at);
        }
        let body = read(upload.file, open.at, size - open.at)?;
        let mut last = open.url.clone();
        last.query_pairs_mut().append_pair("digest", &upload.blob.digest.to_string());
        let request = self.to(upload, &last, Method::PUT)?;
        let answer = self.exchange_of(upload, &last, request, body).await?;
        let stored = answer.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
        if stored.is_some_and(|stored| stored != upload.blob.digest.to_string()) {
            return Err(Error::new(Kind::Mismatch, "the registry stored another blob than it was sent")
                .fact("url", show_url(upload.base))
                .fact("sent", upload.blob.digest)
                .into());
        }
        (upload.sent)(size);
        Ok(())
    }

    /// Opens an upload.
    async fn open(&self, upload: &Upload<'_>, chunk: u64) -> Result<Open, Trouble> {
        let url = join(upload.base, "blobs/uploads/")?;
        let request = self.to(upload, &url, Method::POST)?.header(CONTENT_LENGTH, "0");
        let answer = self.exchange_of(upload, &url, request, Bytes::new()).await?;
        let least = answer.headers().get("oci-chunk-min-length").and_then(|value| value.to_str().ok()?.parse().ok());
        let chunk = chunk.max(least.unwrap_or(0)).min(LARGEST_CHUNK);
        Ok(Open { url: self.location(upload, &url, &answer)?, at: 0, chunk, is_doubtful: false })
    }

    /// Asks how many bytes of an upload have arrived. Returns `false` if the registry does not know it any more.
    async fn ask_where(&self, upload: &Upload<'_>, open: &mut Open) -> Result<bool, Trouble> {
        let request = self.to(upload, &open.url, Method::GET)?;
        let answer = match self.exchange_of(upload, &open.url, request, Bytes::new()).await {
            Err(Trouble { error, .. }) if matches!(error.kind(), Kind::NotFound | Kind::Mismatch) => return Ok(false),
            other => other?,
        };
        let Some(at) = reached(&answer).filter(|at| *at <= upload.blob.size) else { return Ok(false) };
        open.at = at;
        if answer.headers().contains_key(LOCATION) {
            open.url = self.location(upload, &open.url, &answer)?;
        }
        Ok(true)
    }

    /// Returns a request to an address of an upload, with the login if the address is in the repository.
    fn to(&self, upload: &Upload, url: &Url, method: Method) -> Result<RequestBuilder> {
        let request = self.uploads()?.request(method, url.clone());
        // Any other address has its secret in it.
        let is_ours = url.as_str().starts_with(upload.base.as_str());
        Ok(if is_ours { self.with_login(request, url) } else { request })
    }

    /// Sends a request with this body. Returns a successful answer.
    async fn exchange_of(
        &self,
        upload: &Upload<'_>,
        url: &Url,
        request: RequestBuilder,
        body: Bytes,
    ) -> Result<Reply, Trouble> {
        let windows = 1 + u32::try_from(body.len() as u64 / FLOOR).unwrap_or(u32::MAX);
        let limit = self.settings.window.saturating_mul(windows);
        let request = if body.is_empty() { request } else { request.header(CONTENT_TYPE, "application/octet-stream") };
        let request = request.timeout(limit).body(body);
        let late = || {
            Trouble::passing(
                Error::new(Kind::Unreachable, "the registry stopped taking bytes").fact("url", show_url(upload.base)),
            )
        };
        let sent = timeout(limit, self.send(url, request)).await.map_err(|_| late())?;
        let answer = sent.map_err(|error| match error {
            SendError::Login(error) => error.into(),
            SendError::Transport(error) => {
                Trouble { again: !error.is_redirect(), ..transport_error(url, &error).into() }
            }
        })?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Error::new(Kind::Failure, TOO_LARGE).fact("url", show_url(upload.base)).into())
            }
            // It forgot the upload, or has another number of bytes than we think, or got other bytes than we sent.
            StatusCode::NOT_FOUND | StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::BAD_REQUEST
                if url.path().contains("/upload") =>
            {
                let error = Error::new(Kind::Mismatch, "the registry does not accept the rest of an upload");
                Err(Trouble::passing(error.fact("url", show_url(upload.base)).fact("answer", answer.status())))
            }
            status => Err(Trouble {
                error: self.refused(url, status, answer.headers()),
                again: retry::is_passing(status),
                after: retry::retry_after(answer.headers()),
            }),
        }
    }

    /// Returns the address that an answer names for the next request.
    fn location(&self, upload: &Upload, asked: &Url, answer: &Reply) -> Result<Url, Trouble> {
        let wrong = |why: &str| {
            Error::new(Kind::Mismatch, format!("the registry names an address that cannot be used: {why}"))
                .fact("url", show_url(upload.base))
        };
        let text = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let text = text.ok_or_else(|| wrong("it names none"))?;
        let url = asked.join(text).map_err(|_| wrong("it is not a URL"))?;
        self.settings.may_follow(std::slice::from_ref(upload.base), &url).map_err(|why| wrong(&why))?;
        Ok(url)
    }
}

/// Message of a registry that refuses a chunk for its size.
const TOO_LARGE: &str = "the registry refuses a chunk of this size";

/// Returns the number of bytes of `Range: 0-LAST`. Of an upload without bytes registries say `0-0`.
fn reached(answer: &Reply) -> Option<u64> {
    let text = answer.headers().get(RANGE)?.to_str().ok()?;
    let last: u64 = text.trim_start_matches("bytes=").strip_prefix("0-")?.parse().ok()?;
    if last == 0 { Some(0) } else { last.checked_add(1) }
}

fn read(file: &File, at: u64, length: u64) -> Result<Bytes> {
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes.into())
}

fn out_of_step(base: &Url) -> Error {
    Error::new(Kind::Mismatch, "the registry has another number of bytes than it was sent").fact("url", show_url(base))
}
