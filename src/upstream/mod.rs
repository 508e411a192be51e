//! Look-ups: they resolve a request to what upstream has today. One module per kind of input.
//!
//! Parsers here are pure and total: bytes in, typed value or error out. IO comes in through
//! [`Documents`](crate::fetch::Documents) and git2. Only index pages and refs are downloaded here; `fetch` and `store`
//! handle the pinned files.

pub mod debs;
pub mod git;
pub mod huggingface;
pub mod oci;
mod proxy;
pub mod release;
pub mod rocm;
