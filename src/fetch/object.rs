//! Requests to object stores, whose addresses are signed: each attempt has a signature of its own, and none is shown or
//! logged.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, StatusCode};
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::info;
use url::Url;

use super::Fetcher;
use super::client::transport_error;
use super::reply::send;
use super::retry;
use super::transfer::Trouble;
use crate::error::{Error, Kind, Result};
use crate::log::FETCH;
use crate::urls::{log_url, server, show_url};

/// Number of bytes that are read from a file at a time.
const PIECE: u64 = 256 << 10;
/// Time between two reports of progress.
const TICK: Duration = Duration::from_millis(200);
/// Bytes that a connection must take in the time in which one must deliver some.
const FLOOR: u64 = 1 << 20;

/// A request to an object store.
pub struct ObjectRequest<'a> {
    /// The method.
    pub method: Method,
    /// The address without a signature, for messages.
    pub shown: &'a Url,
    /// Returns the signed address.
    pub sign: &'a (dyn Fn() -> Url + Sync),
    /// Headers.
    pub headers: Vec<(HeaderName, String)>,
    /// The contents that are sent.
    pub body: ObjectBody<'a>,
    /// Greatest size of the answer's body, in bytes; of a longer one the rest is not read.
    pub limit: u64,
}

/// The body of a request to an object store.
pub enum ObjectBody<'a> {
    /// Bytes, perhaps none.
    Bytes(Bytes),
    /// A file of this size. The function receives the number of bytes that were sent.
    File(&'a File, u64, &'a (dyn Fn(u64) + Sync)),
}

/// An answer of an object store, of any status that does not pass.
pub struct ObjectAnswer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, with one byte more than the limit if it is longer.
    pub body: Vec<u8>,
}

impl Fetcher {
    /// Sends a request to an object store, again after failures that may pass.
    pub fn object(&self, request: &ObjectRequest) -> Result<ObjectAnswer> {
        self.settings.check(request.shown)?;
        let mut round = 1;
        loop {
            let tried = self.runtime.block_on(async {
                let _permit = self.document_permit(request.shown).await;
                self.try_object(request).await
            });
            match tried {
                Ok(answer) => return Ok(answer),
                Err(Trouble { error, again, .. }) if !again || round >= self.settings.rounds => return Err(error),
                Err(Trouble { error, after, .. }) => {
                    let wait = after.unwrap_or_else(|| retry::pause(self.settings.pause, round));
                    info!(target: FETCH, "{}: {}; retry in {wait:.1?}", log_url(request.shown), error.message());
                    std::thread::sleep(wait);
                    round += 1;
                }
            }
        }
    }

    async fn try_object(&self, request: &ObjectRequest<'_>) -> Result<ObjectAnswer, Trouble> {
        let task = self.requesting(&server(request.shown));
        let size = match &request.body {
            ObjectBody::Bytes(bytes) => bytes.len() as u64,
            ObjectBody::File(_, size, _) => *size,
        };
        let windows = 10 + u32::try_from((request.limit + size) / FLOOR).unwrap_or(u32::MAX);
        let mut builder = self.uploads()?.request(request.method.clone(), (request.sign)());
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let passed = Arc::new(AtomicU64::new(0));
        builder = match &request.body {
            ObjectBody::Bytes(bytes) => builder.body(bytes.clone()),
            ObjectBody::File(file, size, _) => {
                let file = Arc::new(file.try_clone()?);
                let body = FileBody { file, at: 0, left: *size, reading: None, passed: Arc::clone(&passed) };
                builder.body(reqwest::Body::wrap(body))
            }
        };
        let answer = async {
            let broken = |error: reqwest::Error| Trouble {
                again: !error.is_redirect(),
                ..transport_error(request.shown, &error).into()
            };
            let mut reply = send(builder).await.map_err(broken)?;
            let (status, headers) = (reply.status(), reply.headers().clone());
            if retry::is_passing(status) && status != StatusCode::NOT_IMPLEMENTED {
                let error = Error::new(Kind::Unreachable, format!("the server answered {status}"));
                let error = error.fact("url", show_url(request.shown));
                return Err(Trouble { after: retry::retry_after(&headers), ..Trouble::passing(error) });
            }
            let mut body = Vec::new();
            while body.len() as u64 <= request.limit
                && let Some(chunk) = reply.chunk().await.map_err(broken)?
            {
                body.extend_from_slice(&chunk);
                task.set_position(body.len() as u64);
            }
            body.truncate(usize::try_from(request.limit.saturating_add(1)).unwrap_or(usize::MAX));
            Ok(ObjectAnswer { status, headers, body })
        };
        let late = || {
            let error = Error::new(Kind::Unreachable, "the server took too long to answer");
            Trouble::passing(error.fact("url", show_url(request.shown)))
        };
        let limited = tokio::time::timeout(self.settings.window.saturating_mul(windows), answer);
        let mut limited = pin!(limited);
        loop {
            match tokio::time::timeout(TICK, limited.as_mut()).await {
                Ok(answer) => return answer.unwrap_or_else(|_| Err(late())),
                Err(_) => {
                    if let ObjectBody::File(_, _, sent) = &request.body {
                        sent(passed.load(Ordering::Relaxed));
                    }
                }
            }
        }
    }
}

/// A file as the body of a request, read piece by piece.
struct FileBody {
    file: Arc<File>,
    at: u64,
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    passed: Arc<AtomicU64>,
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let (file, at, size) = (Arc::clone(&self.file), self.at, self.left.min(PIECE));
        let reading = self.reading.get_or_insert_with(|| {
            spawn_blocking(move || {
                let mut bytes = vec![0; size as usize];
                file.read_exact_at(&mut bytes, at).map(|()| bytes.into())
            })
        });
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let bytes: Bytes = read.map_err(io::Error::other).and_then(|read| read)?;
        self.at += bytes.len() as u64;
        self.left -= bytes.len() as u64;
        self.passed.store(self.at, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
