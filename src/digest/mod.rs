//! Digests: the values that everything else is known by. Knows no other module but `error`.
//!
//! Owns the text form `sha256:<64 lower hex>` (and reads and writes SRI), and the writer and reader that hash bytes
//! as they pass, and what hashes many files side by side. Never opens a file by itself.

mod aside;
mod engine;
mod hashing;
mod lanes;
mod many;
mod promise;
mod sha256;

pub use aside::AsideHasher;
pub use engine::Sha256;
pub use hashing::{HashingReader, HashingWriter, hash_reader};
pub use many::{Files, hash_many, side_by_side};
pub use promise::Promise;
pub use sha256::{DerivationId, Sha256Digest, TreeDigest};
