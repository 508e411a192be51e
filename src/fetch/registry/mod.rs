//! Container registries: documents and blobs of a repository, with the login that a registry requires.
//!
//! Format: OCI Distribution Specification 1.1, and the token flow of the Docker registry ("Token Authentication
//! Specification"): a registry that answers 401 names a token service, and its token opens one repository for reading.
//! Public repositories need no credentials for that. The credentials of podman and docker are used; they are sent only
//! to the registry's own token service, never over plain http. A helper program is asked only if the repository cannot
//! be read without it.

mod challenge;
mod credentials;
mod helper;
mod logins;
mod refusal;
mod repository;
mod stored;

use crate::error::Error;

pub(super) use challenge::{Challenge, all as challenges};
pub(super) use logins::Logins;
pub(super) use refusal::{how_to_log_in, no_token, refusal};
pub(super) use repository::{DOCKER, repository};
pub(super) use stored::{Credentials, Stored};

/// The reason why a request got no answer.
pub(super) enum SendError {
    /// The transport failed.
    Transport(reqwest::Error),
    /// The login failed.
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
