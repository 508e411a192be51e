//! Requests to container registries: the fetcher's methods, and the login that a registry requires.

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use url::Url;

use super::client::{Fetcher, transport_error};
use super::policy::Settings;
use super::registry::{self, Challenge, Credentials, SendError, Stored};
use super::reply::{self, Reply};
use crate::error::{Error, Kind, Result};
use crate::urls::show_url;

/// Greatest length of a token service's answer, in bytes.
const MOST_TOKEN: usize = 1 << 20;

/// A document as a registry sent it.
#[derive(Debug, Clone)]
pub struct RegistryDocument {
    /// Its bytes.
    pub body: Vec<u8>,
    /// Its Content-Type, without parameters.
    pub media_type: Option<String>,
    /// Its digest according to the registry.
    pub digest: Option<String>,
}

/// Returns the media type of an answer, without parameters.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim().to_owned())
}

/// Returns the address of a registry, for messages and checks. Its repositories are below it.
#[must_use]
pub fn registry_url(host: &str) -> String {
    format!("https://{}/v2/", registry_host(host))
}

/// Returns the host of a registry: Docker Hub's has another one than its well-known name.
fn registry_host(host: &str) -> &str {
    if host == "docker.io" { registry::DOCKER } else { host }
}

impl Settings {
    /// Returns the base address of a repository's manifests and blobs: `https://HOST/v2/REPOSITORY/`. Plain http is used
    /// for loopback and the hosts in the configuration.
    pub fn registry(&self, host: &str, repository: &str) -> Result<Url> {
        let host = registry_host(host);
        let parse = |scheme: &str| Url::parse(&format!("{scheme}://{host}/v2/{repository}/"));
        match parse("http").ok().filter(|url| self.may_be_plain(url)) {
            Some(url) => Ok(url),
            None => parse("https").map_err(|error| {
                Error::new(Kind::Invalid, format!("invalid repository `{host}/{repository}`")).because(&error)
            }),
        }
    }
}

impl Fetcher {
    /// Returns the base address of a repository, like [`Settings::registry`]. From now on the fetcher logs in if the
    /// registry requires it.
    pub fn registry(&self, host: &str, repository: &str) -> Result<Url> {
        let url = self.settings.registry(host, repository)?;
        self.logins.name(url.as_str());
        Ok(url)
    }

    /// Returns a document of a registry. Fails if it is longer than `limit` bytes; `accept` are the accepted media
    /// types.
    pub fn registry_document(&self, url: &Url, accept: &[&str], limit: u64) -> Result<RegistryDocument> {
        let (headers, body) = self.registry_body(url, &accept.join(", "), limit)?;
        let digest = headers.get("docker-content-digest").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(RegistryDocument { body, media_type: media_type(&headers), digest })
    }

    /// Returns the headers and body of a document of a registry. Fails if a page for people came in its place, as from a
    /// proxy or a login page.
    pub(super) fn registry_body(&self, url: &Url, accept: &str, limit: u64) -> Result<(HeaderMap, Vec<u8>)> {
        self.settings.check(url)?;
        let request = self.request(Method::GET, url).header(ACCEPT, accept);
        let (headers, body) = self.small_body(url, request, limit)?;
        let is_page = media_type(&headers).as_deref() == Some("text/html") && body.trim_ascii_start().starts_with(b"<");
        if is_page {
            return Err(Error::new(Kind::Mismatch, "the server does not answer like a registry")
                .fact("url", show_url(url))
                .fact("expected", accept)
                .fact("found", "a page of HTML")
                .hint("is this the address of a registry? a proxy or a login page may answer in its place"));
        }
        Ok((headers, body))
    }

    /// Sends a request, and sends it again with a login if the registry requires one.
    pub(super) async fn send(&self, url: &Url, request: RequestBuilder) -> Result<Reply, SendError> {
        let again = request.try_clone();
        let response = reply::send(request).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let (Some(base), Some(again)) = (self.logins.repository(url), again) else { return Ok(response) };
        // After a redirect, another host must not decide where the credentials go.
        if !response.url().as_str().starts_with(&base) {
            return Ok(response);
        }
        // A known token may have expired.
        self.logins.put(&base, None);
        let url: Url = base.parse().map_err(|_| Error::failure("invalid registry URL"))?;
        let challenges = registry::challenges(response.headers());
        let mut stored = self.logins.known(&url);
        if let Stored::Helper(helper) = &stored
            && challenges.iter().any(Challenge::is_answered)
        {
            // Try without the helper first, since it may prompt the user; public repositories do not need it.
            if let Some(header) = self.in_time(&url, self.anonymous(&url, &challenges)).await?
                && let Some(first) = again.try_clone()
            {
                let response = self.send_with(&base, first, header).await?;
                if !response.status().is_client_error() {
                    return Ok(response);
                }
            }
            stored = self.logins.ask(helper, &url).await?;
        }
        let header = self.in_time(&url, self.login(&url, &challenges, &stored)).await?;
        Ok(self.send_with(&base, again, header).await?)
    }

