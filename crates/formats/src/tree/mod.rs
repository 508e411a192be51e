//! Canonical trees: a directory reduced to names, bytes, exec bits and link targets.
//!
//! Owns the listing and its digest, the writer through which every tree is made, the readers of archives that feed
//! it, and the ways to read a tree again (scan, NAR). Knows nothing of the store or the network.

mod archive;
mod compression;
pub mod confined;
mod entries;
pub mod flush;
mod foreign;
mod gzip;
mod links;
mod listing;
mod names;
pub mod nar;
mod notes;
pub mod path;
mod ratio;
mod receiver;
pub mod scan;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod unpack;
mod workers;
mod writer;

pub use archive::ArchiveWriter;
pub use compression::Compression;
pub(crate) use compression::broken;
pub(crate) use foreign::Foreign;
pub use links::{MOST_LINKS, climbs_out, first_out};
pub use listing::{Entry, FORMAT, Listing, Node, is_path, named, show};
pub use notes::Notes;
pub(crate) use ratio::Packed;
pub use receiver::Receiver;
pub(crate) use writer::demand_name;
pub use writer::{Limits, TreeWriter};
