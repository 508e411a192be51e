//! Takes downloads into the store: the one place where `fetch`, `tree` and `store` meet. Knows no kind of input.
//!
//! Used by `update`, which learns digests, and by `realize`, which demands them. Either way bytes pass once: socket,
//! hash, inflate, hash and write of each file; and nothing gets a name in the store before its digest was judged.

mod file;
mod held;
mod many;
mod unpack_sink;

pub(crate) use file::{file, file_anew, file_vouched};
pub(crate) use held::{held, hold, note};
pub(crate) use many::{Piece, drop_damaged, is_here, pieces};
pub(crate) use unpack_sink::UnpackSink;

use crate::fetch::Fetcher;
use crate::store::Store;

/// Store and fetcher, which every intake works with.
#[derive(Clone, Copy)]
pub struct Intake<'a> {
    /// The store that downloads go to.
    pub store: &'a Store,
    /// The fetcher that they come through.
    pub fetcher: &'a Fetcher,
}
