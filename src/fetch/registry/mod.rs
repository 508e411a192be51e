//! Container registries: documents and blobs of a repository, with the login that a registry asks for.
//!
//! Format: OCI Distribution Specification 1.1, and the token flow of the Docker registry ("Token Authentication
//! Specification"): a registry that answers 401 says where a token is had, and the token opens one repository for reading.
//! Without credentials that works for everything public. Credentials are those that podman and docker keep; they go to the
//! registry's own token service alone, never in clear over the network, and nowhere else.

mod challenge;
mod credentials;
mod refusal;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use url::Url;

use super::client::{Fetcher, transport_error};
use super::policy::show_url;
use crate::error::{Error, Kind, Result};
use challenge::Challenge;
use credentials::Kept;
pub(super) use refusal::refusal;

/// The longest answer of a token service, in bytes.
const MOST_TOKEN: usize = 1 << 20;

/// The registries that were named, and what opens their repositories. Lives as long as the fetcher: never on a disk.
#[derive(Default)]
pub(super) struct Logins(Mutex<HashMap<String, Option<HeaderValue>>>);

/// A document as a registry sent it.
#[derive(Debug, Clone)]
pub struct RegistryDocument {
    /// Its bytes.
    pub body: Vec<u8>,
    /// What the registry calls it, without parameters.
    pub media_type: Option<String>,
    /// The digest that the registry says it has.
    pub digest: Option<String>,
}

impl Logins {
    /// The repository that a URL belongs to, if it is one of a registry that was named. Repositories may stand below each
    /// other: the longest name is meant.
    pub(super) fn repository(&self, url: &Url) -> Option<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.keys().filter(|base| url.as_str().starts_with(base.as_str())).max_by_key(|base| base.len()).cloned()
    }

    /// What opens the repository of a URL, once that is known.
    pub(super) fn header(&self, url: &Url) -> Option<HeaderValue> {
        let base = self.repository(url)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&base).cloned().flatten()
    }

    fn put(&self, base: &str, header: Option<HeaderValue>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(base.to_owned(), header);
    }

    fn name(&self, base: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(base.to_owned()).or_default();
    }
}

impl Fetcher {
    /// The address below which a repository's manifests and blobs stand: `https://HOST/v2/REPOSITORY/`. From now on a login
    /// that the registry asks for is answered. Plain http is for loopback and the hosts that the configuration names.
    pub fn registry(&self, host: &str, repository: &str) -> Result<Url> {
        // The name by which everybody knows it is not where its registry answers.
        let host = if host == "docker.io" { credentials::DOCKER } else { host };
        let parse = |scheme: &str| Url::parse(&format!("{scheme}://{host}/v2/{repository}/"));
        let plain = parse("http").ok().filter(|url| self.settings.may_be_plain(url));
        let url = match plain {
            Some(url) => url,
            None => parse("https").map_err(|error| {
                Error::new(Kind::Invalid, format!("`{host}/{repository}` is no repository")).because(&error)
            })?,
        };
        self.logins.name(url.as_str());
        Ok(url)
    }

    /// A document of a registry, at most `limit` bytes; `accept` are the media types that are wanted.
    pub fn registry_document(&self, url: &Url, accept: &[&str], limit: u64) -> Result<RegistryDocument> {
        self.settings.check(url)?;
        let request = self.request(Method::GET, url).header(ACCEPT, accept.join(", "));
        let (headers, body) = self.small_body(url, request, limit)?;
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let media_type =
            text(CONTENT_TYPE.as_str()).map(|text| text.split(';').next().unwrap_or_default().trim().to_owned());
        Ok(RegistryDocument { body, media_type, digest: text("docker-content-digest") })
    }

