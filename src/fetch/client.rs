//! The HTTP client: its settings, logins, and connections to a host.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use reqwest::header::{DATE, ETAG, HeaderMap, LAST_MODIFIED};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::info;
use url::Url;

use super::netrc::Netrc;
use super::policy::Settings;
use super::registry::Logins;
use super::reply::causes;
use super::{hub, rate_limit, registry, retry};
use crate::error::{Error, Kind, Result};
use crate::log::FETCH;
use crate::progress::{Doing, Progress, Task, Unit};
use crate::urls::{log_url, server, show_url};

/// Greatest number of downloads from one host at a time. Package archives ask for no more than two, and two saturate
/// most connections.
const DOWNLOADS: usize = 2;
/// Greatest number of small documents that are asked of one host at a time: as many as there are indexes.
const DOCUMENTS: usize = 4;

/// The HTTP client. Its methods block and may be called from several threads.
pub struct Fetcher {
    pub(super) runtime: Runtime,
    pub(super) client: Client,
    /// The client for what takes long to send: without the limit for each read, which counts from the first byte sent.
    uploads: OnceLock<Client>,
    pub(super) settings: Settings,
    pub(super) progress: Arc<dyn Progress>,
    /// By host, port, and the number that is allowed.
    hosts: Mutex<HashMap<(String, u16, usize), Arc<Semaphore>>>,
    netrc: Netrc,
    pub(super) logins: Logins,
    told: Mutex<HashSet<String>>,
}

/// The facts about a file in a server's answer to HEAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Its strong validator: an ETag, else the modification time, as sent.
    pub validator: Option<String>,
}

/// Explains the failure on a machine that has no certificates of authorities, of which the library only tells in words.
fn without_authorities(error: &reqwest::Error) -> Option<Error> {
    format!("{error:?}").contains("No CA certificates").then(|| {
        Error::new(Kind::Unfit, "this machine has no certificates of authorities, which https needs")
            .hint("install the package `ca-certificates`, or name a file with certificates in `SSL_CERT_FILE`")
    })
}

