//! State that the connections to one repository share, and the choice of the transport by which libgit2 reaches it.
//!
//! Every connection uses libgit2's smart protocol over a transport of ours: [`Http`], or a [`Program`] that talks to a
//! git server. In both, [`super::watch`] checks all bytes. libgit2's own transports are never used.

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

/// The scheme under which libgit2 knows these transports.
pub(super) const SCHEME: &str = "strixlock";

/// The address of every repository for libgit2; the session has the real one.
pub(super) const PLACEHOLDER: &str = "strixlock://repository";

thread_local! {
    /// The running session: libgit2 creates a transport in the thread that asked for a connection, without an argument.
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
    /// True if a git server answered.
    reached: bool,
    /// The URL that answered.
    answered: Option<Url>,
    failure: Option<Error>,
}

impl Session {
    pub fn new(exchange: Exchange) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { exchange, config: GitConfig::read()?, known: Mutex::default() }))
    }

    /// Runs `action`, whose connections belong to this session and lead to `address`.
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

    /// Removes and returns the original error: libgit2 has only its text.
    pub fn failure(&self) -> Option<Error> {
        self.known().failure.take()
    }

    /// Keeps an error and returns its text for libgit2. The first error is kept: later ones follow from it.
    pub fn failed(&self, error: Error) -> io::Error {
        let text = error.message().replace('\0', "");
        self.known().failure.get_or_insert(error);
        io::Error::other(text)
    }

    /// Records that a git server answered, and at which URL.
    pub fn reach(&self, answered: Option<Url>) {
        let mut known = self.known();
        (known.reached, known.answered) = (true, answered);
    }

    /// Returns whether a git server answered.
    pub fn reached(&self) -> bool {
        self.known().reached
    }

    /// Returns the repository's address that answered, after redirects.
    pub fn answered(&self) -> Option<Url> {
        self.known().answered.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates the transport for a connection of the running session.
pub(super) fn transport(remote: &Remote<'_>) -> Result<Transport, git2::Error> {
    let (session, address) = CURRENT.with_borrow(Clone::clone).ok_or_else(|| refused("there is no session"))?;
    match address {
        Address::Http(url) => Transport::smart(remote, true, Http::new(session, url)),
        Address::Ssh(address) => Transport::smart(remote, false, Program::new(session, Ssh(address))),
        Address::Local(path) => Transport::smart(remote, false, Program::new(session, Local(path))),
    }
}

/// Returns an error for libgit2.
pub(super) fn refused(text: &str) -> git2::Error {
    git2::Error::new(ErrorCode::GenericError, ErrorClass::Net, text.replace('\0', ""))
}
