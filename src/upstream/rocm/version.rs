//! Versions of ROCm builds.
//!
//! They are PEP 440 versions. Upstream uses only these forms:
//!
//! ```text
//! 10.0.0                          release
//! 10.0.0rc1                       release candidate
//! 7.9.0rc20251008                 nightly until October 2025
//! 10.1.0a20260901                 nightly since
//! 10.1.0a20260811+bkc.20260814    nightly, rebuilt from known good parts
//! 7.12.0.dev0+<40 hex>            developers' build of a commit
//! ```
//!
//! Each of the first four may be published again as `.postN`, as 7.14.0.post1 was.
//!
//! The order is PEP 440's (dev < a < rc < final < post), which neither a text sort nor semver gives.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Kind, Result};
use jiff::civil::Date;
use pep440_rs::Version;

/// The version of a ROCm build, as its file name spells it.
#[derive(Debug, Clone)]
pub struct RocmVersion {
    text: String,
    version: Version,
    date: Option<Date>,
}

impl RocmVersion {
    /// Returns the day in a nightly's version, by which nightlies are ordered: the 11th in
    /// `10.1.0a20260811+bkc.20260814`.
    #[must_use]
    pub fn date(&self) -> Option<Date> {
        self.date
    }

    /// Returns its series: `7.14` for 7.14.0.
    #[must_use]
    pub fn series(&self) -> String {
        let numbers = self.version.release().iter().take(2);
        numbers.map(u64::to_string).collect::<Vec<_>>().join(".")
    }

    /// Returns the version for comparisons with ranges.
    pub(super) fn pep440(&self) -> &Version {
        &self.version
    }
}

impl FromStr for RocmVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: String| {
            let shown: String = text.chars().take(100).collect();
            Error::new(Kind::Invalid, format!("invalid ROCm version `{shown}`{why}")).hint(
                "a version is such as \"10.1.0a20260901\" or \"7.12.0\"; \
                       else \"latest\" or a range such as \">=7.12,<8\"",
            )
        };
        // PEP 440 allows more spellings than upstream uses (`v1`, `1!2`, upper case, `alpha`), and two spellings of one
        // version would be two pins of one file. So the form is checked here, and PEP 440 decides only the order.
        let form = Form::of(text).ok_or_else(|| wrong(String::new()))?;
        let mut days = Vec::new();
        for digits in form.days {
            days.push(day(digits).ok_or_else(|| wrong(format!(": {digits} is not a day")))?);
        }
        let version = Version::from_str(text).map_err(|error| wrong(String::new()).because(&error))?;
        Ok(Self { text: text.to_owned(), version, date: days.first().copied() })
    }
}

/// A text that has the form of a version, with the parts that must be valid days.
struct Form<'t> {
    days: Vec<&'t str>,
}

impl<'t> Form<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let (major, rest) = number(text)?;
        let (minor, rest) = number(rest.strip_prefix('.')?)?;
        let (patch, suffix) = number(rest.strip_prefix('.')?)?;
        if ![major, minor, patch].into_iter().all(plain) {
            return None;
        }
        if let Some(commit) = suffix.strip_prefix(".dev0+") {
            let hex = commit.len() == 40 && commit.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            return hex.then_some(Self { days: Vec::new() });
        }
        let (mut days, rest) = made(suffix)?;
        let rest = match rest.strip_prefix(".post") {
            Some(rest) => number(rest).filter(|(digits, _)| plain(digits))?.1,
            None => rest,
        };
        if !rest.is_empty() {
            // Only nightlies are rebuilt from known good parts.
            let (again, "") = number(rest.strip_prefix("+bkc.").filter(|_| suffix.starts_with('a'))?)? else {
                return None;
            };
            days.push(again);
        }
        Some(Self { days })
    }
}

/// Splits off `aYYYYMMDD`, `rcYYYYMMDD`, `rcN` or nothing. Returns the day, if there is one, and the rest.
fn made(suffix: &str) -> Option<(Vec<&str>, &str)> {
    if let Some(rest) = suffix.strip_prefix("rc") {
        let (digits, rest) = number(rest)?;
        return match digits.len() {
            8 => Some((vec![digits], rest)),
            ..8 if plain(digits) => Some((Vec::new(), rest)),
            _ => None,
        };
    }
    match suffix.strip_prefix('a') {
        Some(rest) => number(rest).filter(|(digits, _)| digits.len() == 8).map(|(day, rest)| (vec![day], rest)),
        None => Some((Vec::new(), suffix)),
    }
}

/// Returns whether a number has no leading zeros. PEP 440 accepts them, as another spelling of the same version.
fn plain(digits: &str) -> bool {
    digits.len() <= 9 && (digits == "0" || !digits.starts_with('0'))
}

/// Splits `text` after its leading digits. Returns `None` if there are none.
fn number(text: &str) -> Option<(&str, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    (length > 0).then(|| text.split_at(length))
}

