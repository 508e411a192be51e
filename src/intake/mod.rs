//! Takes downloads into the store: the one place where `fetch`, `tree` and `store` meet. Does not know the kinds of
//! inputs.
//!
//! Used by `update`, which records digests, and by `realize`, which verifies them. Both process the bytes once:
//! receive, hash, inflate, hash and write each file. Nothing gets a name in the store before its digest is verified.

mod batch;
mod earlier;
mod file;
mod unpack_sink;

pub(crate) use batch::{MissingFile, download_all, drop_damaged, is_here};
pub(crate) use earlier::{earlier_download, lock_download, record_origin};
pub(crate) use file::{file, file_anew, file_once, file_vouched};
pub(crate) use unpack_sink::UnpackSink;

use crate::fetch::Fetcher;
use crate::store::Store;

/// The store and the fetcher that every intake uses.
#[derive(Clone, Copy)]
pub struct Intake<'a> {
    /// The store that receives the downloads.
    pub store: &'a Store,
    /// The fetcher that downloads.
    pub fetcher: &'a Fetcher,
}
