//! Requests for small documents, with retries and mirrors.

use std::io::Read as _;
use std::time::Instant;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use tracing::info;
use url::Url;

use super::client::{Fetcher, local_path, transport_error};
use super::policy::Trust;
use super::registry::SendError;
use super::reply::Reply;
use super::{Document, Documents, retry};
use crate::error::{Error, Kind, Result};
use crate::log::FETCH;
use crate::progress::{Retry, Task};
use crate::text::clock;
use crate::urls::{log_url, server, show_url};

/// Number of times that a server is asked that does not answer in time. Each costs a user half a minute.
const SILENT_ROUNDS: u32 = 2;

impl Documents for Fetcher {
    fn get(&self, url: &Url, limit: u64) -> Result<Document> {
        self.get_from_mirrors(url, limit, Trust::Transport, None)
    }

    fn get_one_of(&self, url: &Url, limit: u64, place: (usize, usize)) -> Result<Document> {
        self.get_from_mirrors(url, limit, Trust::Transport, Some(place))
    }
}

impl Fetcher {
    /// Sends a request for a small document, with retries after failures that may pass.
    pub(super) async fn ask(&self, url: &Url, request: RequestBuilder, task: &dyn Task) -> Result<Reply> {
        let (mut round, mut rounds) = (1, self.settings.rounds);
        let begun = Instant::now();
        loop {
            let again = request.try_clone();
            let next = request.try_clone().unwrap_or_else(|| self.request(Method::GET, url));
            let (error, wait) = match self.send(url, next).await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    let error = self.refused(url, response.status(), response.headers());
                    if !retry::is_passing(response.status()) {
                        return Err(error);
                    }
                    (error, retry::retry_after(response.headers()))
                }
                Err(SendError::Login(error)) => return Err(error),
                Err(SendError::Transport(error)) if error.is_connect() || error.is_redirect() => {
                    return Err(transport_error(url, &error));
                }
                Err(SendError::Transport(error)) => {
                    if error.is_timeout() {
                        rounds = rounds.min(SILENT_ROUNDS);
                    }
                    (transport_error(url, &error), None)
                }
            };
            if round >= rounds || again.is_none() {
                let tried = format!("{round} times in {}", clock(begun.elapsed()));
                return Err(if round > 1 { error.fact("tried", tried) } else { error });
            }
            let wait = wait.unwrap_or_else(|| retry::pause(self.settings.pause, round));
            task.retry(Retry { number: round, of: rounds - 1, wait, why: &retry::why(&error) });
            let url = log_url(url);
            info!(target: FETCH, "{url}: {}; retry in {wait:.1?}, after {round} of {rounds} tries", error.message());
            tokio::time::sleep(wait).await;
            round += 1;
        }
    }

    /// Like [`Documents::get`], but also over plain http, for documents whose signature is verified. Returns the body.
    pub fn get_signed(&self, url: &Url, limit: u64) -> Result<Vec<u8>> {
        self.get_from_mirrors(url, limit, Trust::Content, None).map(|document| document.body)
    }

    fn get_from_mirrors(
        &self,
        asked: &Url,
        limit: u64,
        trust: Trust,
        place: Option<(usize, usize)>,
    ) -> Result<Document> {
        let mut failure = None;
        for url in self.settings.with_mirrors(std::slice::from_ref(asked)) {
            match self.get_one(&url, limit, trust, place) {
                Ok(Document { url: found, body }) => {
                    if let Some(error) = failure {
                        let error: Error = error;
                        self.progress.note(&format!(
                            "warning: a mirror answered, which may be out of date: {}",
                            error.message()
                        ));
                    }
                    return Ok(Document { url: self.settings.original(asked, &url, found), body });
                }
                Err(error) => {
                    info!(target: FETCH, "{}: {}", log_url(&url), error.message());
                    failure = failure.or(Some(error));
                }
            }
        }
        Err(failure.unwrap_or_else(|| Error::failure("there is no URL to ask")))
    }

    fn get_one(&self, url: &Url, limit: u64, trust: Trust, place: Option<(usize, usize)>) -> Result<Document> {
        self.settings.check_for(url, trust)?;
        if let Ok(path) = local_path(url) {
            let mut body = Vec::new();
            fs_err::File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut body)?;
            let document = Document { url: url.clone(), body };
            return if document.body.len() as u64 > limit { Err(too_long(url, limit)) } else { Ok(document) };
        }
        let place = place.filter(|(_, of)| *of > 1).map(|(number, of)| format!(" ({number} of {of})"));
        let task = self.requesting(&format!("{}{}", server(url), place.unwrap_or_default()));
        self.small(url, self.request(Method::GET, url), limit, &*task).map(|(_, document)| document)
    }

    /// Returns the headers and body of the answer to a request for a small document.
    pub(super) fn small_body(&self, url: &Url, request: RequestBuilder, limit: u64) -> Result<(HeaderMap, Vec<u8>)> {
        let task = self.requesting(&server(url));
        self.small(url, request, limit, &*task).map(|(headers, document)| (headers, document.body))
    }

    /// Returns the answer to a request for a small document.
    fn small(&self, url: &Url, request: RequestBuilder, limit: u64, task: &dyn Task) -> Result<(HeaderMap, Document)> {
        // A small document takes seconds; a server that sends it byte by byte must not block us.
        let limit_of_time = self.settings.window.saturating_mul(10);
        let late =
            || Error::new(Kind::Unreachable, "the server took too long to send a page").fact("url", show_url(url));
        let answer = async {
            let _permit = self.document_permit(url).await;
            let mut response = self.ask(url, request, task).await?;
            let promised = response.content_length();
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| transport_error(url, &error))? {
                body.extend_from_slice(&chunk);
                task.set_position(body.len() as u64);
                if body.len() as u64 > limit {
                    return Err(too_long(url, limit));
                }
            }
            match promised {
                Some(size) if size != body.len() as u64 => Err(Error::new(Kind::Mismatch, "the document broke off")
                    .fact("url", show_url(url))
                    .fact("promised", format!("{size} bytes"))
                    .fact("received", format!("{} bytes", body.len()))),
                _ => Ok((response.headers().clone(), Document { url: response.url().clone(), body })),
            }
        };
        self.runtime
            .block_on(async { tokio::time::timeout(limit_of_time, answer).await.unwrap_or_else(|_| Err(late())) })
    }
}

fn too_long(url: &Url, limit: u64) -> Error {
    Error::new(Kind::Mismatch, "the document is too long")
        .fact("url", show_url(url))
        .fact("limit", format!("{limit} bytes"))
}
