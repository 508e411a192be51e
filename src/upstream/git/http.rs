//! Git's smart HTTP for libgit2, over the fetcher's client: every byte that comes is looked at before libgit2 keeps it.
//!
//! libgit2's own HTTP holds whatever a server sends. This one knows the bounds, follows the fetcher's rules for
//! redirects, proxies and time, and remembers which address answered. Logins come from git's credential helpers and are
//! asked for by the address that wants them.

use std::cell::RefCell;
use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};
use git2::{ErrorClass, ErrorCode, Remote};
use url::Url;

use super::pack::PackWatch;
use super::packets::Bands;
use super::{advertisement, bounds};
use crate::error::{Error, Kind, Result};
use crate::fetch::{Answer, Exchange, Request};
use crate::urls::show_url;

/// The schemes that stand for this transport in libgit2.
pub(super) const SCHEMES: [&str; 2] = ["strixlock+http", "strixlock+https"];

/// Some servers answer as a git server to nobody but git.
const AGENT: &str = concat!("git/2.0 (strixlock ", env!("CARGO_PKG_VERSION"), ")");

const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
const REQUEST: &str = "application/x-git-upload-pack-request";
const RESULT: &str = "application/x-git-upload-pack-result";

thread_local! {
    /// libgit2 makes a transport in the thread that asked for a connection, and hands nothing over.
    static CURRENT: RefCell<Option<Arc<Session>>> = const { RefCell::new(None) };
}

/// State that one repository's connections share.
pub(super) struct Session {
    exchange: Exchange,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The repository's address that answered.
    base: Option<Url>,
    login: Option<(String, String)>,
    failure: Option<Error>,
}

impl Session {
    pub fn new(exchange: Exchange) -> Arc<Self> {
        Arc::new(Self { exchange, known: Mutex::default() })
    }

