//! An end of a range of bad versions.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

use super::Pinned;
use crate::error::{Error, Kind};
use crate::host::KernelVersion;
use crate::upstream::rocm::RocmVersion;

/// An end of a range of bad versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// The day on which it was made, such as `2026-09-08`.
    Day(Date),
    /// A ROCm version, such as `10.0.0`, or that of a kernel, which has the same form.
    Version(RocmVersion),
    /// A build number of llama.cpp, such as `b11146`.
    Build(u64),
}

impl Bound {
    /// Returns true if a version is this one or a later one, false if it is earlier, and `None` if that is unknown.
    #[must_use]
    pub fn is_reached(&self, pinned: Pinned) -> Option<bool> {
        match (self, pinned) {
            (Self::Day(first), Pinned::Rocm(_, day) | Pinned::LlamaCpp(_, day)) => day.map(|day| day >= *first),
            (Self::Version(first), Pinned::Rocm(version, _)) => Some(version >= first),
            (Self::Build(first), Pinned::LlamaCpp(number, _)) => Some(number >= *first),
            _ => None,
        }
    }

    /// Returns the name of its form, for messages.
    #[must_use]
    pub fn form(&self) -> &'static str {
        match self {
            Self::Day(_) => "a day",
            Self::Version(_) => "a version",
            Self::Build(_) => "a build of llama.cpp",
        }
    }

    /// Returns the version of a kernel, if it is one.
    #[must_use]
    pub fn kernel(&self) -> Option<KernelVersion> {
        match self {
            Self::Version(version) => KernelVersion::parse(&version.to_string()),
            Self::Day(_) | Self::Build(_) => None,
        }
    }

    /// Returns the day, if it is one.
    #[must_use]
    pub fn day(&self) -> Option<Date> {
        match self {
            Self::Day(day) => Some(*day),
            Self::Version(_) | Self::Build(_) => None,
        }
    }

    /// Returns true if `other` is a later end of the same form; `None` if they have different forms.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Day(one), Self::Day(other)) => Some(one < other),
            (Self::Version(one), Self::Version(other)) => Some(one < other),
            (Self::Build(one), Self::Build(other)) => Some(one < other),
            _ => None,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::Version(version) => version.fmt(f),
            Self::Build(number) => write!(f, "b{number}"),
        }
    }
}

impl FromStr for Bound {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_day = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if let Some(day) = is_day.then(|| text.parse().ok()).flatten() {
            return Ok(Self::Day(day));
        }
        let digits = text.strip_prefix('b').filter(|digits| !digits.starts_with('0'));
        if let Some(number) = digits.and_then(|digits| digits.parse().ok()) {
            return Ok(Self::Build(number));
        }
        text.parse().map(Self::Version).map_err(|_| {
            let shown: String = text.chars().take(60).collect();
            Error::new(
                Kind::Invalid,
                format!("invalid version `{shown}`: expected a day (2026-09-08), a ROCm version, or a build (b11146)"),
            )
        })
    }
}

strixlock_ground::serde_by_text!(Bound);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_day_a_version_or_a_build() {
        for text in ["2026-09-08", "10.0.0", "7.15.0a20260609", "b11146"] {
            assert_eq!(text.parse::<Bound>().unwrap().to_string(), text);
        }
        for text in ["", "b", "b0", "b011", "2026-13-01", "2026-9-8", "latest", "b99999999999999999999", "20260908"] {
            assert!(text.parse::<Bound>().is_err(), "{text}");
        }
    }
}
