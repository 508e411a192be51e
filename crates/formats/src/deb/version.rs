//! Versions of packages and their order: `[epoch:]upstream[-revision]` (Debian Policy, section 5.6.12).
//!
//! The order is total on all texts, so that no version from outside can stop a comparison.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A version as an archive writes it. Texts that compare as equal, such as `1.0` and `1.00`, are different values.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DebVersion(String);

impl DebVersion {
    /// Parses a version of the characters that policy allows. Returns `None` for other characters, and for texts
    /// that are too long.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".+-~:_".contains(&byte);
        let good = !text.is_empty() && text.len() <= 256 && text.bytes().all(plain);
        good.then(|| Self(text.to_owned()))
    }

    /// Wraps any text, to compare it with versions. Use [`Self::parse`] for versions that are stored.
    #[must_use]
    pub fn as_written(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares two versions as dpkg does; `Greater` if `self` is newer.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        let (a, b) = (split(&self.0), split(&other.0));
        part(a.0, b.0).then_with(|| part(a.1, b.1)).then_with(|| part(a.2, b.2))
    }
}

/// Splits a version into epoch, upstream version and revision.
fn split(text: &str) -> (&[u8], &[u8], &[u8]) {
    let (epoch, rest) = text.split_once(':').unwrap_or(("", text));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch.as_bytes(), upstream.as_bytes(), revision.as_bytes())
}

/// Compares runs of other characters letter by letter, and runs of digits as numbers, in turns.
fn part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        while begins_other(a) || begins_other(b) {
            let (first, second) = (weight(a.first()), weight(b.first()));
            if first != second {
                return first.cmp(&second);
            }
            // Both have a character here: the end and a digit weigh 0, and no other character does.
            (a, b) = (a.get(1..).unwrap_or_default(), b.get(1..).unwrap_or_default());
        }
        let (first, second) = (number(&mut a), number(&mut b));
        let order = first.len().cmp(&second.len()).then_with(|| first.cmp(second));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn begins_other(text: &[u8]) -> bool {
    text.first().is_some_and(|byte| !byte.is_ascii_digit())
}

/// Returns the weight of a character: `~` sorts before everything, even the end; letters sort before other
/// characters.
fn weight(byte: Option<&u8>) -> i32 {
    match byte {
        None => 0,
        Some(b'~') => -1,
        Some(byte) if byte.is_ascii_digit() => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    }
}

/// Takes the digits off the beginning, and returns them without leading zeros.
fn number<'t>(text: &mut &'t [u8]) -> &'t [u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    let zeros = digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len());
    &digits[zeros..]
}

impl fmt::Display for DebVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DebVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for DebVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DebVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("invalid package version `{text}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> DebVersion {
        DebVersion::parse(text).unwrap()
    }

    #[test]
    fn versions_are_ordered_by_policy() {
        // Each is earlier than the next.
        let rows: [&[&str]; 7] = [
            &["1.0~~", "1.0~~a", "1.0~", "1.0~rc1", "1.0", "1.0-1", "1.0-1+b1", "1.0-1.1", "1.0a", "1.0+b1", "1.0.1"],
            &["0.9", "0.10", "1", "1:0", "1:0.1", "2:0"],
            &["1.2-1~bpo12+1", "1.2-1", "1.2-1+deb12u1", "1.2-1+deb12u2", "1.2-1+deb12u10", "1.2-2"],
            &["2.36-9", "2.36-9+deb12u14", "2.37-1"],
            &["1-1-1", "1-1-2", "1-2-1"],
            &["a", "b", "ba", "z", "z0+"],
            &["99999999999999999999999", "100000000000000000000000"],
        ];
        for row in rows {
            for (index, early) in row.iter().enumerate() {
                assert_eq!(version(early).compare(&version(early)), Ordering::Equal, "{early}");
                for late in &row[index + 1..] {
                    assert_eq!(version(early).compare(&version(late)), Ordering::Less, "{early} {late}");
                    assert_eq!(version(late).compare(&version(early)), Ordering::Greater, "{late} {early}");
                }
            }
        }
        for (one, same) in [("1.0", "1.00"), ("0:1", "1"), ("1-0", "1"), ("1.0-00", "1.0"), ("1.", "1.0")] {
            assert_eq!(version(one).compare(&version(same)), Ordering::Equal, "{one} {same}");
        }
        for wrong in ["", "1 2", "1\n", "1/2", "é"] {
            assert!(DebVersion::parse(wrong).is_none(), "{wrong}");
        }
    }
}
