//! The size and digest that a pin promises of a download.

use super::Sha256Digest;

/// The size and digest that a download must turn out to have. Both come from a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    /// The size in bytes.
    pub size: u64,
    /// The SHA-256 of the bytes.
    pub digest: Sha256Digest,
}
