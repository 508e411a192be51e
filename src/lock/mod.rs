//! The lock: the pins of all inputs, and recipe and seal of every output, as canonical JSON.
//!
//! Owns the model, its text, and the comparison of a lock with a manifest. The types cannot express a pin without a
//! digest. Never uses the network and never reads the store.
//!
//! Each input and output is a block with a digest of its own (`entry`), so that a hand edit is detected and branches
//! that update different inputs merge without conflicts. Nothing spans blocks: no time of the run, no host, no tool
//! version.

mod advice;
mod derivation;
mod earlier;
mod file;
mod labels;
pub mod merge;
mod model;
mod order;
mod read;
mod rocm;
mod seal;
mod stale;
mod valid;

pub use advice::{Advice, Judged, known};
pub use derivation::{Derive, Parts};
pub use labels::{LOCK_DIGEST, labels};
pub use model::{Lock, LockedOutput};
pub use seal::EarlierSeal;
pub use stale::{Staleness, staleness};

/// The media type of a lock in registries.
pub const MEDIA_TYPE: &str = "application/vnd.strixlock.lock.v1+json";

/// The lock format that this program writes.
pub const FORMAT: u64 = 1;
