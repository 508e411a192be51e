//! Asks whether a server answers at all.

use std::time::Duration;

use reqwest::Method;
use url::Url;

use super::client::{Fetcher, transport_error};
use super::policy::Trust;
use super::reply::send;
use crate::error::{Error, Kind, Result};
use crate::urls::{server, show_url};

impl Fetcher {
    /// Fails unless the server of a URL answers in time. Any answer will do, since most servers have nothing at `/`.
    pub fn reach(&self, url: &Url, within: Duration) -> Result<()> {
        self.settings.check_for(url, Trust::Content)?;
        let within = within.min(self.settings.window);
        let mut root = url.clone();
        root.set_path("/");
        root.set_query(None);
        let task = self.asking(&server(url));
        task.patience(within);
        let answer = self.answers(&root, within);
        // Registries on such hosts speak plain http.
        if answer.is_err()
            && root.scheme() == "https"
            && self.settings.may_be_plain(&root)
            && root.set_scheme("http").is_ok()
        {
            return self.answers(&root, within).or(answer);
        }
        answer
    }

    fn answers(&self, root: &Url, within: Duration) -> Result<()> {
        self.runtime.block_on(async {
            match tokio::time::timeout(within, send(self.plain_request(Method::HEAD, root))).await {
                Ok(Ok(_)) => Ok(()),
                // It answered, with a redirect that is not followed.
                Ok(Err(error)) if error.is_redirect() => Ok(()),
                Ok(Err(error)) if !error.is_timeout() => Err(transport_error(root, &error)),
                Ok(Err(_)) | Err(_) => {
                    Err(Error::new(Kind::Unreachable, format!("no answer in {} s", within.as_secs()))
                        .fact("url", show_url(root)))
                }
            }
        })
    }
}
