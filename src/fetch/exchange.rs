//! Single requests with streamed answers, for protocols with rules of their own: git's smart HTTP.
//!
//! The fetcher decides on schemes, redirects, proxies and timeouts; the caller on statuses, logins and retries.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use reqwest::{Client, Method};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use url::Url;

use super::Fetcher;
use super::client::transport_error;
use super::policy::Settings;
use super::reply::{Reply, send};
use crate::error::{Error, Kind, Result};
use crate::progress::Progress;
use crate::urls::show_url;

/// Sends requests with a fetcher's client, without borrowing the fetcher. Its methods block.
#[derive(Clone)]
pub struct Exchange {
    client: Client,
    runtime: Handle,
    settings: Settings,
    progress: Arc<dyn Progress>,
}

/// A request.
pub struct Request<'a> {
    /// The address.
    pub url: &'a Url,
    /// The User-Agent.
    pub agent: &'a str,
    /// The media type that is wanted.
    pub accept: &'a str,
    /// User and password.
    pub login: Option<&'a (String, String)>,
    /// Type and bytes of the body of a POST; `None` for a GET.
    pub body: Option<(&'a str, Vec<u8>)>,
}

/// An answer of any status.
pub struct Answer {
    response: Reply,
    runtime: Handle,
}

impl Fetcher {
    /// Returns an [`Exchange`] with the settings of this fetcher.
    #[must_use]
    pub fn exchange(&self) -> Exchange {
        Exchange {
            client: self.client.clone(),
            runtime: self.runtime.handle().clone(),
            settings: self.settings.clone(),
            progress: Arc::clone(&self.progress),
        }
    }
}

impl Exchange {
    /// Sends a request and follows redirects.
    pub fn send(&self, request: Request) -> Result<Answer> {
        let Request { url, agent, accept, login, body } = request;
        self.settings.check(url)?;
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut builder = self.client.request(method, url.clone()).header(USER_AGENT, agent).header(ACCEPT, accept);
        if let Some((user, password)) = login {
            builder = builder.basic_auth(user, Some(password));
        }
        if let Some((kind, bytes)) = body {
            builder = builder.header(CONTENT_TYPE, kind).body(bytes);
        }
        let response =
            self.runtime.block_on(async { send(builder).await }).map_err(|error| transport_error(url, &error))?;
        Ok(Answer { response, runtime: self.runtime.clone() })
    }

    /// Runs a future. Returns `None` if it takes longer than `limit`.
    pub fn within<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(async { tokio::time::timeout(limit, future).await.ok() })
    }

    /// Starts a program whose pipes can be read by futures.
    pub fn start(&self, command: &mut tokio::process::Command) -> std::io::Result<tokio::process::Child> {
        let _entered = self.runtime.enter();
        command.spawn()
    }

    /// Runs a future in the background.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.runtime.spawn(future)
    }

    /// Reports a note.
    pub fn note(&self, text: &str) {
        self.progress.note(text);
    }

    /// Leaves the terminal to a program that may ask the user something, after a note, until the result is dropped.
    pub fn leave_terminal(&self, note: &str) -> Box<dyn Send> {
        self.progress.note(note);
        self.progress.leave_terminal()
    }

    /// Returns the longest pause between two pieces of an answer.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.settings.window
    }

    /// Returns the time limit for a small document.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.settings.window.saturating_mul(10)
    }
}

impl Answer {
    /// Returns the address that answered, after all redirects.
    #[must_use]
    pub fn url(&self) -> &Url {
        self.response.url()
    }

    /// Returns the status as a number.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Returns the media type without its parameters.
    #[must_use]
    pub fn content_type(&self) -> &str {
        let value = self.response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim()
    }

    /// Returns the next piece of the body; `None` at its end.
    pub fn chunk(&mut self) -> Result<Option<Bytes>> {
        let runtime = self.runtime.clone();
        let chunk = runtime.block_on(self.response.chunk());
        chunk.map_err(|error| transport_error(self.response.url(), &error))
    }

    /// Returns the whole body, truncated to `limit` plus one byte, so that the caller sees that it was longer.
    pub fn body(mut self, limit: usize, patience: Duration) -> Result<Vec<u8>> {
        let url = self.response.url().clone();
        let read = async {
            let mut body = Vec::new();
            while let Some(chunk) = self.response.chunk().await.map_err(|error| transport_error(&url, &error))? {
                body.extend_from_slice(&chunk);
                if body.len() > limit {
                    body.truncate(limit + 1);
                    break;
                }
            }
            Ok(body)
        };
        let late = || Error::new(Kind::Unreachable, "the server took too long to answer").fact("url", show_url(&url));
        self.runtime.block_on(async { tokio::time::timeout(patience, read).await.unwrap_or_else(|_| Err(late())) })
    }
}