/// Returns an HTTP client that follows redirects by the rules of these settings.
fn client(settings: &Settings, read_timeout: Option<Duration>) -> Result<Client> {
    let rules = settings.clone();
    let redirects =
        reqwest::redirect::Policy::custom(move |attempt| match rules.may_follow(attempt.previous(), attempt.url()) {
            Ok(()) => {
                let from = attempt.previous().last().map(log_url).unwrap_or_default();
                info!(target: FETCH, "{from}: {} leads to {}", attempt.status(), log_url(attempt.url()));
                attempt.follow()
            }
            Err(why) => attempt.error(why),
        });
    let mut builder = Client::builder()
        .user_agent(concat!("strixlock/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(20))
        .redirect(redirects);
    if let Some(limit) = read_timeout {
        builder = builder.read_timeout(limit);
    }
    builder.build().map_err(|error| without_authorities(&error).unwrap_or_else(|| cannot_set_up(&error)))
}

fn cannot_set_up(error: &dyn std::error::Error) -> Error {
    Error::failure("cannot set up the HTTP client").because(error)
}

impl Fetcher {
    /// Returns true if the network may not be used.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.settings.offline
    }

    /// Returns a fetcher with these settings, which reports to `progress`.
    pub fn new(settings: Settings, progress: Arc<dyn Progress>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| cannot_set_up(&error))?;
        // Fails if another fetcher of this process has installed it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = client(&settings, Some(settings.window))?;
        let netrc = Netrc::of_user();
        Ok(Self {
            runtime,
            client,
            uploads: OnceLock::new(),
            settings,
            progress,
            hosts: Mutex::default(),
            netrc,
            logins: Logins::default(),
            told: Mutex::default(),
        })
    }

    /// Returns the settings of this fetcher.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the progress that this fetcher reports to.
    #[must_use]
    pub fn progress(&self) -> &dyn Progress {
        &*self.progress
    }

    /// Reports a note, but each text only once.
    pub fn note_once(&self, text: &str) {
        if self.told.lock().is_ok_and(|mut told| told.insert(text.to_owned())) {
            self.progress.note(text);
        }
    }

    /// Reports that a server is asked, until the task is dropped.
    pub fn asking(&self, server: &str) -> Box<dyn Task> {
        self.progress.begin(Doing::Ask, server, None, Unit::Bytes)
    }

    /// Like [`Self::asking`], for a request that is given up if nothing comes for the time of the settings.
    pub(super) fn requesting(&self, server: &str) -> Box<dyn Task> {
        let task = self.asking(server);
        task.patience(self.settings.window);
        task
    }

    /// Asks for size and validator of a file.
    pub fn head(&self, url: &Url) -> Result<Head> {
        self.settings.check(url)?;
        if let Ok(path) = local_path(url) {
            let size = fs_err::metadata(path)?.len();
            return Ok(Head { size: Some(size), validator: None });
        }
        let task = self.requesting(&server(url));
        self.runtime.block_on(async {
            let _permit = self.document_permit(url).await;
            let response = self.ask(url, self.request(Method::HEAD, url), &*task).await?;
            // An answer to HEAD has no body, so reqwest's content_length() would be 0.
            let size = response.headers().get("content-length").and_then(|size| size.to_str().ok()?.parse().ok());
            Ok(Head { size, validator: validator(response.headers()) })
        })
    }

    /// Returns a request without any login.
    pub(super) fn plain_request(&self, method: Method, url: &Url) -> RequestBuilder {
        self.client.request(method, url.clone())
    }

    /// Returns the client for uploads.
    pub(super) fn uploads(&self) -> Result<&Client> {
        if let Some(client) = self.uploads.get() {
            return Ok(client);
        }
        let made = client(&self.settings, None)?;
        Ok(self.uploads.get_or_init(|| made))
    }

    /// Returns a request with the login for its address, if there is one.
    pub(super) fn request(&self, method: Method, url: &Url) -> RequestBuilder {
        self.with_login(self.plain_request(method, url), url)
    }

    /// Adds the login for an address to a request, if there is one.
    pub(super) fn with_login(&self, request: RequestBuilder, url: &Url) -> RequestBuilder {
        if let Some(secret) = self.hub_secret(url) {
            return request.bearer_auth(secret);
        }
        if let Some(header) = self.logins.header(url) {
            return request.header(reqwest::header::AUTHORIZATION, header);
        }
        let login = url.host_str().and_then(|host| self.netrc.login(host));
        match login {
            // Never over plain http, even if the answer itself needs no protection.
            Some(login) if url.password().is_none() && self.settings.check(url).is_ok() => {
                request.basic_auth(&login.user, Some(&login.password))
            }
            _ => request,
        }
    }

    /// Returns the user's token for the hub, if it may be sent to `url`: never over plain http.
    fn hub_secret(&self, url: &Url) -> Option<&str> {
        let secret = self.settings.hub_token.as_ref()?.secret_for(url)?;
        self.settings.check(url).is_ok().then_some(secret)
    }

    /// Returns the error for an unsuccessful answer.
    pub(super) fn refused(&self, url: &Url, status: StatusCode, headers: &HeaderMap) -> Error {
        let known = self.hub_secret(url).is_some();
        let told = match self.logins.repository(url) {
            Some(base) => registry::refusal(&self.logins, &base, url, status, headers),
            None => hub::refusal(url, status, headers, known),
        };
        told.or_else(|| rate_limit::refusal(url, status, headers)).unwrap_or_else(|| status_error(url, status, headers))
    }

    /// Waits for one of the downloads that are allowed from this host.
    pub(super) async fn permit(&self, url: &Url) -> Option<OwnedSemaphorePermit> {
        self.permit_of(url, DOWNLOADS).await
    }

    /// Like [`Self::permit`], for a small document.
    pub(super) async fn document_permit(&self, url: &Url) -> Option<OwnedSemaphorePermit> {
        self.permit_of(url, DOCUMENTS).await
    }

    async fn permit_of(&self, url: &Url, most: usize) -> Option<OwnedSemaphorePermit> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let key = (host, url.port_or_known_default().unwrap_or(0), most);
        let semaphore = {
            let mut hosts = self.hosts.lock().ok()?;
            Arc::clone(hosts.entry(key).or_insert_with(|| Arc::new(Semaphore::new(most))))
        };
        semaphore.acquire_owned().await.ok()
    }
}

