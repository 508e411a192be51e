//! Exclusions from the builds that an index lists: those that are too young, and those that are denied.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::VersionRequest;
use crate::error::{Error, Kind, Result};
use crate::text::visible;

/// The age that a build must have before it is taken, as a person wrote it: `36h`, `2d` or `1w`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinAge {
    text: String,
    seconds: i64,
}

impl MinAge {
    /// Greatest age, in seconds: a year. AMD deletes nightlies before.
    const MOST: i64 = 366 * 86_400;

    /// Returns true if a build that was made at this time is too young. Times are in seconds since 1970.
    #[must_use]
    pub fn excludes(&self, made: i64, now: i64) -> bool {
        now.saturating_sub(made) < self.seconds
    }
}

impl FromStr for MinAge {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            let shown: String = text.chars().take(40).collect();
            Error::new(Kind::Invalid, format!("invalid age `{shown}`")).hint("such as \"36h\", \"2d\" or \"1w\"")
        };
        let unit = text.chars().next_back().ok_or_else(wrong)?;
        let length = match unit {
            'h' => 3600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return Err(wrong()),
        };
        let digits = text.strip_suffix(unit).unwrap_or_default();
        // One spelling for one age, since the text stands in the lock.
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        let count: i64 = digits.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
        let seconds = count.checked_mul(length).filter(|seconds| *seconds <= Self::MOST).ok_or_else(wrong)?;
        Ok(Self { text: text.to_owned(), seconds })
    }
}

impl fmt::Display for MinAge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

strixlock_ground::serde_by_text!(MinAge);

/// Versions that are not to be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denied {
    /// One version, or a range of them.
    pub version: VersionRequest,
    /// The reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Denied {
    /// Returns the reason as the end of the sentence "passed over VERSION: ...".
    #[must_use]
    pub fn text(&self) -> String {
        let why = self.why.as_ref().map(|why| format!(": {}", visible(why))).unwrap_or_default();
        format!("denied by the manifest{why}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_a_number_and_a_unit() {
        const DAY: i64 = 86_400;
        for (text, seconds) in [("1h", 3600), ("36h", 36 * 3600), ("2d", 2 * DAY), ("1w", 7 * DAY), ("366d", 366 * DAY)]
        {
            let age: MinAge = text.parse().unwrap();
            assert_eq!((age.seconds, age.to_string().as_str()), (seconds, text));
            assert!(age.excludes(1, seconds) && !age.excludes(0, seconds));
        }
        for wrong in ["", "d", "2", "2 d", "0d", "02d", "2D", "2m", "-2d", "+2d", "367d", "99999999999999999999d", "2é"]
        {
            assert_eq!(wrong.parse::<MinAge>().unwrap_err().kind(), Kind::Invalid, "{wrong}");
        }
        // A build of the future is too young, and no time overflows.
        assert!("1h".parse::<MinAge>().unwrap().excludes(i64::MAX, i64::MIN));
    }

    #[test]
    fn a_reason_from_outside_cannot_touch_the_terminal() {
        let denied = Denied { version: "10.1.0".parse().unwrap(), why: Some("\u{1b}[31mbad".to_owned()) };
        assert_eq!(denied.text(), "denied by the manifest: bad");
    }
}
