//! Documents with advisories: TOML, with the number of their format and a list.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Advisory, Bound, KernelFix, Software};
use crate::error::{Error, Kind, Result};

/// The format that this program reads.
const FORMAT: u64 = 1;

/// Greatest size of a document in bytes.
pub const LARGEST: u64 = 256 << 10;

/// Greatest number of advisories in a document.
const MOST: usize = 500;

/// Greatest length of a text in bytes.
const LONGEST: usize = 400;

#[derive(Deserialize)]
struct Head {
    format: Option<toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[expect(dead_code, reason = "read before, by itself")]
    format: u64,
    #[serde(default)]
    advisory: Vec<Advisory>,
}

/// Parses a document, called `name` in errors. Fails if it has another format, or if an advisory has a range that no
/// version can be in.
pub fn parse(text: &str, name: &str) -> Result<Vec<Advisory>> {
    let wrong = |why: String| Error::new(Kind::Invalid, format!("invalid advisories: {why}")).fact("document", name);
    let unread = |error: toml::de::Error| {
        let place = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let line = place.map(|line| format!("line {line}: ")).unwrap_or_default();
        wrong(format!("{line}{}", error.message()))
    };
    // A newer format may have fields that this one does not know, so nothing else is said.
    let head: Head = toml::from_str(text).map_err(unread)?;
    match head.format {
        Some(toml::Value::Integer(1)) => {}
        Some(toml::Value::Integer(newer)) if newer > 1 => {
            return Err(wrong(format!("format {newer} is newer than {FORMAT}, the format that this strixlock reads"))
                .hint("install a newer strixlock, or pin an older document"));
        }
        Some(other) => return Err(wrong(format!("invalid format `{other}`, expected {FORMAT}"))),
        None => return Err(wrong(format!("missing `format = {FORMAT}`"))),
    }
    let document: Document = toml::from_str(text).map_err(unread)?;
    if document.advisory.len() > MOST {
        return Err(wrong(format!("more than {MOST} entries")));
    }
    let mut names = BTreeSet::new();
    for advisory in &document.advisory {
        if let Some(fault) = fault(advisory) {
            return Err(wrong(format!("`{}`: {fault}", advisory.id.chars().take(60).collect::<String>())));
        }
        if !names.insert(advisory.id.as_str()) {
            return Err(wrong(format!("`{}` is there twice", advisory.id)));
        }
    }
    Ok(document.advisory)
}

/// Returns the fault of an advisory, if it has one.
pub fn fault(advisory: &Advisory) -> Option<String> {
    let id = &advisory.id;
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if id.is_empty() || id.len() > 80 || !id.chars().all(is_name) {
        return Some("invalid id: expected lower-case letters, digits and hyphens".to_owned());
    }
    let texts = [Some(&advisory.what), advisory.good.as_ref(), Some(&advisory.source)];
    let kernels = advisory.kernels.iter().flat_map(KernelFix::texts);
    let mut texts = texts.into_iter().flatten().chain(&advisory.backends).chain(kernels);
    if texts.any(|text| text.trim().is_empty() || text.len() > LONGEST || text.chars().any(char::is_control)) {
        return Some(format!("a text is empty, longer than {LONGEST} bytes, or has control characters"));
    }
    let is_source = |text: &String| url::Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.has_host());
    let backports = advisory.kernels.iter().flat_map(|kernels| &kernels.backports);
    if !backports.map(|backport| &backport.source).chain([&advisory.source]).all(is_source) {
        return Some("invalid source: expected an https URL".to_owned());
    }
    let about = advisory.about.name();
    if advisory.about != Software::LlamaCpp && !advisory.backends.is_empty() {
        return Some(format!("`backends` are those of llama.cpp, but it is about {about}"));
    }
    if let Some(kernels) = &advisory.kernels {
        if advisory.about != Software::Linux {
            return Some(format!("`kernels` are those of Linux, but it is about {about}"));
        }
        if let Some(fault) = kernels.fault() {
            return Some(fault);
        }
    }
    for (field, bound) in [("from", &advisory.from), ("until", &advisory.until)] {
        if let Some(bound) = bound
            && !fits(bound, advisory.about)
        {
            return Some(format!("`{field}` is {}, but it is about {about}", bound.form()));
        }
    }
    match (&advisory.from, &advisory.until) {
        (None, None) => Some("missing `from` or `until`: it would be about every version".to_owned()),
        (Some(from), Some(until)) if from.is_before(until) == Some(false) => {
            Some(format!("invalid range: {from} is not before {until}"))
        }
        _ => None,
    }
}

/// Returns true if versions of this software have this form.
fn fits(bound: &Bound, about: Software) -> bool {
    match (bound, about) {
        (Bound::Day(_), Software::Rocm | Software::LlamaCpp | Software::Firmware)
        | (Bound::Version(_), Software::Rocm)
        | (Bound::Build(_), Software::LlamaCpp) => true,
        (Bound::Version(version), Software::Linux) => {
            version.to_string().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "format = 1\n[[advisory]]\nid = \"a\"\nabout = \"rocm\"\nwhat = \"crashes\"\nfrom = \"2026-06-09\"\nsource = \"https://host/1\"\n";

    #[test]
    fn wrong_documents_are_told_apart() {
        assert_eq!(parse(GOOD, "x").unwrap().len(), 1);
        for (from, to, said) in [
            ("format = 1", "format = 2", "format 2 is newer than 1"),
            ("format = 1", "format = \"1\"", "invalid format"),
            ("format = 1\n", "", "missing `format = 1`"),
            ("about = \"rocm\"", "about = \"mesa\"", "line 4: unknown variant"),
            ("what = ", "why = ", "unknown field"),
            ("2026-06-09", "soon", "invalid version `soon`"),
            ("2026-06-09", "b11", "`from` is a build of llama.cpp, but it is about ROCm"),
            ("about = \"rocm\"", "about = \"linux\"", "`from` is a day, but it is about Linux"),
            (
                "about = \"rocm\"",
                "about = \"llama.cpp\"\nkernels = { distributions = [] }",
                "`kernels` are those of Linux",
            ),
            ("from = \"2026-06-09\"", "from = \"2026-06-09\"\nuntil = \"2026-06-09\"", "2026-06-09 is not before"),
            ("from = \"2026-06-09\"\n", "", "missing `from` or `until`"),
            ("https://host/1", "http://host/1", "invalid source"),
            ("crashes", "\\u001b[31m", "control characters"),
            ("id = \"a\"", "id = \"A b\"", "invalid id"),
            ("id = \"a\"", "id = \"a\"\nbackends = [\"hip\"]", "`backends` are those of llama.cpp"),
            ("[[advisory]]", "[[", "line 2"),
        ] {
            let error = parse(&GOOD.replacen(from, to, 1), "x").expect_err(said);
            assert!(error.message().contains(said), "{said}: {}", error.message());
        }
        let twice = format!("{GOOD}{}", GOOD.trim_start_matches("format = 1\n"));
        assert!(parse(&twice, "x").unwrap_err().message().contains("there twice"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]a-z=\"\n0-9 -]{0,80}") {
            let _ = parse(&text, "x");
            let _ = parse(&format!("{GOOD}{text}"), "x");
        }
    }
}
