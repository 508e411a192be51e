//! A first version of an advisory, for a person to complete.

use std::fmt::Write;

use super::Advisory;

/// The evidence for the first bad version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// It failed; an earlier one may be bad as well.
    Seen,
    /// The one before it is good.
    Bisected,
}

impl Since {
    fn remark(self) -> &'static str {
        match self {
            Self::Seen => "the version that failed: an earlier one may be the first bad one",
            Self::Bisected => "the first bad version: the one before it is good",
        }
    }
}

/// Returns an advisory as an entry of a document, with comments: what was seen, and what is not known yet. Its source is
/// left empty, which no document may have, so nobody forgets to fill it in.
#[must_use]
pub fn draft(advisory: &Advisory, seen: &[String], since: Since) -> String {
    let mut text = String::new();
    for line in seen {
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        // Writing to a string does not fail.
        let _ = writeln!(text, "# {}", line.trim());
    }
    let quoted = |value: &str| toml::Value::from(value).to_string();
    let list = |values: Vec<String>| toml::Value::from(values).to_string();
    text.push_str("[[advisory]]\n");
    let mut line = |name: &str, value: String, comment: &str| {
        let _ = writeln!(text, "{name} = {value}{comment}");
    };
    line("id", quoted(&advisory.id), "");
    line("about", quoted(advisory.about.key()), "");
    line("what", quoted(&advisory.what), "  # say what people see");
    if !advisory.backends.is_empty() {
        line("backends", list(advisory.backends.clone()), "");
    }
    if !advisory.targets.is_empty() {
        line("targets", list(advisory.targets.iter().map(ToString::to_string).collect()), "");
    }
    if let Some(from) = &advisory.from {
        line("from", quoted(&from.to_string()), &format!("  # {}", since.remark()));
    }
    line("# until", quoted(""), "  # the first good version, once there is one");
    line("source", quoted(&advisory.source), "  # fill in: the https address of the report; refused while it is empty");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisories::{Bound, Software, parse};

    fn advisory() -> Advisory {
        Advisory {
            id: "llama-cpp-2026-07-16".to_owned(),
            about: Software::LlamaCpp,
            what: "fails \"agreement\"".to_owned(),
            backends: vec!["hip".to_owned()],
            targets: vec!["gfx1151".parse().unwrap()],
            from: Some(Bound::Day("2026-07-16".parse().unwrap())),
            until: None,
            good: None,
            kernels: None,
            source: String::new(),
        }
    }

    #[test]
    fn a_draft_is_refused_until_its_source_is_filled_in() {
        let seen = ["seen: \u{1b}[31mred\nid = \"other\"".to_owned()];
        let text = format!("format = 1\n\n{}", draft(&advisory(), &seen, Since::Seen));
        let refused = parse(&text, "x").unwrap_err();
        assert!(refused.message().contains("`llama-cpp-2026-07-16`: a text is empty"), "{}", refused.message());
        let filled = text.replace("source = \"\"", "source = \"https://host/1\"");
        let expected = Advisory { source: "https://host/1".to_owned(), ..advisory() };
        assert_eq!(parse(&filled, "x").unwrap(), [expected], "{filled}");
    }
}
