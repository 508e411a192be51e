//! The request for a build: channel, platform, GPU, version, and the indexes to ask.

use std::fmt;
use std::str::FromStr;

use pep440_rs::VersionSpecifiers;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Channel, Denied, Family, MinAge, Platform, RocmVersion, range};
use crate::error::{Error, Kind, Result};
use crate::gfx::GfxTarget;

/// A wanted build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RocmRequest {
    /// The stream of builds.
    pub channel: Channel,
    /// The operating system.
    pub platform: Platform,
    /// The GPU.
    pub target: GfxTarget,
    /// The wanted version.
    pub version: VersionRequest,
    /// The family whose tarballs are used, if not that of the GPU alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// True if the tree may contain names that differ only in case or Unicode normal form.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub colliding_names: bool,
    /// The number of days for which the host keeps a build, if not that of AMD's policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_days: Option<u16>,
    /// The age that a build must have, unless the version is named exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_age: Option<MinAge>,
    /// Versions that are not to be taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<Denied>,
    /// The index pages to ask; empty for the built-in ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Url>,
}

impl RocmRequest {
    /// Returns the request for the newest nightly for a GPU.
    #[must_use]
    pub fn newest(target: GfxTarget) -> Self {
        Self {
            channel: Channel::nightly(),
            platform: Platform::Linux,
            target,
            version: VersionRequest::Latest,
            family: None,
            colliding_names: false,
            kept_days: None,
            min_age: None,
            deny: Vec::new(),
            sources: Vec::new(),
        }
    }

    /// Returns the family in the names of the wanted tarballs.
    #[must_use]
    pub fn wanted(&self) -> &str {
        self.family.as_ref().map_or(self.target.as_str(), Family::as_str)
    }

    /// Returns whether a version matches. A custom index may mix channels, so in a channel of releases only final
    /// versions match, unless the request names a version exactly.
    #[must_use]
    pub fn accepts(&self, version: &RocmVersion) -> bool {
        let final_only = self.channel.about().is_ok_and(|about| about.final_only)
            && !matches!(self.version, VersionRequest::Exact(_));
        self.version.accepts(version) && !(final_only && version.pep440().any_prerelease())
    }
}

/// The wanted version, or a set of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionRequest {
    /// The newest.
    Latest,
    /// Exactly this one.
    Exact(RocmVersion),
    /// The newest in a PEP 440 range. Unlike with pip, a range contains the nightlies between its ends. Nightlies come
    /// before their release, so those of 10.1 are in `==10.1.*` and `>=10.1.dev0`, but not in `>=10.1`. By PEP 440,
    /// `<8` excludes the nightlies of 8, so it means 7 at most. `<10.1.0a20260905` contains all earlier nightlies.
    Range(VersionSpecifiers),
}

impl VersionRequest {
    /// Returns whether a version matches.
    #[must_use]
    pub fn accepts(&self, version: &RocmVersion) -> bool {
        match self {
            Self::Latest => true,
            Self::Exact(exact) => exact == version,
            Self::Range(range) => range::contains(range, version.pep440()),
        }
    }

    /// Returns whether a nightly is excluded only because it comes before the release that the range begins with.
    pub(super) fn accepts_release_of(&self, version: &RocmVersion) -> bool {
        matches!(self, Self::Range(range)
            if !range::contains(range, version.pep440()) && range::contains(range, &version.pep440().only_release()))
    }

    /// Returns whether the newest matching build is wanted.
    pub(super) fn wants_newest(&self) -> bool {
        !matches!(self, Self::Exact(_))
    }
}

impl FromStr for VersionRequest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        if !text.starts_with(['<', '>', '=', '!', '~']) {
            return text.parse().map(Self::Exact).map_err(|error: Error| match series(text) {
                Some(series) => error.hint(format!("for the newest of a series write \"=={series}.*\"")),
                None => error,
            });
        }
        VersionSpecifiers::from_str(text).map(Self::Range).map_err(|error| {
            Error::new(Kind::Invalid, format!("invalid version range `{text}`"))
                .because(&error)
                .hint("a range is such as \">=7.12,<8\" or \"==10.1.*\"")
        })
    }
}

/// Returns the series that a user probably means: `10` for `10` and `10.*`, `7.14` for `7.14`.
fn series(text: &str) -> Option<&str> {
    let text = text.trim_end_matches(".*");
    let numbers = text.split('.').collect::<Vec<_>>();
    let plain = |number: &&str| (1..=9).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    ((1..=3).contains(&numbers.len()) && numbers.iter().all(plain)).then_some(text)
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

strixlock_ground::serde_by_text!(VersionRequest);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wish(text: &str) -> VersionRequest {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_contains_nightlies() {
        for (range, version, inside) in [
            (">=7.12,<10", "7.11.0a20260101", false),
            (">=7.12,<10", "7.12.0", true),
            (">=7.12,<10", "7.15.0a20260719", true),
            (">=7.12,<10", "10.0.0a20260720", false),
            (">=7.12,<10", "10.1.0a20260901", false),
            ("==10.1.*", "10.1.0a20260901", true),
            ("==10.1.*", "10.1.0a20260811+bkc.20260814", true),
            ("==10.1.*", "10.2.0a20261120", false),
            (">=10.1", "10.1.0a20260901", false),
            (">=10.1.dev0", "10.1.0a20260901", true),
            (">=10.1.0a20260812", "10.1.0a20260811+bkc.20260814", false),
            ("!=10.1.0a20260811", "10.1.0a20260812", true),
        ] {
            assert_eq!(wish(range).accepts(&version.parse().unwrap()), inside, "{version} in {range}");
        }
    }

    #[test]
    fn a_series_is_told_how_to_be_written() {
        for (text, hint) in [("10", "\"==10.*\""), ("7.14", "\"==7.14.*\""), ("7.14.*", "\"==7.14.*\"")] {
            let error = text.parse::<VersionRequest>().unwrap_err().to_string();
            assert!(error.ends_with(&format!("for the newest of a series write {hint}")), "{error}");
            wish(hint.trim_matches('"'));
        }
    }

    #[test]
    fn requests_are_read_strictly() {
        for wrong in [">=", ">=x", "", "newest", "=>7", "Latest", "10", "7.15.0a20260719,"] {
            assert_eq!(wrong.parse::<VersionRequest>().unwrap_err().kind(), Kind::Invalid, "{wrong}");
        }
        assert_eq!(wish("latest"), VersionRequest::Latest);
        assert_eq!(wish("7.15.0a20260719"), VersionRequest::Exact("7.15.0a20260719".parse().unwrap()));
        for text in ["latest", "7.15.0a20260719", ">=7.12, <8", "==10.1.*"] {
            assert_eq!(wish(text).to_string(), text);
        }
    }

    #[test]
    fn a_request_without_sources_says_nothing_of_them() {
        let text = r#"{"channel":"nightly","platform":"linux","target":"gfx1151","version":"latest"}"#;
        let request: RocmRequest = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), text);
        assert!(serde_json::from_str::<RocmRequest>(&text.replace("channel", "chanel")).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "[<>=!~]{0,2}\\PC{0,30}") {
            if let Ok(request) = text.parse::<VersionRequest>() {
                prop_assert_eq!(wish(&request.to_string()), request);
            }
        }
    }
}