    /// Runs `action`, whose connections are this session's.
    pub fn run<T>(self: &Arc<Self>, action: impl FnOnce() -> T) -> T {
        struct Restore(Option<Arc<Session>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _restore = Restore(CURRENT.replace(Some(Arc::clone(self))));
        action()
    }

    /// Takes out the error that happened on the way, of which libgit2 has only the text.
    pub fn failure(&self) -> Option<Error> {
        self.known().failure.take()
    }

    /// The repository's address that answered, behind redirects.
    pub fn answered(&self) -> Option<Url> {
        self.known().base.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an error, and gives its text to libgit2.
    fn failed(&self, error: Error) -> io::Error {
        let text = error.message().replace('\0', "");
        self.known().failure = Some(error);
        io::Error::other(text)
    }

    /// Asks which refs there are. The address may redirect, and may want a login.
    fn advertise(&self, repository: &Url) -> Result<Vec<u8>> {
        let mut base = repository.clone();
        let mut login = None;
        let answer = loop {
            let mut url = below(&base, "info/refs");
            url.set_query(Some("service=git-upload-pack"));
            let request = Request { url: &url, agent: AGENT, accept: ADVERTISEMENT, login: login.as_ref(), body: None };
            let answer = self.exchange.send(request)?;
            base = base_of(answer.url())?;
            if answer.status() != 401 || login.is_some() {
                break answer;
            }
            match ask_for_login(&base) {
                Some(found) => login = Some(found),
                None => break answer,
            }
        };
        demand(&answer, ADVERTISEMENT)?;
        let url = answer.url().clone();
        let body = answer.body(bounds::ADVERTISEMENT, self.exchange.patience())?;
        advertisement::check(&body).map_err(|error| error.fact("url", show_url(&url)))?;
        let mut known = self.known();
        (known.base, known.login) = (Some(base), login);
        Ok(body)
    }

    /// Sends what libgit2 says of wants and haves.
    fn ask_for_pack(&self, body: Vec<u8>) -> Result<Answer> {
        let (base, login) = {
            let known = self.known();
            (known.base.clone(), known.login.clone())
        };
        let base = base.ok_or_else(|| Error::failure("a pack is asked for before the refs"))?;
        let url = below(&base, "git-upload-pack");
        let body = Some((REQUEST, body));
        let answer =
            self.exchange.send(Request { url: &url, agent: AGENT, accept: RESULT, login: login.as_ref(), body })?;
        // Git follows redirects for the first question only.
        if *answer.url() != url {
            return Err(Error::new(Kind::Unreachable, "the git server redirects in the middle of a conversation")
                .fact("url", show_url(&url))
                .fact("to", show_url(answer.url())));
        }
        demand(&answer, RESULT)?;
        Ok(answer)
    }
}

/// Makes the transport for a connection of the session that is running.
pub(super) fn transport(remote: &Remote<'_>) -> Result<Transport, git2::Error> {
    let session = CURRENT.with_borrow(Clone::clone);
    let session = session.ok_or_else(|| refused("there is no session"))?;
    Transport::smart(remote, true, Http(session))
}

/// The address under which libgit2 finds this transport.
pub(super) fn disguised(url: &str) -> Option<String> {
    let scheme = url.split_once("://")?.0;
    matches!(scheme, "http" | "https").then(|| format!("strixlock+{url}"))
}

struct Http(Arc<Session>);

impl SmartSubtransport for Http {
    fn action(&self, url: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let url = url.strip_prefix("strixlock+").and_then(|url| Url::parse(url).ok());
        let url = url.ok_or_else(|| refused("the address of a repository is no URL"))?;
        match service {
            Service::UploadPackLs => {
                let body = self.0.advertise(&url).map_err(|error| refused(&self.0.failed(error).to_string()))?;
                Ok(Box::new(Cursor::new(body)))
            }
            Service::UploadPack => Ok(Box::new(Conversation::new(Arc::clone(&self.0)))),
            Service::ReceivePack | Service::ReceivePackLs => Err(refused("nothing is ever pushed")),
        }
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// One request with wants and haves, and its answer.
struct Conversation {
    session: Arc<Session>,
    asked: Vec<u8>,
    answer: Option<Answer>,
    piece: Bytes,
    bands: Bands,
    pack: PackWatch,
}

impl Conversation {
    fn new(session: Arc<Session>) -> Self {
        let (bands, pack) = (Bands::default(), PackWatch::default());
        Self { session, asked: Vec::new(), answer: None, piece: Bytes::new(), bands, pack }
    }

    fn next(&mut self) -> Result<()> {
        if self.answer.is_none() {
            self.answer = Some(self.session.ask_for_pack(std::mem::take(&mut self.asked))?);
        }
        let Some(answer) = &mut self.answer else { return Ok(()) };
        if let Some(piece) = answer.chunk()? {
            let pack = &mut self.pack;
            self.bands.feed(&piece, &mut |bytes| pack.feed(bytes))?;
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
            self.next().map_err(|error| self.session.failed(error))?;
        }
        let piece = self.piece.split_to(self.piece.len().min(buffer.len()));
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

/// Fails unless an answer is the one that a git server gives.
fn demand(answer: &Answer, kind: &str) -> Result<()> {
    let shown = show_url(answer.url());
    match answer.status() {
        200 if answer.content_type() == kind => Ok(()),
        200 => Err(Error::new(Kind::NotFound, "there is no git repository at this address")
            .fact("url", shown)
            .fact("answer", format!("a document of type {}", answer.content_type()))
            .hint("check the address; only git's smart protocol is spoken")),
        401 | 403 => Err(Error::new(Kind::Unreachable, "the git server wants credentials")
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

fn ask_for_login(base: &Url) -> Option<(String, String)> {
    let config = git2::Config::open_default().ok()?;
    let mut helper = git2::CredentialHelper::new(base.as_str());
    helper.config(&config).execute()
}

/// The repository whose list of refs is at `url`.
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

fn refused(text: &str) -> git2::Error {
    git2::Error::new(ErrorCode::GenericError, ErrorClass::Net, text.replace('\0', ""))
}
