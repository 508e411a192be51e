//! Sends requests, and logs each answer.

use std::ops::Deref;
use std::time::Instant;

use bytes::Bytes;
use reqwest::{Method, RequestBuilder, Response};
use tracing::{debug, info};
use url::Url;

use crate::log::FETCH;
use crate::text;
use crate::urls::log_url;

/// An answer. When it is dropped, the number of received bytes is logged.
pub(super) struct Reply {
    response: Response,
    method: Method,
    url: Url,
    begun: Instant,
    received: u64,
}

impl Reply {
    /// Returns the next piece of the body; `None` at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, reqwest::Error> {
        let chunk = self.response.chunk().await.inspect_err(|error| {
            info!(target: FETCH, "{} {}: broken off: {}", self.method, log_url(&self.url), causes(error));
        })?;
        self.received += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Ok(chunk)
    }
}

impl Deref for Reply {
    type Target = Response;

    fn deref(&self) -> &Response {
        &self.response
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        let (method, url, size) = (&self.method, log_url(&self.url), text::bytes(self.received));
        let time = self.begun.elapsed().as_millis();
        info!(target: FETCH, "{method} {url}: {}, {size} in {time} ms", self.response.status());
    }
}

/// Sends a request.
pub(super) async fn send(request: RequestBuilder) -> Result<Reply, reqwest::Error> {
    let (client, request) = request.build_split();
    let request = request?;
    let (method, url, begun) = (request.method().clone(), request.url().clone(), Instant::now());
    debug!(target: FETCH, "{method} {}", log_url(&url));
    match client.execute(request).await {
        Ok(response) => Ok(Reply { response, method, url, begun, received: 0 }),
        Err(error) => {
            info!(target: FETCH, "{method} {}: no answer: {}", log_url(&url), causes(&error));
            Err(error)
        }
    }
}

/// Returns why a request failed. Only the causes are used: reqwest's own text has the URL, including a password.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let first = std::error::Error::source(error);
    let causes = std::iter::successors(first, |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
