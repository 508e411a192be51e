//! Digests: the values that everything else is known by. Knows no other module but `error`.
//!
//! Owns the text form `sha256:<64 lower hex>` (and reads and writes SRI), and the writer and reader that hash bytes
//! as they pass. Never opens a file by itself.

mod hashing;
mod promise;
mod sha256;

pub use hashing::{HashingReader, HashingWriter, Sha256, hash_reader};
pub use promise::Promise;
pub use sha256::{DerivationId, Sha256Digest, TreeDigest};
