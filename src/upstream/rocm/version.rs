//! Versions of ROCm builds.
//!
//! They are PEP 440 versions: `7.9.0`, `10.0.0rc1`, `7.9.0rc20251008`, `10.1.0a20260901`,
//! `10.1.0a20260811+bkc.20260814`, `7.12.0.dev0+<40 hex>`. The order is PEP 440's (dev < a < rc < final), which neither a
//! text sort nor semver gives.

use std::fmt;
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Kind, Result};

/// The version of a ROCm build, as its file name spells it.
#[derive(Debug, Clone)]
pub struct RocmVersion {
    text: String,
    version: Version,
}

impl RocmVersion {
    /// The day in a nightly's version, as `YYYYMMDD`.
    #[must_use]
    pub fn date(&self) -> Option<u64> {
        let number = self.version.pre()?.number;
        (20_000_101..=29_991_231).contains(&number).then_some(number)
    }
}

impl FromStr for RocmVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        // PEP 440 allows more spellings than any file name has, such as `v1`, `1!2` and upper case.
        let plain =
            text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase() || matches!(byte, b'.' | b'+'))
                && text.starts_with(|c: char| c.is_ascii_digit())
                && text.len() <= 100;
        let version = Version::from_str(text).ok().filter(|version| plain && version.release().len() == 3);
        version.map(|version| Self { text: text.to_owned(), version }).ok_or_else(|| {
            Error::new(Kind::Invalid, format!("`{text}` is not a ROCm version"))
                .hint("a version is such as \"10.1.0a20260901\" or \"7.12.0\"; else \"latest\" or a range such as \">=7.12,<8\"")
        })
    }
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

impl Serialize for RocmVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for RocmVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|error: Error| serde::de::Error::custom(error.message()))
    }
}

/// Which version is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionRequest {
    /// The newest.
    Latest,
    /// Exactly this one.
    Exact(RocmVersion),
    /// The newest in a PEP 440 range. Unlike pip's, a range contains the nightlies between its ends.
    Range(VersionSpecifiers),
}

impl VersionRequest {
    /// Whether a version is one of those wanted.
    #[must_use]
    pub fn accepts(&self, version: &RocmVersion) -> bool {
        match self {
            Self::Latest => true,
            Self::Exact(exact) => exact == version,
            Self::Range(range) => range.contains(&version.version),
        }
    }
}

impl FromStr for VersionRequest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        if !text.starts_with(['<', '>', '=', '!', '~']) {
            return text.parse().map(Self::Exact);
        }
        VersionSpecifiers::from_str(text).map(Self::Range).map_err(|error| {
            Error::new(Kind::Invalid, format!("`{text}` is not a version range"))
                .because(&error)
                .hint("a range is such as \">=7.12,<8\"")
        })
    }
}

impl fmt::Display for VersionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Exact(version) => version.fmt(f),
            Self::Range(range) => range.fmt(f),
        }
    }
}

impl Serialize for VersionRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VersionRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|error: Error| serde::de::Error::custom(error.message()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_are_in_the_order_in_which_they_were_made() {
        let sorted = [
            "7.9.0.dev0+0123456789012345678901234567890123456789",
            "7.9.0rc20251008",
            "7.9.0",
            "7.10.0a20251014",
            "7.15.0a20260719",
            "10.0.0a20260720",
            "10.0.0rc1",
            "10.0.0",
            "10.1.0a20260811",
            "10.1.0a20260811+bkc.20260814",
            "10.1.0a20260812",
        ];
        for pair in sorted.windows(2) {
            let [a, b] = [pair[0], pair[1]].map(|text| text.parse::<RocmVersion>().unwrap());
            assert!(a < b, "{a} < {b}");
        }
        assert_eq!("10.1.0a20260811+bkc.20260814".parse::<RocmVersion>().unwrap().date(), Some(20_260_811));
        assert_eq!("10.0.0rc1".parse::<RocmVersion>().unwrap().date(), None);
    }

    #[test]
    fn impossible_versions_are_refused() {
        for text in [
            "",
            "10",
            "10.1",
            "v10.1.0",
            "10.1.0A20260901",
            "10.1.0-a",
            "1!10.1.0",
            "10.1.0.0",
            "latest",
            "10.1.0/../x",
        ] {
            assert!(text.parse::<RocmVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_contains_nightlies() {
        let range: VersionRequest = ">=7.12,<10".parse().unwrap();
        for (text, inside) in
            [("7.11.0a20260101", false), ("7.12.0", true), ("7.15.0a20260719", true), ("10.1.0a20260901", false)]
        {
            assert_eq!(range.accepts(&text.parse().unwrap()), inside, "{text}");
        }
        for wrong in [">=", ">=x", "", "newest", "=>7"] {
            assert!(wrong.parse::<VersionRequest>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,40}") {
            let _ = text.parse::<RocmVersion>();
            let _ = text.parse::<VersionRequest>();
        }
    }
}
