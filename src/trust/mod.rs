//! Signed statements: somebody says which tree a derivation gave, and the user says whose word counts.
//!
//! A [`Statement`] is canonical JSON. Its signature is one of `ssh-keygen -Y sign -n strixlock`, in the file format
//! that OpenSSH calls SSHSIG, so that either program verifies what the other accepts. Keys that are trusted stand in
//! an `allowed_signers` file as ssh-keygen(1) describes it ([`Trusted`]).
//!
//! Signing is left to the user's own `ssh-keygen` ([`SigningKey`]), which knows agents, passphrases and security keys;
//! no private key is read here. Verifying runs no program.
//!
//! A statement is believed only if a key in the file signed these very bytes for this purpose, that key is valid now,
//! and the statement is about the derivation that was asked for ([`Trusted::check`]).

mod edit;
mod key;
mod line;
mod options;
mod pattern;
mod sign;
mod signature;
mod statement;
mod time;
mod trusted;

pub use edit::{add, remove};
pub use key::{PublicKey, public_keys};
pub use line::Signer;
pub use sign::SigningKey;
pub use statement::Statement;
pub use trusted::{Trusted, Vouched};

/// The namespace of all signatures: one that was made for anything else does not count.
const NAMESPACE: &str = "strixlock";
