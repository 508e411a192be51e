//! The trouble that ends one attempt at one URL: the error, whether another attempt makes sense, and after which pause.

use std::time::Duration;

use url::Url;

use crate::error::{Error, Kind};
use crate::text;
use crate::urls::show_url;

/// The failure of one attempt.
pub(in crate::fetch) struct Trouble {
    pub error: Error,
    /// True if another attempt makes sense.
    pub again: bool,
    /// The pause that the server asks for.
    pub after: Option<Duration>,
}

impl Trouble {
    /// Returns a failure that may pass.
    pub fn passing(error: Error) -> Self {
        Self { error, again: true, after: None }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self { error, again: false, after: None }
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Error::from(error).into()
    }
}

/// Returns the error for a server that sends nothing, or next to nothing.
pub(super) fn stalled(url: &Url) -> Error {
    Error::new(Kind::Unreachable, "the server stopped sending").fact("url", show_url(url))
}

/// Returns the error for a body that ended too early, after `have` bytes of the file.
pub(super) fn broke_off(url: &Url, size: Option<u64>, have: u64, cause: &Error) -> Error {
    let promised = size.map_or_else(|| "unknown".to_owned(), |size| format!("{size} bytes"));
    Error::new(Kind::Mismatch, "the download broke off")
        .fact("url", show_url(url))
        .fact("promised", promised)
        .fact("received", format!("{have} bytes"))
        .because(cause)
        .hint("run the same command again: it resumes here")
}

/// Returns the error for a file that is larger than anything expected.
pub(super) fn too_large(url: &Url, size: Option<u64>, largest: u64) -> Error {
    let sent = size.map_or_else(|| "more, with no end announced".to_owned(), text::bytes);
    Error::new(Kind::Mismatch, "the file is larger than expected")
        .fact("url", show_url(url))
        .fact("expected", format!("at most {}", text::bytes(largest)))
        .fact("sent", sent)
        .hint("if that is right, set `largest-bytes` in the configuration")
}
