//! The interface by which look-ups read small documents, so that they can be tested with tables.

use url::Url;

use crate::error::Result;

/// A small document, and the address that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The address after all redirects, which the document's own links are relative to. If a mirror answered, the
    /// corresponding original address.
    pub url: Url,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// A source of small documents such as index pages. Implemented by the fetcher, and by tables in unit tests.
pub trait Documents: Sync {
    /// Returns the document at `url`. Fails if it is longer than `limit` bytes. A missing document is
    /// [`Kind::NotFound`](crate::error::Kind::NotFound), an unreachable host
    /// [`Kind::Unreachable`](crate::error::Kind::Unreachable).
    fn get(&self, url: &Url, limit: u64) -> Result<Document>;

    /// Like [`Self::get`], for one of several documents that are asked for side by side: its number, and how many
    /// there are.
    fn get_one_of(&self, url: &Url, limit: u64, _place: (usize, usize)) -> Result<Document> {
        self.get(url, limit)
    }
}
