//! Options of a line: for which purposes and at which times its key counts.

use super::NAMESPACE;
use super::pattern::list_matches;
use super::time::seconds;

/// The options of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// A list of patterns of namespaces; all if absent.
    namespaces: Option<String>,
    /// The time from which the key counts, in seconds since 1970.
    pub after: Option<i64>,
    /// The last second at which it counts.
    pub before: Option<i64>,
}

impl Options {
    /// Parses options as they stand in a line. An unknown one is an error, since it may be a restriction.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut options = Self::default();
        for option in split(text, ',') {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let name = name.to_ascii_lowercase();
            match name.as_str() {
                "cert-authority" => return Err("certificates (cert-authority) are not supported".to_owned()),
                "namespaces" => set(&mut options.namespaces, &name, unquoted(&name, value)?)?,
                "valid-after" => set(&mut options.after, &name, seconds(&unquoted(&name, value)?)?)?,
                "valid-before" => set(&mut options.before, &name, seconds(&unquoted(&name, value)?)?)?,
                _ => return Err(format!("unknown option `{name}`")),
            }
        }
        match (options.after, options.before) {
            (Some(after), Some(before)) if before <= after => Err("valid-before is not later than valid-after".into()),
            _ => Ok(options),
        }
    }

    /// Returns why the key does not count for statements at a time, if it does not.
    pub fn refusal(&self, now: i64) -> Option<&'static str> {
        if self.namespaces.as_ref().is_some_and(|list| !list_matches(list, NAMESPACE)) {
            Some("not for strixlock (namespaces)")
        } else if self.after.is_some_and(|after| now < after) {
            Some("not yet valid (valid-after)")
        } else if self.before.is_some_and(|before| now > before) {
            Some("expired (valid-before)")
        } else {
            None
        }
    }
}

/// Splits a text at a separator that is not within double quotes.
pub(super) fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        let is_end = c == separator && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && quoted;
        is_end
    })
}

/// Sets an option, which may stand there once.
fn set<T>(option: &mut Option<T>, name: &str, value: T) -> Result<(), String> {
    match option.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("option `{name}` stands there twice")),
    }
}

/// Returns a value without the quotes around it.
fn unquoted(name: &str, value: &str) -> Result<String, String> {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner
        .map(|inner| inner.replace("\\\"", "\""))
        .ok_or_else(|| format!("expected quotes around the value of `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_restrict_a_key() {
        let refusal = |text: &str, now| Options::parse(text).unwrap().refusal(now);
        assert_eq!(refusal("namespaces=\"strixlock\"", 0), None);
        assert_eq!(refusal("NAMESPACES=\"git,strix*\",valid-before=\"19700102Z\"", 86_400), None);
        assert_eq!(refusal("valid-before=\"19700102Z\"", 86_401), Some("expired (valid-before)"));
        assert_eq!(refusal("valid-after=\"19700102Z\"", 86_399), Some("not yet valid (valid-after)"));
        assert_eq!(refusal("valid-after=\"19700102Z\"", 86_400), None);
        assert_eq!(refusal("namespaces=\"git\"", 0), Some("not for strixlock (namespaces)"));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in [
            "",
            "cert-authority",
            "namespaces=\"a\",cert-authority",
            "namespaces",
            "namespaces=strixlock",
            "namespaces=\"strixlock",
            "namespaces=\"a\",namespaces=\"b\"",
            "namespaces=\"a\",",
            "valid-before=\"tomorrow\"",
            "valid-before=\"19700102Z\",valid-after=\"19700103Z\"",
            "verify-required",
        ] {
            assert!(Options::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn quotes_hold_separators() {
        assert_eq!(split("a=\"b,c\",d", ',').collect::<Vec<_>>(), ["a=\"b,c\"", "d"]);
        assert_eq!(split(r#"a="b\",c",d"#, ',').collect::<Vec<_>>(), [r#"a="b\",c""#, "d"]);
    }
}
