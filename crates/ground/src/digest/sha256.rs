//! SHA-256 values, with a type for each meaning, so that a tree digest is never taken for a file's.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::Sha256;
use crate::error::{Error, Kind};

/// The SHA-256 of some bytes, as `sha256sum` computes it. Its text form is `sha256:<64 lower hex>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Digest([u8; 32]);

impl Sha256Digest {
    /// Returns the digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = Sha256::default();
        hash.update(bytes);
        hash.finish()
    }

    /// Returns the 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Wraps a digest that was computed elsewhere.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// Parses 64 lower-case hexadecimal digits. Returns `None` for anything else, upper-case digits included.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// Returns the form that Nix and browsers call SRI: `sha256-<base64>`.
    #[must_use]
    pub fn sri(&self) -> String {
        format!("sha256-{}", STANDARD.encode(self.0))
    }

    /// Returns the form of `nix hash path --base32`: Nix's own alphabet, least significant digit last.
    #[must_use]
    pub fn nix_base32(&self) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";
        (0..52)
            .rev()
            .map(|digit| {
                let (byte, shift) = (digit * 5 / 8, digit * 5 % 8);
                let low = u16::from(self.0[byte]);
                let high = self.0.get(byte + 1).copied().map_or(0, u16::from);
                ALPHABET[((high << 8 | low) >> shift) as usize & 31] as char
            })
            .collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |four: u8| char::from(DIGITS[usize::from(four)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.strip_prefix("sha256:").and_then(Self::from_hex).ok_or_else(|| {
            Error::new(Kind::Invalid, format!("invalid digest `{text}`"))
                .hint("expected `sha256:` and 64 lower-case hexadecimal digits")
        })
    }
}

crate::serde_by_text!(Sha256Digest);

macro_rules! meaning {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Sha256Digest);

        impl $name {
            /// Returns 64 lower-case hexadecimal digits.
            #[must_use]
            pub fn hex(&self) -> String {
                self.0.hex()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                text.parse().map(Self)
            }
        }
    };
}

meaning! {
    /// The SHA-256 of a tree's listing (`strix-tree-1`). Two are equal exactly when names, bytes, exec bits and
    /// links of the trees are.
    TreeDigest
}
meaning! {
    /// The SHA-256 of a recipe's canonical JSON: everything that an output is made from, and the commands that make
    /// it.
    DerivationId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_string_has_its_well_known_forms() {
        let digest = Sha256Digest::of(b"");
        assert_eq!(digest.to_string(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(digest.sri(), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(digest.nix_base32(), "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73");
        assert_eq!(digest.to_string().parse::<Sha256Digest>().unwrap(), digest);
    }

    #[test]
    fn only_the_exact_text_form_is_read() {
        for text in ["", "sha256:", "md5:00", &"0".repeat(64), &format!("sha256:{}", "A".repeat(64))] {
            assert!(text.parse::<Sha256Digest>().is_err(), "{text}");
        }
    }
}
