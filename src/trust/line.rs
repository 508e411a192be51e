//! A line of `allowed_signers`: `NAMES [OPTIONS] TYPE BASE64 [COMMENT]`.

use super::key::PublicKey;
use super::options::{Options, split};

/// Somebody whose key stands in `allowed_signers`.
#[derive(Debug, Clone)]
pub struct Signer {
    names: String,
    key: PublicKey,
    options: Options,
}

impl Signer {
    /// Parses a line. `None` is an empty one or a comment; the error is a short phrase.
    pub(super) fn parse(line: &str) -> Result<Option<Self>, String> {
        let line = line.trim_matches([' ', '\t', '\r']);
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let (names, rest) = line.split_once([' ', '\t']).ok_or("expected a name and a key")?;
        if names.contains('"') {
            return Err("names in quotes are not supported".to_owned());
        }
        let rest = rest.trim_start_matches([' ', '\t']);
        let first = rest.split([' ', '\t']).next().unwrap_or_default();
        let (options, key) = if PublicKey::is_type(first) {
            (Options::default(), rest)
        } else {
            // Options may have blanks within quotes.
            let written = split(rest, ' ').next().unwrap_or_default();
            let key = rest.get(written.len()..).unwrap_or_default();
            (Options::parse(written)?, key)
        };
        Ok(Some(Self { names: names.to_owned(), key: PublicKey::parse(key)?, options }))
    }

    /// Returns the name, or several with commas between them, as written.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.names
    }

    /// Returns the key.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Returns the time from which the key counts, in seconds since 1970.
    #[must_use]
    pub fn valid_after(&self) -> Option<i64> {
        self.options.after
    }

    /// Returns the last second at which the key counts, since 1970.
    #[must_use]
    pub fn valid_before(&self) -> Option<i64> {
        self.options.before
    }

    /// Returns why the key does not count at a time, if it does not.
    #[must_use]
    pub fn refusal(&self, now: i64) -> Option<&'static str> {
        self.options.refusal(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    fn parse(line: &str) -> Result<Option<Signer>, String> {
        Signer::parse(line)
    }

    #[test]
    fn lines_of_the_manual_page_are_read() {
        let line =
            format!("  a@example.com,b \tnamespaces=\"git, strixlock\",valid-before=\"19700102Z\" {KEY} of  ann\r");
        let signer = parse(&line).unwrap().unwrap();
        assert_eq!((signer.name(), signer.key().comment()), ("a@example.com,b", "of ann"));
        assert_eq!((signer.valid_after(), signer.valid_before()), (None, Some(86_400)));
        assert_eq!(signer.key().to_string(), format!("{KEY} of ann"));
        assert!(parse(&format!("a {KEY}")).unwrap().unwrap().refusal(0).is_none());
        assert!(parse("").unwrap().is_none() && parse(" # a comment").unwrap().is_none());
    }

    #[test]
    fn lines_that_cannot_be_honoured_say_why() {
        for (line, why) in [
            ("a".to_owned(), "expected a name and a key"),
            (format!("\"a b\" {KEY}"), "names in quotes are not supported"),
            (format!("a cert-authority {KEY}"), "certificates (cert-authority) are not supported"),
            (format!("a no-touch-required {KEY}"), "unknown option `no-touch-required`"),
            (format!("a namespaces=\"x {KEY}"), "expected quotes around the value of `namespaces`"),
            ("a ssh-ed25519".to_owned(), "expected a key's type and its base64"),
            ("a ssh-dss AAAAB3NzaC1kc3MAAAAA".to_owned(), "invalid key: "),
            ("a ssh-ed25519-cert-v01@openssh.com AAAA".to_owned(), "certificates are not supported"),
            (format!("a {}", KEY.replace("AAAAC3", "AAAAC4")), "invalid key: "),
        ] {
            let found = parse(&line).unwrap_err();
            assert!(found.starts_with(why), "{line}: {found}");
        }
    }
}
