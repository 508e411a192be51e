//! Tarballs shaped like ROCm nightlies.
//!
//! * [`nightly`]: the description of one
//! * [`libraries`]: its shared libraries
//! * [`tree`]: everything that is in it
//! * [`tarball`]: the archive

mod libraries;
mod nightly;
mod tarball;
mod tree;

pub use nightly::Nightly;
