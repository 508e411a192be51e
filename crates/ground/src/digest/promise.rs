//! What a pin says of a download.

use super::Sha256Digest;

/// The size and digest that a download must turn out to have: both come from a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    /// Bytes.
    pub size: u64,
    /// Digest.
    pub digest: Sha256Digest,
}
