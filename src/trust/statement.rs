//! The statement that a derivation gave a tree.
//!
//! ```json
//! {
//!   "derivation": "sha256:...",
//!   "format": "strix-statement-1",
//!   "kind": "llama",
//!   "name": "llama",
//!   "tree": "sha256:...",
//!   "version": "b11429"
//! }
//! ```
//!
//! The derivation id covers all that the output is made from, the recipe's revision included, and the tree digest all
//! of the result. Name, kind and version are there for people: nothing is decided by them.

use serde::{Deserialize, Serialize};

use super::SigningKey;
use crate::canonical::canonical;
use crate::digest::{DerivationId, TreeDigest};
use crate::error::{Error, Kind, Result};

/// The format that is read and written.
const FORMAT: &str = "strix-statement-1";

/// Size in bytes of the longest statement that is read.
pub(super) const LONGEST: usize = 16 * 1024;

/// Size in bytes of the longest text in a statement.
const LONGEST_TEXT: usize = 256;

/// Somebody's word that a derivation gave a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The derivation.
    pub derivation: DerivationId,
    /// The tree that it gave.
    pub tree: TreeDigest,
    /// The output's name in the lock of whoever made it.
    pub name: String,
    /// The output's kind.
    pub kind: String,
    /// The version of what was built, if it has one.
    pub version: Option<String>,
}

/// A statement as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    derivation: DerivationId,
    format: String,
    kind: String,
    name: String,
    tree: TreeDigest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

/// The format of a document that may have other fields than those known here.
#[derive(Deserialize)]
struct Format {
    format: String,
}

impl Statement {
    /// Returns the bytes that are signed and stored: canonical JSON. Fails if a text is too long to be read again.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.check_texts()?;
        Ok(canonical(&self.written())?.into_bytes())
    }

    /// Parses the bytes of a statement. Fails if they differ in any way from what [`Self::to_bytes`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > LONGEST {
            return Err(malformed("the statement is too long")
                .fact("size", format!("{} bytes", bytes.len()))
                .fact("limit", format!("{LONGEST} bytes")));
        }
        let invalid = |error: serde_json::Error| malformed("the statement is malformed").because(&error);
        let format: Format = serde_json::from_slice(bytes).map_err(invalid)?;
        if format.format != FORMAT {
            return Err(malformed("unknown format of a statement")
                .fact("expected", FORMAT)
                .fact("found", crate::text::visible(&format.format)));
        }
        let written: Written = serde_json::from_slice(bytes).map_err(invalid)?;
        let Written { derivation, format: _, kind, name, tree, version } = written;
        let statement = Self { derivation, tree, name, kind, version };
        if statement.to_bytes()? != bytes {
            return Err(malformed("the statement is not in canonical form"));
        }
        Ok(statement)
    }

    /// Signs the statement. Returns its bytes, and the signature as `ssh-keygen -Y sign` writes it.
    pub fn sign(&self, key: &SigningKey) -> Result<(Vec<u8>, String)> {
        let bytes = self.to_bytes()?;
        let signature = key.sign(&bytes)?;
        Ok((bytes, signature))
    }

    fn written(&self) -> Written {
        Written {
            derivation: self.derivation,
            format: FORMAT.to_owned(),
            kind: self.kind.clone(),
            name: self.name.clone(),
            tree: self.tree,
            version: self.version.clone(),
        }
    }

    /// Fails for texts that cannot be shown in a line.
    fn check_texts(&self) -> Result<()> {
        let texts = [("kind", Some(&self.kind)), ("name", Some(&self.name)), ("version", self.version.as_ref())];
        for (field, text) in texts {
            let Some(text) = text else { continue };
            if text.is_empty() || text.len() > LONGEST_TEXT || text.chars().any(char::is_control) {
                return Err(malformed("invalid text in a statement")
                    .fact("field", field)
                    .fact("expected", format!("1 to {LONGEST_TEXT} bytes without control characters")));
            }
        }
        Ok(())
    }
}

fn malformed(message: &str) -> Error {
    Error::new(Kind::Mismatch, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;

    fn statement() -> Statement {
        Statement {
            derivation: DerivationId(Sha256Digest::of(b"derivation")),
            tree: TreeDigest(Sha256Digest::of(b"tree")),
            name: "llama".to_owned(),
            kind: "llama".to_owned(),
            version: Some("b11429".to_owned()),
        }
    }

    #[test]
    fn the_bytes_are_these_and_are_read_again() {
        let text = String::from_utf8(statement().to_bytes().unwrap()).unwrap();
        let (derivation, tree) = (Sha256Digest::of(b"derivation"), Sha256Digest::of(b"tree"));
        assert_eq!(
            text,
            format!(
                "{{\n  \"derivation\": \"{derivation}\",\n  \"format\": \"strix-statement-1\",\n  \"kind\": \
                 \"llama\",\n  \"name\": \"llama\",\n  \"tree\": \"{tree}\",\n  \"version\": \"b11429\"\n}}\n"
            )
        );
        assert_eq!(Statement::parse(text.as_bytes()).unwrap(), statement());
        let without = Statement { version: None, ..statement() };
        assert_eq!(Statement::parse(&without.to_bytes().unwrap()).unwrap(), without);
    }

    #[test]
    fn other_bytes_of_the_same_meaning_are_refused() {
        let text = String::from_utf8(statement().to_bytes().unwrap()).unwrap();
        let hex = Sha256Digest::of(b"tree").hex();
        for other in [
            text.trim_end().to_owned(),
            format!("{text}\n"),
            format!("\u{feff}{text}"),
            text.replace("  ", " "),
            text.replace('\n', "\r\n"),
            text.replace("llama", "ll\\u0061ma"),
            text.replace(&hex, &hex.to_ascii_uppercase()),
            text.replace("-1\"", "-2\""),
            text.replace("\"kind\"", "\"kinds\""),
            text.replace("{\n", "{\n  \"builder\": \"me\",\n"),
            text.replace("{\n", "{\n  \"name\": \"llama\",\n"),
            text.replace("\"b11429\"", "null"),
            text.replace("\"b11429\"", "\"\""),
            text.replace("b11429", "b\\u001b[2J"),
            text.replace("b11429", &"b".repeat(LONGEST_TEXT + 1)),
            text.replace("b11429", &"b".repeat(LONGEST)),
            format!("[{text}]"),
            "[".repeat(LONGEST),
            String::new(),
        ] {
            assert_ne!(other, text);
            assert_eq!(Statement::parse(other.as_bytes()).unwrap_err().kind(), Kind::Mismatch, "{other}");
        }
        assert!(Statement::parse(b"\xff").is_err());
        let unknown = Statement::parse(text.replace("-1\"", "-2\"").as_bytes()).unwrap_err().to_string();
        assert!(unknown.contains("strix-statement-2"), "{unknown}");
    }
}
