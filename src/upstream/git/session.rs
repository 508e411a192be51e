//! State that the connections to one repository share, and the way by which libgit2 reaches it.
//!
//! Every connection goes through libgit2's smart protocol over a way of ours: [`Http`], or a [`Program`] that talks to a git
//! server. On both, all bytes pass [`super::watch`]. libgit2's own transports are never used.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use git2::transport::Transport;
use git2::{ErrorClass, ErrorCode, Remote};
use url::Url;

use super::address::Address;
use super::config::GitConfig;
use super::http::Http;
use super::local::Local;
use super::program::Program;
use super::ssh::Ssh;
use crate::error::{Error, Result};
use crate::fetch::Exchange;

/// The scheme that stands for these transports in libgit2.
pub(super) const SCHEME: &str = "strixlock";

/// Address of every repository for libgit2; the session knows the true one.
pub(super) const PLACEHOLDER: &str = "strixlock://repository";

thread_local! {
    /// libgit2 makes a transport in the thread that asked for a connection, and hands nothing over.
    static CURRENT: RefCell<Option<(Arc<Session>, Address)>> = const { RefCell::new(None) };
}

/// State that one repository's connections share.
pub(super) struct Session {
    pub exchange: Exchange,
    /// The configuration of the user's git.
    pub config: GitConfig,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// A git server answered.
    reached: bool,
    /// The repository's URL that answered.
    answered: Option<Url>,
    failure: Option<Error>,
}

impl Session {
    pub fn new(exchange: Exchange) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { exchange, config: GitConfig::read()?, known: Mutex::default() }))
    }

    /// Runs `action`, whose connections are this session's, and lead to `address`.
    pub fn run<T>(self: &Arc<Self>, address: Address, action: impl FnOnce() -> T) -> T {
        struct Restore(Option<(Arc<Session>, Address)>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _restore = Restore(CURRENT.replace(Some((Arc::clone(self), address))));
        action()
    }

    /// Takes out the error that happened on the way, of which libgit2 has only the text.
    pub fn failure(&self) -> Option<Error> {
        self.known().failure.take()
    }

    /// Keeps an error, and gives its text to libgit2. The first is kept: those behind it follow from it.
    pub fn failed(&self, error: Error) -> io::Error {
        let text = error.message().replace('\0', "");
        self.known().failure.get_or_insert(error);
        io::Error::other(text)
    }

    /// Remembers that a git server answered, and at which URL.
    pub fn reach(&self, answered: Option<Url>) {
        let mut known = self.known();
        (known.reached, known.answered) = (true, answered);
    }

    /// Returns whether a git server answered.
    pub fn reached(&self) -> bool {
        self.known().reached
    }

    /// The repository's address that answered, behind redirects.
    pub fn answered(&self) -> Option<Url> {
        self.known().answered.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the transport for a connection of the session that is running.
pub(super) fn transport(remote: &Remote<'_>) -> Result<Transport, git2::Error> {
    let (session, address) = CURRENT.with_borrow(Clone::clone).ok_or_else(|| refused("there is no session"))?;
    match address {
        Address::Http(url) => Transport::smart(remote, true, Http::new(session, url)),
        Address::Ssh(address) => Transport::smart(remote, false, Program::new(session, Ssh(address))),
        Address::Local(path) => Transport::smart(remote, false, Program::new(session, Local(path))),
    }
}

/// An error for libgit2.
pub(super) fn refused(text: &str) -> git2::Error {
    git2::Error::new(ErrorCode::GenericError, ErrorClass::Net, text.replace('\0', ""))
}
