//! Container registries: documents and blobs of a repository, with the login that a registry asks for.
//!
//! Format: OCI Distribution Specification 1.1, and the token flow of the Docker registry ("Token Authentication
//! Specification"): a registry that answers 401 says where a token is had, and the token opens one repository for reading.
//! Without credentials that works for everything public. Credentials are those that podman and docker keep; they go to the
//! registry's own token service alone, never in clear over the network, and nowhere else. A helper program is asked where
//! nothing opens without it.

mod challenge;
mod credentials;
mod helper;
mod logins;
mod refusal;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use url::Url;

use super::client::{Fetcher, transport_error};
use super::reply::{self, Reply};
use crate::error::{Error, Kind, Result};
use crate::urls::show_url;
use challenge::Challenge;
use credentials::{Credentials, Kept};
pub(super) use logins::Logins;
pub(super) use refusal::refusal;

/// The longest answer of a token service, in bytes.
const MOST_TOKEN: usize = 1 << 20;

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
    pub(super) async fn send(&self, url: &Url, request: RequestBuilder) -> Result<Reply, SendError> {
        let again = request.try_clone();
        let response = reply::send(request).await?;
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
        let url: Url = base.parse().map_err(|_| Error::failure("invalid registry URL"))?;
        let challenges = challenge::all(response.headers());
        let mut kept = self.logins.known(&url);
        if let Kept::Helper(helper) = &kept
            && challenges.iter().any(Challenge::is_answered)
        {
            // What is public opens without it, and it may ask a person.
            if let Some(header) = self.in_time(&url, self.anonymous(&url, &challenges)).await?
                && let Some(first) = again.try_clone()
            {
                let response = self.send_with(&base, first, header).await?;
                if !response.status().is_client_error() {
                    return Ok(response);
                }
            }
            kept = self.logins.ask(helper, &url).await?;
        }
        let header = self.in_time(&url, self.login(&url, &challenges, &kept)).await?;
        Ok(self.send_with(&base, again, header).await?)
    }

    /// Sends a request with this header, which is remembered where it opens the repository.
    async fn send_with(
        &self,
        base: &str,
        request: RequestBuilder,
        header: HeaderValue,
    ) -> Result<Reply, reqwest::Error> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, header.clone());
        // `headers` replaces, where `header` would add a second one.
        let response = reply::send(request.headers(headers)).await?;
        if response.status().is_success() {
            self.logins.put(base, Some(header));
        }
        Ok(response)
    }

    /// Gives a login the time that a page has: a token service that drips must not hold us.
    async fn in_time<T>(&self, base: &Url, login: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = self.settings.window.saturating_mul(10);
        tokio::time::timeout(limit, login).await.unwrap_or_else(|_| {
            Err(Error::new(Kind::Unreachable, "the registry's token service took too long to send a token")
                .fact("url", show_url(base)))
        })
    }

    /// What the registry wants to see, by its challenges.
    async fn login(&self, base: &Url, challenges: &[Challenge], kept: &Kept) -> Result<HeaderValue> {
        if let Some(challenge) = challenges.iter().find(|one| one.bearer_realm().is_some()) {
            let (url, response) = self.ask_for_token(base, challenge, kept.login()).await?;
            if !response.status().is_success() {
                return Err(refusal::no_token(base, &url, response.status(), response.headers(), kept));
            }
            return read_token(base, &url, response).await;
        }
        if challenges.iter().any(|one| one.is("basic")) {
            return kept.login().map(Credentials::header).transpose()?.ok_or_else(|| {
                Error::new(Kind::Unreachable, "the registry asks for a user and password")
                    .fact("url", show_url(base))
                    .hint(refusal::how_to_log_in(base, kept))
            });
        }
        let known = challenges.first().map_or("nothing", |one| one.scheme.as_str());
        Err(Error::new(Kind::Unreachable, "the registry asks for a login of a kind that strixlock does not know")
            .fact("url", show_url(base))
            .fact("asks for", known.chars().filter(char::is_ascii_graphic).take(40).collect::<String>()))
    }

    /// A token that is given to anybody, if one is.
    async fn anonymous(&self, base: &Url, challenges: &[Challenge]) -> Result<Option<HeaderValue>> {
        let Some(challenge) = challenges.iter().find(|one| one.bearer_realm().is_some()) else { return Ok(None) };
        let (url, response) = self.ask_for_token(base, challenge, None).await?;
        if response.status().is_success() { read_token(base, &url, response).await.map(Some) } else { Ok(None) }
    }

    /// The answer of the registry's token service, and where it is.
    async fn ask_for_token(
        &self,
        base: &Url,
        challenge: &Challenge,
        login: Option<&Credentials>,
    ) -> Result<(Url, Reply)> {
        let mut url = challenge
            .bearer_realm()
            .and_then(|realm| Url::parse(realm).ok())
            .ok_or_else(|| unusable(base, "it names no URL for tokens"))?;
        if url.scheme() == "file" {
            return Err(unusable(base, "it names a local file"));
        }
        self.settings.check(&url)?;
        // Our own words, whatever the registry would have us ask for: one repository, for reading.
        let repository = credentials::repository(base);
        url.query_pairs_mut()
            .append_pair("service", challenge.parameter("service").unwrap_or_default())
            .append_pair("scope", &format!("repository:{repository}:pull"));
        let mut request = self.plain_request(Method::GET, &url);
        if let Some(credentials) = login {
            request = request.header(AUTHORIZATION, credentials.header()?);
        }
        let response = reply::send(request).await.map_err(|error| transport_error(&url, &error))?;
        Ok((url, response))
    }
}

