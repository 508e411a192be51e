//! How look-ups read small documents, so that they can be tested with tables.

use url::Url;

use crate::error::Result;

/// How look-ups read small documents such as index pages. Implemented by the fetcher, and by tables in unit tests.
pub trait Documents: Sync {
    /// The body of `url`, at most `limit` bytes of it; longer is an error.
    /// A missing document is [`Kind::NotFound`](crate::error::Kind::NotFound), an unreachable host
    /// [`Kind::Unreachable`](crate::error::Kind::Unreachable).
    fn get(&self, url: &Url, limit: u64) -> Result<Vec<u8>>;
}