/// Parses a day in the form `YYYYMMDD`. ROCm began in 2016, so an earlier year means that the number is not a day.
pub(super) fn day(digits: &str) -> Option<Date> {
    let number: u32 = digits.parse().ok()?;
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?)
        .ok()
        .filter(|date| (2016..3000).contains(&date.year()))
}

impl fmt::Display for RocmVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for RocmVersion {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for RocmVersion {}

impl PartialOrd for RocmVersion {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RocmVersion {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.version.cmp(&other.version).then_with(|| self.text.cmp(&other.text))
    }
}

strixlock_ground::serde_by_text!(RocmVersion);

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> RocmVersion {
        text.parse().unwrap()
    }

    #[test]
    fn versions_are_in_the_order_in_which_they_were_made() {
        let sorted = [
            "7.9.0.dev0+0123456789012345678901234567890123456789",
            "7.9.0rc1",
            "7.9.0rc20251008",
            "7.9.0",
            "7.10.0a20251014",
            "7.15.0a20260719",
            "10.0.0a20260720",
            "10.0.0rc1",
            "10.0.0",
            "10.0.0.post1",
            "10.0.0.post2",
            "10.0.0.post10",
            "10.0.1",
            "10.1.0a20260811",
            "10.1.0a20260811+bkc.20260814",
            "10.1.0a20260811.post1",
            "10.1.0a20260812",
        ];
        for pair in sorted.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn days_are_read() {
        for (text, expected) in [
            ("10.1.0a20260811+bkc.20260814", Some(date(2026, 8, 11))),
            ("10.1.0a20260811", Some(date(2026, 8, 11))),
            ("7.9.0rc20251008", Some(date(2025, 10, 8))),
            ("10.1.0a20260811.post1", Some(date(2026, 8, 11))),
            ("10.1.0a20260811.post1+bkc.20260814", Some(date(2026, 8, 11))),
            ("10.0.0rc1", None),
            ("10.0.0rc1.post1", None),
            ("10.0.0", None),
            ("10.0.0.post1", None),
            ("7.12.0.dev0+0123456789abcdef0123456789abcdef01234567", None),
        ] {
            assert_eq!(version(text).date(), expected, "{text}");
        }
    }

    #[test]
    fn impossible_versions_are_refused() {
        for text in [
            "",
            "10",
            "10.1",
            "10.1.",
            "v10.1.0",
            "10.01.0",
            "10.1.0A20260901",
            "10.1.0a",
            "10.1.0a1",
            "10.1.0a202609011",
            "10.1.0alpha20260901",
            "10.1.0a20260901+",
            "10.1.0a20260901+bkc",
            "10.1.0a20260901+bkc.2026081",
            "10.1.0a20260901+other.20260814",
            "10.1.0a20260901 ",
            "10.1.0rc",
            "10.1.0rc01",
            "10.1.0.dev0",
            "10.1.0.dev0+0123456789ABCDEF0123456789abcdef01234567",
            "10.1.0.dev1+0123456789abcdef0123456789abcdef01234567",
            "10.1.0.post",
            "10.1.0.post01",
            "10.1.0.post1.post2",
            "10.1.0.post1+bkc.20260814",
            "10.1.0rc1+bkc.20260814",
            "10.1.0post1",
            "10.1.0-1",
            "10.1.0-a",
            "1!10.1.0",
            "10.1.0.0",
            "9999999999999999999999.1.0",
            "latest",
            "10.1.0/../x",
            "10.1.0aé",
        ] {
            assert_eq!(text.parse::<RocmVersion>().unwrap_err().kind(), Kind::Invalid, "{text}");
        }
        insta::assert_snapshot!("10.1.0a20261345".parse::<RocmVersion>().unwrap_err(), @r#"
        invalid ROCm version `10.1.0a20261345`: 20261345 is not a day
        hint: a version is such as "10.1.0a20260901" or "7.12.0"; else "latest" or a range such as ">=7.12,<8"
        "#);
        assert!("10.1.0a20260901+bkc.20260230".parse::<RocmVersion>().is_err());
        assert!("7.9.0rc00000001".parse::<RocmVersion>().is_err());
    }

    #[test]
    fn the_spelling_survives_serde() {
        let text = "\"10.1.0a20260811+bkc.20260814\"";
        let read: RocmVersion = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        let error = serde_json::from_str::<RocmVersion>("\"10.1\"").unwrap_err();
        assert!(error.to_string().contains("invalid ROCm version `10.1`"), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,40}") {
            let _ = text.parse::<RocmVersion>();
        }

        #[test]
        fn what_looks_like_a_version_is_parsed_or_refused(text in "[0-9]{1,3}\\.[0-9]{1,2}\\.[0-9](a|rc|\\.post|\\.dev0\\+|\\+bkc\\.|[0-9]){0,12}") {
            if let Ok(version) = text.parse::<RocmVersion>() {
                prop_assert_eq!(version.to_string(), text);
            }
        }
    }
}
