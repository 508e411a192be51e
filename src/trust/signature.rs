//! A signature, as `ssh-keygen -Y sign` writes it (SSHSIG, armoured).

use ssh_key::{Algorithm, LineEnding, SshSig};

use super::NAMESPACE;
use crate::error::{Error, Kind, Result};
use crate::text::visible;

/// Size in bytes of the longest signature that is read. One by an RSA key of 4096 bits has 1600.
pub(super) const LONGEST: usize = 8 * 1024;

/// The line that a signature begins with.
const BEGIN: &[u8] = b"-----BEGIN SSH SIGNATURE-----";

/// A signature that is not verified yet.
pub(super) struct Signature(SshSig);

impl Signature {
    /// Parses one signature, with nothing before or after it.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > LONGEST {
            return Err(malformed("the signature is too long")
                .fact("size", format!("{} bytes", bytes.len()))
                .fact("limit", format!("{LONGEST} bytes")));
        }
        if !bytes.starts_with(BEGIN) {
            return Err(malformed("expected an SSH signature")
                .fact("expected", String::from_utf8_lossy(BEGIN))
                .fact("found", visible(&String::from_utf8_lossy(&bytes[..bytes.len().min(BEGIN.len())]))));
        }
        let begins = bytes.windows(BEGIN.len()).filter(|window| *window == BEGIN).count();
        if begins > 1 {
            return Err(malformed("expected one SSH signature").fact("found", begins));
        }
        let parsed = SshSig::from_pem(bytes.trim_ascii_end())
            .map_err(|error| malformed("the SSH signature is malformed").because(&error))?;
        if parsed.version() != SshSig::VERSION {
            return Err(malformed("unknown version of an SSH signature").fact("version", parsed.version()));
        }
        if !is_exact(&parsed, bytes) {
            return Err(malformed("the SSH signature is malformed").fact("found", "lengths that do not fit"));
        }
        Ok(Self(parsed))
    }

    /// Returns the key that it claims to be by.
    pub fn key(&self) -> ssh_key::PublicKey {
        self.0.public_key().clone().into()
    }

    /// Fails unless the key that it names made it for these bytes, and for strixlock.
    pub fn verify(&self, bytes: &[u8]) -> Result<()> {
        if self.0.namespace() != NAMESPACE {
            return Err(malformed("the signature was made for another purpose")
                .fact("expected", format!("namespace {NAMESPACE}"))
                .fact("found", format!("namespace {}", visible(self.0.namespace()))));
        }
        self.key()
            .verify(NAMESPACE, bytes, &self.0)
            .map_err(|error| malformed("the signature does not fit the statement").because(&error))
    }
}

/// Returns whether a signature is written as these bytes, but for line breaks. The library reads some lengths without
/// comparing them.
fn is_exact(parsed: &SshSig, bytes: &[u8]) -> bool {
    // Those of security keys with ECDSA the library writes in another form than it reads.
    if parsed.algorithm() == Algorithm::SkEcdsaSha2NistP256 {
        return true;
    }
    let signs = |text: &[u8]| -> Vec<u8> { text.iter().copied().filter(|sign| !sign.is_ascii_whitespace()).collect() };
    parsed.to_pem(LineEnding::LF).is_ok_and(|again| signs(again.as_bytes()) == signs(bytes))
}

fn malformed(message: &str) -> Error {
    Error::new(Kind::Mismatch, message)
}
