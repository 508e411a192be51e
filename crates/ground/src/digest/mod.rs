//! Digests: SHA-256 values, and readers and writers that compute them. Uses no other module but `error`.
//!
//! Owns the text form `sha256:<64 lower hex>`, the SRI form and Nix's base 32. Never opens a file itself.

mod hashing;
mod promise;
mod sha256;

pub use hashing::{HashingReader, HashingWriter, Sha256, hash_reader};
pub use promise::Promise;
pub use sha256::{DerivationId, Sha256Digest, TreeDigest};
