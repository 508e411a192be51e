//! Public keys, as they stand in `id_ed25519.pub` and in `allowed_signers`.

use std::fmt;
use std::ops::RangeInclusive;

use ssh_key::{Algorithm, HashAlg};

/// Sizes of RSA keys that signatures can be verified with.
const RSA_BITS: RangeInclusive<usize> = 2048..=4096;

/// A public key that signatures can be verified with.
#[derive(Debug, Clone)]
pub struct PublicKey {
    key: ssh_key::PublicKey,
    comment: String,
}

impl PublicKey {
    /// Parses a key's type, its base64 and, behind them, a comment. The error is a short phrase.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_ascii_whitespace();
        let (Some(kind), Some(base64)) = (words.next(), words.next()) else {
            return Err("expected a key's type and its base64".to_owned());
        };
        let comment = words.collect::<Vec<_>>().join(" ");
        if kind.contains("-cert-v01@") {
            return Err("certificates are not supported".to_owned());
        }
        let key = ssh_key::PublicKey::from_openssh(&format!("{kind} {base64}"))
            .map_err(|error| format!("invalid key: {error}"))?;
        supported(&key)?;
        Ok(Self { key, comment })
    }

    /// Returns whether a word is the type of a key, known or not.
    pub(super) fn is_type(word: &str) -> bool {
        let prefixes = ["ssh-", "ecdsa-", "sk-"];
        prefixes.iter().any(|prefix| word.starts_with(prefix)) && !word.contains(['=', ',', '"', '/', '.'])
            || word.contains("@openssh.com")
    }

    /// Returns the fingerprint, `SHA256:...`, as `ssh-keygen -l` prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Returns the type, such as `ssh-ed25519`.
    #[must_use]
    pub fn kind(&self) -> String {
        self.key.algorithm().to_string()
    }

    /// Returns the comment, which is usually the name of a person and a machine.
    #[must_use]
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// Returns the key as the library has it.
    pub(super) fn inner(&self) -> &ssh_key::PublicKey {
        &self.key
    }
}

/// Writes the type, the base64 and the comment.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key.to_openssh().map_err(|_| fmt::Error)?)?;
        if self.comment.is_empty() { Ok(()) } else { write!(f, " {}", self.comment) }
    }
}

/// Returns all keys of a text with one on each line, such as a `.pub` file or `https://github.com/NAME.keys`, and the
/// faults of lines that cannot be used.
#[must_use]
pub fn public_keys(text: &str) -> (Vec<PublicKey>, Vec<String>) {
    let (mut keys, mut faults) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match PublicKey::parse(line) {
            Ok(key) => keys.push(key),
            Err(fault) => faults.push(format!("line {}: {fault}", number + 1)),
        }
    }
    (keys, faults)
}

/// Fails for keys whose signatures cannot be verified here.
fn supported(key: &ssh_key::PublicKey) -> Result<(), String> {
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::SkEd25519 | Algorithm::Ecdsa { .. } | Algorithm::SkEcdsaSha2NistP256 => Ok(()),
        Algorithm::Rsa { .. } => {
            let modulus = key.key_data().rsa().and_then(|rsa| rsa.n.as_positive_bytes()).unwrap_or_default();
            let bits = modulus.len() * 8;
            if RSA_BITS.contains(&bits) {
                return Ok(());
            }
            let (least, most) = (RSA_BITS.start(), RSA_BITS.end());
            Err(format!("an RSA key of {bits} bits is not supported: expected {least} to {most}"))
        }
        other => Err(format!("keys of type {other} are not supported")),
    }
}
