//! Judges a server's answer before any of its bytes is taken: status, range, length, validator.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_RANGE, TRANSFER_ENCODING};
use url::Url;

use super::resume::State;
use super::{Transfer, Trouble, too_large};
use crate::error::{Error, Kind};
use crate::fetch::client::{is_refusal, lasting, validator};
use crate::fetch::reply::Reply;
use crate::fetch::retry;
use crate::urls::show_url;

impl Transfer<'_> {
    /// Checks status and framing. Returns the size of the whole file, if it is known.
    pub(super) fn accept(&mut self, url: &Url, response: &Reply) -> Result<Option<u64>, Trouble> {
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
                return Err(Trouble::passing(self.fetcher.refused(url, response.status(), response.headers())));
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
                return Err(too_large(url, size, self.fetcher.settings.largest).into());
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
        self.keep_state(State { url: url.clone(), validator: validator(response.headers()), size })?;
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
                Err(Trouble::passing(error))
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
}
