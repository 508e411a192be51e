//! Git's smart HTTP for libgit2, over the fetcher's client: every received byte is checked before libgit2 gets it.
//!
//! libgit2's own HTTP keeps whatever a server sends. This transport enforces limits, follows the fetcher's rules for
//! redirects, proxies and timeouts, and remembers which address answered. Logins come from git's credential helpers,
//! which are asked for the address that requires one.

use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};
use tracing::info;
use url::Url;

use super::program::at_terminal;
use super::session::{Session, refused};
use super::watch::Watch;
use super::{advertisement, bounds};
use crate::error::{Error, Kind, Result};
use crate::fetch::{Answer, Request};
use crate::log::RUN;
use crate::urls::{has_login, log_url, server, show_url};

/// The user agent: some servers speak git's protocol only to git.
const AGENT: &str = concat!("git/2.0 (strixlock ", env!("CARGO_PKG_VERSION"), ")");

const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
const REQUEST: &str = "application/x-git-upload-pack-request";
const RESULT: &str = "application/x-git-upload-pack-result";

type Login = Option<(String, String)>;

/// The HTTP transport of one repository.
#[derive(Clone)]
pub(super) struct Http {
    session: Arc<Session>,
    asked: Url,
    /// The address that answered, and the login that it accepted.
    found: Arc<Mutex<Option<(Url, Login)>>>,
}

impl Http {
    pub fn new(session: Arc<Session>, asked: Url) -> Self {
        Self { session, asked, found: Arc::default() }
    }

    /// Asks for the list of refs. The address may redirect, and may require a login.
    fn advertise(&self) -> Result<Vec<u8>> {
        let exchange = &self.session.exchange;
        let (mut base, mut login) = without_login(&self.asked);
        let mut tries = 0;
        let answer = loop {
            tries += 1;
            let mut url = below(&base, "info/refs");
            url.set_query(Some("service=git-upload-pack"));
            let request = Request { url: &url, agent: AGENT, accept: ADVERTISEMENT, login: login.as_ref(), body: None };
            let answer = exchange.send(request)?;
            let answered = base_of(answer.url())?;
            // A login belongs to the host that it was requested for, never to one that this host redirects to.
            if answered.origin() != base.origin() {
                login = None;
            }
            base = answered;
            if answer.status() != 401 || login.is_some() || tries > 2 {
                break answer;
            }
            match self.ask_for_login(&base) {
                Some(found) => login = Some(found),
                None => break answer,
            }
        };
        demand(&answer, ADVERTISEMENT)?;
        let url = answer.url().clone();
        let body = answer.body(bounds::ADVERTISEMENT, exchange.patience())?;
        advertisement::check_http(&body).map_err(|error| error.fact("url", show_url(&url)))?;
        self.session.reach(Some(base.clone()));
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some((base, login));
        Ok(body)
    }

    /// Asks git's credential helpers, which may ask the user.
    fn ask_for_login(&self, base: &Url) -> Option<(String, String)> {
        let config = git2::Config::open_default().ok()?;
        info!(target: RUN, "git's credential helpers are asked for {}", log_url(base));
        let note = || format!("{} requires a login", server(base));
        let _terminal = at_terminal().then(|| self.session.exchange.leave_terminal(&note()));
        let mut helper = git2::CredentialHelper::new(base.as_str());
        helper.config(&config).execute()
    }

    /// Sends libgit2's list of wants and haves.
    fn ask_for_pack(&self, body: Vec<u8>) -> Result<Answer> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (base, login) = found.ok_or_else(|| Error::failure("a pack is asked for before the refs"))?;
        let url = below(&base, "git-upload-pack");
        let body = Some((REQUEST, body));
        let request = Request { url: &url, agent: AGENT, accept: RESULT, login: login.as_ref(), body };
        let answer = self.session.exchange.send(request)?;
        // Git follows redirects for the first request only.
        if *answer.url() != url {
            return Err(Error::new(Kind::Unreachable, "the git server redirects in the middle of a conversation")
                .fact("url", show_url(&url))
                .fact("to", show_url(answer.url())));
        }
        demand(&answer, RESULT)?;
        Ok(answer)
    }
}

impl SmartSubtransport for Http {
    fn action(&self, _: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        match service {
            Service::UploadPackLs => {
                let body = self.advertise().map_err(|error| refused(&self.session.failed(error).to_string()))?;
                Ok(Box::new(Cursor::new(body)))
            }
            Service::UploadPack => Ok(Box::new(Conversation::new(self.clone()))),
            Service::ReceivePack | Service::ReceivePackLs => Err(refused("pushing is not supported")),
        }
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// One request with wants and haves, and its answer.
struct Conversation {
    http: Http,
    asked: Vec<u8>,
    answer: Option<Answer>,
    piece: Bytes,
    watch: Watch,
}

impl Conversation {
    fn new(http: Http) -> Self {
        Self { http, asked: Vec::new(), answer: None, piece: Bytes::new(), watch: Watch::default() }
    }

    fn next(&mut self) -> Result<()> {
        if self.answer.is_none() {
            self.answer = Some(self.http.ask_for_pack(std::mem::take(&mut self.asked))?);
        }
        let Some(answer) = &mut self.answer else { return Ok(()) };
        if let Some(piece) = answer.chunk()? {
            self.watch.feed(&piece)?;
            self.piece = piece;
        }
        Ok(())
    }
}

impl Write for Conversation {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.asked.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Conversation {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            self.next().map_err(|error| self.http.session.failed(error))?;
        }
        let piece = self.piece.split_to(self.piece.len().min(buffer.len()));
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

/// Fails unless this is the answer of a git server.
fn demand(answer: &Answer, kind: &str) -> Result<()> {
    let shown = show_url(answer.url());
    match answer.status() {
        200 if answer.content_type() == kind => Ok(()),
        200 => Err(Error::new(Kind::NotFound, "there is no git repository at this address")
            .fact("url", shown)
            .fact("answer", format!("a document of type {}", answer.content_type()))
            .hint("check the address; only git's smart protocol is supported")),
        401 | 403 => Err(Error::new(Kind::Unreachable, "the git server requires credentials")
            .fact("url", shown)
            .fact("answer", answer.status())
            .hint(
                "check the address; for a private repository use an ssh URL with an agent, or a git credential helper",
            )),
        404 | 410 => Err(Error::new(Kind::NotFound, "there is no git repository at this address")
            .fact("url", shown)
            .hint("check the address")),
        other => {
            Err(Error::new(Kind::Unreachable, "the git server cannot be used").fact("url", shown).fact("answer", other))
        }
    }
}

/// Removes user and password from a URL and returns them. `insteadOf` in the user's git configuration may add them.
fn without_login(url: &Url) -> (Url, Login) {
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let password = url.password().unwrap_or_default();
    let login = has_login(url).then(|| (decoded(url.username()), decoded(password)));
    let mut plain = url.clone();
    // Both fail only for URLs that have no host.
    let _ = plain.set_username("");
    let _ = plain.set_password(None);
    (plain, login)
}

/// Returns the address of the repository whose list of refs is at `url`.
fn base_of(url: &Url) -> Result<Url> {
    let mut base = url.clone();
    base.set_query(None);
    let path = url.path().strip_suffix("/info/refs").map(str::to_owned);
    let path = path.ok_or_else(|| {
        Error::new(Kind::NotFound, "there is no git repository at this address: it redirects to a page")
            .fact("url", show_url(url))
            .hint("check the address")
    })?;
    base.set_path(&path);
    Ok(base)
}

fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}
