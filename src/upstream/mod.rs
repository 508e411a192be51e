//! Look-ups: what does a request mean today? One module per kind of input.
//!
//! Parsers here are pure and total: bytes in, typed value or error out. IO comes in through [`Documents`](crate::fetch::Documents) and git2.
//! Nothing is downloaded here but index pages and refs; the pinned bytes themselves are `fetch`'s and `store`'s job.

pub mod debs;
pub mod git;
pub mod huggingface;
pub mod oci;
mod proxy;
pub mod rocm;