/// The token that a token service gave.
async fn read_token(base: &Url, url: &Url, mut response: Reply) -> Result<HeaderValue> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport_error(url, &error))? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST_TOKEN {
            return Err(unusable(base, "its token is far too long"));
        }
    }
    let no_token = || unusable(base, "its token service sent no token");
    let token: Token = serde_json::from_slice(&body).map_err(|_| no_token())?;
    let token = token.token.or(token.access_token).ok_or_else(no_token)?;
    let mut header =
        HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| unusable(base, "its token cannot be sent"))?;
    header.set_sensitive(true);
    Ok(header)
}

fn unusable(base: &Url, why: &str) -> Error {
    Error::new(Kind::Mismatch, format!("the registry's login cannot be used: {why}")).fact("url", show_url(base))
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
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::demo::http::{Body, Incoming, Response as Answer, Server};
    use crate::fetch::Settings;
    use crate::progress::Silent;

    #[test]
    fn a_token_service_that_drips_for_ever_holds_nobody() {
        let server = Server::start().unwrap();
        let challenge = format!("Bearer realm=\"{}\"", server.url("/token"));
        server.handle("/v2/", move |_: &Incoming| Answer::text(401, "{}").header("WWW-Authenticate", &challenge));
        server.handle("/token", |_: &Incoming| {
            let drip = Box::new(|out: &mut dyn std::io::Write| {
                loop {
                    out.write_all(b" ")?;
                    out.flush()?;
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            Answer { status: 200, headers: Vec::new(), body: Body::Stream(drip) }
        });
        let settings = Settings { window: Duration::from_millis(100), rounds: 1, ..Settings::default() };
        let fetcher = Fetcher::new(settings, Arc::new(Silent)).unwrap();
        let base = fetcher.registry(&server.address().to_string(), "team/base").unwrap();
        // Like a download, which has no limit of its own for what comes before its first byte.
        let asked = fetcher.runtime.block_on(fetcher.send(&base, fetcher.request(Method::GET, &base)));
        let Err(SendError::Login(error)) = asked else { panic!("an answer came") };
        assert_eq!(error.kind(), Kind::Unreachable);
    }
}