    /// Sends a request with this Authorization header, and remembers it if it is accepted.
    async fn send_with(
        &self,
        base: &str,
        request: RequestBuilder,
        header: HeaderValue,
    ) -> Result<Reply, reqwest::Error> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, header.clone());
        // `headers` replaces; `header` would add a second one.
        let response = reply::send(request.headers(headers)).await?;
        if response.status().is_success() {
            self.logins.put(base, Some(header));
        }
        Ok(response)
    }

    /// Limits the time of a login to that of a small document: a slow token service must not block us.
    async fn in_time<T>(&self, base: &Url, login: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = self.settings.window.saturating_mul(10);
        tokio::time::timeout(limit, login).await.unwrap_or_else(|_| {
            Err(Error::new(Kind::Unreachable, "the registry's token service took too long to send a token")
                .fact("url", show_url(base)))
        })
    }

    /// Returns the Authorization header that answers the registry's challenges.
    async fn login(&self, base: &Url, challenges: &[Challenge], stored: &Stored) -> Result<HeaderValue> {
        if let Some(challenge) = challenges.iter().find(|one| one.bearer_realm().is_some()) {
            let (url, response) = self.ask_for_token(base, challenge, stored.login()).await?;
            if !response.status().is_success() {
                return Err(registry::no_token(base, &url, response.status(), response.headers(), stored));
            }
            return read_token(base, &url, response).await;
        }
        if challenges.iter().any(|one| one.is("basic")) {
            return stored.login().map(Credentials::header).transpose()?.ok_or_else(|| {
                Error::new(Kind::Unreachable, "the registry requires a user and password")
                    .fact("url", show_url(base))
                    .hint(registry::how_to_log_in(base, stored))
            });
        }
        let known = challenges.first().map_or("nothing", |one| one.scheme.as_str());
        Err(Error::new(Kind::Unreachable, "the registry requires an unsupported kind of login")
            .fact("url", show_url(base))
            .fact("asks for", known.chars().filter(char::is_ascii_graphic).take(40).collect::<String>()))
    }

    /// Returns an anonymous token, if the token service gives one.
    async fn anonymous(&self, base: &Url, challenges: &[Challenge]) -> Result<Option<HeaderValue>> {
        let Some(challenge) = challenges.iter().find(|one| one.bearer_realm().is_some()) else { return Ok(None) };
        let (url, response) = self.ask_for_token(base, challenge, None).await?;
        if response.status().is_success() { read_token(base, &url, response).await.map(Some) } else { Ok(None) }
    }

    /// Returns the URL and the answer of the registry's token service.
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
        self.settings.check_led(base, &url)?;
        // A login by https must stay confidential. Loopback is no exception, as for redirects.
        if base.scheme() == "https" && url.scheme() == "http" {
            return Err(unusable(base, "its address for tokens is plain http"));
        }
        // The scope is always this one repository, for what the caller is about to do there, whatever the registry's
        // challenge asks for.
        let (repository, actions) = (registry::repository(base), self.logins.actions(base.as_str()));
        url.query_pairs_mut()
            .append_pair("service", challenge.parameter("service").unwrap_or_default())
            .append_pair("scope", &format!("repository:{repository}:{actions}"));
        let mut request = self.plain_request(Method::GET, &url);
        if let Some(credentials) = login {
            request = request.header(AUTHORIZATION, credentials.header()?);
        }
        let response = reply::send(request).await.map_err(|error| transport_error(&url, &error))?;
        Ok((url, response))
    }
}

/// Reads the token from a token service's answer.
async fn read_token(base: &Url, url: &Url, mut response: Reply) -> Result<HeaderValue> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport_error(url, &error))? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST_TOKEN {
            return Err(unusable(base, "its token is too long"));
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
