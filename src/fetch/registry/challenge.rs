//! `WWW-Authenticate`: a scheme and its parameters (RFC 9110, section 11.6.1). One challenge a header is read, as
//! registries send it.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// A challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    /// e.g. `Bearer`.
    pub scheme: String,
    /// Names in lower case, and values.
    parameters: Vec<(String, String)>,
}

impl Challenge {
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// Whether it is of a kind that credentials are an answer to.
    pub fn is_answered(&self) -> bool {
        self.is("basic") || self.bearer_realm().is_some()
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Where a token is had.
    pub fn bearer_realm(&self) -> Option<&str> {
        self.parameter("realm").filter(|_| self.is("bearer"))
    }
}

/// Those of an answer.
pub(super) fn all(headers: &HeaderMap) -> Vec<Challenge> {
    headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| parse(value.to_str().ok()?)).collect()
}

/// Reads one; `None` for what is none.
pub(super) fn parse(text: &str) -> Option<Challenge> {
    let text = text.trim();
    let (scheme, mut rest) = text.split_once(' ').unwrap_or((text, ""));
    if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return None;
    }
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(Challenge { scheme: scheme.to_owned(), parameters });
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = value(after)?;
        parameters.push((name.trim().to_ascii_lowercase(), value));
        rest = after;
    }
}

/// A word, or text in quotes, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_challenges_of_registries_are_read() {
        let bearer =
            parse(r#"Bearer realm="https://auth.example/token",service="r.example", scope="repository:a/b:pull,push""#)
                .unwrap();
        assert_eq!(bearer.bearer_realm(), Some("https://auth.example/token"));
        assert_eq!(bearer.parameter("service"), Some("r.example"));
        assert_eq!(bearer.parameter("scope"), Some("repository:a/b:pull,push"));
        let basic = parse("Basic realm=\"a \\\"b\\\"\", charset=UTF-8").unwrap();
        assert!(basic.is("basic") && basic.bearer_realm().is_none());
        assert_eq!((basic.parameter("realm"), basic.parameter("charset")), (Some("a \"b\""), Some("UTF-8")));
        assert!(parse("Negotiate").unwrap().is("negotiate"));
        for none in ["", "Bearer realm=\"a", "=", "Bearer x"] {
            assert_eq!(parse(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[A-Za-z =,\"\\\\é]{0,40}") {
            let _ = parse(&text);
        }
    }
}
