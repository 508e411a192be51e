//! The lock: all pins, and what is known of every output. JSON, canonical.
//!
//! Owns the model, its text, and the judgement whether a lock fits a manifest. A pin without a digest cannot be
//! written: the types have no such state. Never asks the network and never looks into the store.
//!
//! Each input and output is a block of its own with its own digest (`entry`), so that a hand edit is noticed and two branches that
//! update different inputs merge clean. Nothing in the lock spans blocks: no time of ours, no host, no tool version.

mod derivation;
mod earlier;
mod file;
mod labels;
mod model;
mod order;
mod read;
mod seal;
mod stale;
mod valid;

pub use derivation::{Derive, Parts};
pub use labels::{LOCK_DIGEST, labels};
pub use model::{Lock, LockedOutput};
pub use seal::EarlierSeal;
pub use stale::{Staleness, staleness};

/// The lock format that this program writes.
pub const FORMAT: u64 = 1;
