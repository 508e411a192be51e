//! `WWW-Authenticate`: schemes and their parameters (RFC 9110, section 11.6.1).
//!
//! The crate `http-auth` cannot parse two things that servers send: a tab or several blanks between a scheme and its
//! parameters, and `Negotiate` with a token. It gives up there, and a Bearer challenge that follows would be lost.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// A challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::fetch) struct Challenge {
    /// The scheme, such as `Bearer`.
    pub scheme: String,
    /// Parameter names in lower case, with values.
    parameters: Vec<(String, String)>,
}

impl Challenge {
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// Returns whether credentials can answer it.
    pub fn is_answered(&self) -> bool {
        self.is("basic") || self.bearer_realm().is_some()
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the URL of the token service.
    pub fn bearer_realm(&self) -> Option<&str> {
        self.parameter("realm").filter(|_| self.is("bearer"))
    }
}

/// Returns the challenges of an answer. One header may have several; an invalid header is skipped.
pub(in crate::fetch) fn all(headers: &HeaderMap) -> Vec<Challenge> {
    headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| parse(value.to_str().ok()?)).flatten().collect()
}

const BLANKS: [char; 2] = [' ', '\t'];

/// Parses the challenges of one header; `None` if it has none or is invalid. Blanks are allowed around `=`.
fn parse(text: &str) -> Option<Vec<Challenge>> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return (!challenges.is_empty()).then_some(challenges);
        }
        let (word, after) = token(rest)?;
        let equals = after.trim_start_matches(BLANKS).strip_prefix('=');
        if let Some(after) = equals
            && let Some(challenge) = challenges.last_mut()
        {
            let (value, after) = value(after.trim_start_matches(BLANKS))?;
            challenge.parameters.push((word.to_ascii_lowercase(), value));
            rest = after;
        } else if equals.is_none() && (after.is_empty() || after.starts_with([' ', '\t', ','])) {
            challenges.push(Challenge { scheme: word.to_owned(), parameters: Vec::new() });
            rest = token68(after);
        } else {
            return None;
        }
    }
}

/// Splits off a token of RFC 9110; returns it and the rest.
fn token(text: &str) -> Option<(&str, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Skips the token68 that some schemes have instead of parameters, as in `Negotiate YII...=`.
fn token68(text: &str) -> &str {
    let blob = text.trim_start_matches(BLANKS);
    let end = blob.find(|c: char| !(c.is_ascii_alphanumeric() || "-._~+/".contains(c))).unwrap_or(blob.len());
    let after = blob[end..].trim_start_matches('=').trim_start_matches(BLANKS);
    if end > 0 && (after.is_empty() || after.starts_with(',')) { after } else { text }
}

/// Splits off a word or a quoted string; returns it and the rest.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
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

    fn one(text: &str) -> Challenge {
        let [challenge] = parse(text).unwrap().try_into().unwrap();
        challenge
    }

    #[test]
    fn the_challenges_of_registries_are_read() {
        for text in [
            r#"Bearer realm="https://auth.example/token",service="r.example", scope="repository:a/b:pull,push""#,
            r#"Bearer realm = "https://auth.example/token" , service= "r.example",scope ="repository:a/b:pull,push""#,
            "bearer\trealm\t=\t\"https://auth.example/token\",,service=r.example ,SCOPE=\"repository:a/b:pull,push\",",
        ] {
            let bearer = one(text);
            assert_eq!(bearer.bearer_realm(), Some("https://auth.example/token"), "{text}");
            assert_eq!(bearer.parameter("service"), Some("r.example"), "{text}");
            assert_eq!(bearer.parameter("scope"), Some("repository:a/b:pull,push"), "{text}");
        }
        let basic = one("Basic realm=\"a \\\"b\\\"\", charset=UTF-8");
        assert!(basic.is("basic") && basic.bearer_realm().is_none());
        assert_eq!((basic.parameter("realm"), basic.parameter("charset")), (Some("a \"b\""), Some("UTF-8")));
        assert!(one("Negotiate").is("negotiate") && one("Negotiate YIIx/+==").is("negotiate"));
        assert!(one("Bearer x").bearer_realm().is_none());
        for none in ["", "Bearer realm=\"a", "=", "Bearer =x", "a=b", "Bearer \"x\"", "é"] {
            assert_eq!(parse(none), None, "{none}");
        }
    }

    #[test]
    fn several_challenges_in_one_header_are_read() {
        let all = parse(r#"Negotiate abc==, Basic realm="x", Bearer realm="https://a.example/", service="s""#).unwrap();
        let schemes: Vec<&str> = all.iter().map(|challenge| challenge.scheme.as_str()).collect();
        assert_eq!(schemes, ["Negotiate", "Basic", "Bearer"]);
        assert_eq!((all[1].parameter("realm"), all[2].bearer_realm()), (Some("x"), Some("https://a.example/")));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[A-Za-z =,\"\\\\é]{0,40}") {
            let _ = parse(&text);
        }
    }
}
