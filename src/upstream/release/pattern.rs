//! Patterns of file names: `llama-b{number}-bin-ubuntu-rocm-{rocm}-x64.tar.gz`.
//!
//! `{number}` is the build number, `{tag}` the release's tag, `{rocm}` any series of ROCm such as `7.2`, and `*` any
//! text. A series that is read in this way is kept in the pin.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::answer::is_asset;
use crate::error::{Error, Kind, Result};
use crate::suggest::suggest;

/// Names in braces.
const NAMES: [&str; 3] = ["number", "rocm", "tag"];
/// Greatest number of free parts: matching tries each of their lengths.
const MOST_FREE: usize = 4;

/// A pattern of file names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AssetPattern(String);

/// A series of ROCm, such as `7.2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Series(String);

/// The parts of a name that fits a pattern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fit {
    /// The series of ROCm in it, where the pattern asks for one.
    pub rocm: Option<Series>,
}

/// A part of a pattern for one release.
enum Part {
    Text(String),
    Series,
    Any,
}

impl AssetPattern {
    /// Returns the pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if only a release with a build number can have such a file.
    #[must_use]
    pub fn wants_number(&self) -> bool {
        self.0.contains("{number}")
    }

    /// Returns what a name of the release's files says, if it fits.
    #[must_use]
    pub fn fits(&self, name: &str, tag: &str, number: Option<u64>) -> Option<Fit> {
        if self.wants_number() && number.is_none() {
            return None;
        }
        let number = number.map(|number| number.to_string()).unwrap_or_default();
        let mut parts = Vec::new();
        let mut rest = self.0.as_str();
        while let Some(at) = rest.find(['{', '*']) {
            parts.push(Part::Text(rest[..at].to_owned()));
            let end = if rest[at..].starts_with('*') { at + 1 } else { at + rest[at..].find('}')? + 1 };
            parts.push(match &rest[at..end] {
                "{number}" => Part::Text(number.clone()),
                "{tag}" => Part::Text(tag.to_owned()),
                "{rocm}" => Part::Series,
                _ => Part::Any,
            });
            rest = &rest[end..];
        }
        parts.push(Part::Text(rest.to_owned()));
        fit(&parts, name)
    }
}

/// Matches the parts with a name.
fn fit(parts: &[Part], name: &str) -> Option<Fit> {
    let Some((first, rest)) = parts.split_first() else { return name.is_empty().then(Fit::default) };
    if let Part::Text(text) = first {
        return fit(rest, name.strip_prefix(text.as_str())?);
    }
    // The longest first.
    let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]).collect::<Vec<_>>();
    ends.into_iter().rev().find_map(|at| {
        let (taken, behind) = name.split_at(at);
        match first {
            Part::Series => {
                let series: Series = taken.parse().ok()?;
                Some(Fit { rocm: fit(rest, behind)?.rocm.or(Some(series)) })
            }
            _ => fit(rest, behind),
        }
    })
}

impl FromStr for AssetPattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Err(Error::new(Kind::Invalid, format!("invalid pattern of a file name: {why}"))
                .hint("such as \"llama-b{number}-bin-ubuntu-rocm-{rocm}-x64.tar.gz\""))
        };
        let (mut rest, mut plain, mut free) = (text, String::new(), 0);
        while let Some(at) = rest.find(['{', '}', '*']) {
            plain.push_str(&rest[..at]);
            let end = match &rest[at..=at] {
                "*" => at + 1,
                "{" => match rest[at..].find('}') {
                    Some(length) => at + length + 1,
                    None => return wrong("`{` without `}`"),
                },
                _ => return wrong("`}` without `{`"),
            };
            let part = &rest[at..end];
            let name = part.trim_matches(['{', '}']);
            if part != "*" && !NAMES.contains(&name) {
                return Err(Error::new(Kind::Invalid, format!("invalid pattern of a file name: unknown `{part}`"))
                    .hint(suggest(name, NAMES.into_iter())));
            }
            free += usize::from(matches!(part, "*" | "{rocm}"));
            plain.push('x');
            rest = &rest[end..];
        }
        plain.push_str(rest);
        if free > MOST_FREE {
            return wrong("too many free parts");
        }
        if !is_asset(&plain) {
            return wrong("a file name has no slash, blank or control character, and begins with neither `.` nor `-`");
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Series {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        if text.split('.').count() <= 4 && text.split('.').all(number) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::new(Kind::Invalid, "invalid series of ROCm"))
    }
}

impl Series {
    /// Returns the first number.
    #[must_use]
    pub fn major(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for AssetPattern {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<AssetPattern> for String {
    fn from(pattern: AssetPattern) -> Self {
        pattern.0
    }
}

impl TryFrom<String> for Series {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Series> for String {
    fn from(series: Series) -> Self {
        series.0
    }
}