    /// Sends a request, and once more with a login where a registry that was named asks for one.
    pub(super) async fn send(&self, url: &Url, request: RequestBuilder) -> Result<Response, SendError> {
        let again = request.try_clone();
        let response = request.send().await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let (Some(base), Some(again)) = (self.logins.repository(url), again) else { return Ok(response) };
        // Somewhere else that a redirect led to has no say in who sees the credentials.
        if !response.url().as_str().starts_with(&base) {
            return Ok(response);
        }
        // What was good once may have run out.
        self.logins.put(&base, None);
        let header = self.login(&base, response.headers()).await?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, header.clone());
        // `headers` replaces, where `header` would add a second one.
        let response = again.headers(headers).send().await?;
        if response.status().is_success() {
            self.logins.put(&base, Some(header));
        }
        Ok(response)
    }

    /// What the registry wants to see, by its challenge.
    async fn login(&self, base: &str, headers: &HeaderMap) -> Result<HeaderValue> {
        let url: Url = base.parse().map_err(|_| Error::failure("the address of a registry is none"))?;
        let challenges: Vec<Challenge> = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .filter_map(challenge::parse)
            .collect();
        let kept = credentials::find(&url);
        if let Some(realm) = challenges.iter().find_map(|one| one.bearer_realm()) {
            let service = challenges.iter().find_map(|one| one.parameter("service")).unwrap_or_default();
            return self.token(&url, realm, service, &kept).await;
        }
        if challenges.iter().any(|one| one.is("basic")) {
            return kept.login().map(credentials::Credentials::header).transpose()?.ok_or_else(|| {
                Error::new(Kind::Unreachable, "the registry asks for a user and password")
                    .fact("url", show_url(&url))
                    .hint(refusal::how_to_log_in(&url, &kept))
            });
        }
        let known = challenges.first().map_or("nothing", |one| one.scheme.as_str());
        Err(Error::new(Kind::Unreachable, "the registry asks for a login of a kind that strixlock does not know")
            .fact("url", show_url(&url))
            .fact("asks for", known.chars().filter(char::is_ascii_graphic).take(40).collect::<String>()))
    }

    async fn token(&self, base: &Url, realm: &str, service: &str, kept: &Kept) -> Result<HeaderValue> {
        let bad = |why: &str| {
            Error::new(Kind::Mismatch, format!("the registry's login cannot be used: {why}"))
                .fact("url", show_url(base))
        };
        let mut url = Url::parse(realm).map_err(|_| bad("it names no URL for tokens"))?;
        if url.scheme() == "file" {
            return Err(bad("it names a local file"));
        }
        self.settings.check(&url)?;
        // Our own words, whatever the registry would have us ask for: one repository, for reading.
        let repository = credentials::repository(base);
        url.query_pairs_mut()
            .append_pair("service", service)
            .append_pair("scope", &format!("repository:{repository}:pull"));
        let mut request = self.plain_request(Method::GET, &url);
        if let Some(credentials) = kept.login() {
            request = request.header(AUTHORIZATION, credentials.header()?);
        }
        let mut response = request.send().await.map_err(|error| transport_error(&url, &error))?;
        if !response.status().is_success() {
            return Err(refusal::no_token(base, &url, response.status(), response.headers(), kept));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| transport_error(&url, &error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST_TOKEN {
                return Err(bad("its token is far too long"));
            }
        }
        let token: Token = serde_json::from_slice(&body).map_err(|_| bad("its token service sent no token"))?;
        let token = token.token.or(token.access_token).ok_or_else(|| bad("its token service sent no token"))?;
        let mut header =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| bad("its token cannot be sent"))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

/// A token service's answer, in either spelling.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// Why a request brought no answer.
pub(super) enum SendError {
    /// The transport failed.
    Transport(reqwest::Error),
    /// The login did.
    Login(Error),
}

impl From<reqwest::Error> for SendError {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(error)
    }
}

impl From<Error> for SendError {
    fn from(error: Error) -> Self {
        Self::Login(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_below_each_other_have_logins_of_their_own() {
        let header = |text: &'static str| Some(HeaderValue::from_static(text));
        // Each map has an order of its own.
        for _ in 0..50 {
            let logins = Logins::default();
            for base in ["https://r.example/v2/team/", "https://r.example/v2/team/base/", "https://r.example/v2/te/"] {
                logins.name(base);
            }
            logins.put("https://r.example/v2/team/", header("Bearer team"));
            logins.put("https://r.example/v2/team/base/", header("Bearer base"));
            for (url, wanted) in [
                ("https://r.example/v2/team/manifests/1", header("Bearer team")),
                ("https://r.example/v2/team/base/manifests/1", header("Bearer base")),
                ("https://r.example/v2/te/manifests/1", None),
                ("https://r.example/v2/other/manifests/1", None),
            ] {
                assert_eq!(logins.header(&url.parse().unwrap()), wanted, "{url}");
            }
        }
    }
}