pub(super) fn validator(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    // A weak ETag does not promise equal bytes, so it cannot resume anything.
    text(ETAG).filter(|etag| !etag.starts_with("W/")).or_else(|| text(LAST_MODIFIED))
}

/// Returns a validator that identifies these bytes later, too. A modification time does so only if it is at least a
/// minute old: the file could change again within the same second (RFC 9110, 8.8.2.2).
pub(super) fn lasting(headers: &HeaderMap) -> Option<String> {
    let validator = validator(headers)?;
    if validator.starts_with('"') {
        return Some(validator);
    }
    let date = headers.get(DATE).and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok())?;
    let modified = httpdate::parse_http_date(&validator).ok()?;
    (date.duration_since(modified).ok()? >= Duration::from_secs(60)).then_some(validator)
}

pub(super) fn local_path(url: &Url) -> Result<std::path::PathBuf, ()> {
    if url.scheme() == "file" { url.to_file_path() } else { Err(()) }
}

/// Returns whether a server answered that a file is missing or forbidden. Object stores answer 403 for both.
#[must_use]
pub fn is_refusal(error: &Error) -> bool {
    [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::GONE]
        .iter()
        .any(|status| error.message() == answered(*status))
}

fn answered(status: StatusCode) -> String {
    format!("the server answered {status}")
}

fn status_error(url: &Url, status: StatusCode, headers: &HeaderMap) -> Error {
    let kind = match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Kind::NotFound,
        StatusCode::RANGE_NOT_SATISFIABLE => Kind::Mismatch,
        _ => Kind::Unreachable,
    };
    let error = Error::new(kind, answered(status)).fact("url", show_url(url));
    match status {
        StatusCode::UNAUTHORIZED => error.hint("credentials are read from ~/.netrc"),
        StatusCode::FORBIDDEN => {
            error.hint("some servers answer this for missing files; if it exists, put the login into ~/.netrc")
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => error.hint("check the address"),
        StatusCode::RANGE_NOT_SATISFIABLE => error.hint("the server's file is shorter than it should be"),
        StatusCode::TOO_MANY_REQUESTS => {
            let wait = retry::when(headers);
            error.hint(format!(
                "too many requests: run again in {wait}; a login (HF_TOKEN, ~/.netrc) may raise the limit"
            ))
        }
        _ => error,
    }
}

pub(super) fn transport_error(url: &Url, error: &reqwest::Error) -> Error {
    let cause = std::io::Error::other(causes(error));
    let late = error.is_timeout() && !error.is_connect();
    let message = if late { "the server did not answer in time" } else { "the server cannot be reached" };
    Error::new(Kind::Unreachable, message).fact("url", show_url(url)).because(&cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validator_lasts_where_it_names_the_bytes() {
        let lasts = |headers: &[(&'static str, &str)]| {
            let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            lasting(&headers.collect())
        };
        let (date, old) = ("Mon, 30 Nov 2026 10:00:00 GMT", "Mon, 30 Nov 2026 09:58:00 GMT");
        let fresh = "Mon, 30 Nov 2026 09:59:30 GMT";
        assert_eq!(lasts(&[("etag", "\"x\"")]).as_deref(), Some("\"x\""));
        assert_eq!(lasts(&[("etag", "W/\"x\""), ("date", date), ("last-modified", old)]).as_deref(), Some(old));
        for without in [
            &[("etag", "W/\"x\""), ("date", date)][..],
            &[("date", date), ("last-modified", fresh)],
            &[("last-modified", old)],
            &[("date", date), ("last-modified", "yesterday")],
            &[],
        ] {
            assert_eq!(lasts(without), None, "{without:?}");
        }
    }
}
