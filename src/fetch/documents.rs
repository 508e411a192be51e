//! How look-ups read small documents, so that they can be tested with tables.

use url::Url;

use crate::error::Result;

/// A small document, and the address that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The address after all redirects: what the document's own links are relative to. Where a mirror answered, the
    /// original address in its place.
    pub url: Url,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// How look-ups read small documents such as index pages. Implemented by the fetcher, and by tables in unit tests.
pub trait Documents: Sync {
    /// The document at `url`, at most `limit` bytes of it; longer is an error.
    /// A missing document is [`Kind::NotFound`](crate::error::Kind::NotFound), an unreachable host
    /// [`Kind::Unreachable`](crate::error::Kind::Unreachable).
    fn get(&self, url: &Url, limit: u64) -> Result<Document>;
}
