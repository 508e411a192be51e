//! Look-ups: what does a request mean today? One module per kind of input.
//!
//! Parsers here are pure and total: bytes in, typed value or error out. IO comes in through [`Documents`] and git2.
//! Nothing is downloaded here but index pages and refs; the pinned bytes themselves are `fetch`'s and `store`'s job.

use url::Url;

use crate::error::Result;

pub mod rocm;

/// How look-ups read small documents such as index pages. Implemented by the fetcher, and by tables in unit tests.
pub trait Documents: Sync {
    /// The body of `url`, at most `limit` bytes of it; longer is an error.
    /// A missing document is [`Kind::NotFound`](crate::error::Kind::NotFound), an unreachable host
    /// [`Kind::Unreachable`](crate::error::Kind::Unreachable).
    fn get(&self, url: &Url, limit: u64) -> Result<Vec<u8>>;
}
