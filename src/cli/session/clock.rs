//! The time that ages, retention and freezes are counted from: the clock's, or that of `STRIXLOCK_NOW`.
//!
//! Nothing that is realized depends on it. A test sets it to stand on a certain day; a person, to see what will be told
//! next month.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::error::{Error, Kind, Result};

/// The variable with the time.
const VARIABLE: &str = "STRIXLOCK_NOW";

/// Returns the time of the machine's clock, in seconds since 1970.
pub(super) fn clock() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// Returns the time that the variable says, in seconds since 1970. Without it, returns that of the clock.
pub(super) fn now(variable: Option<&str>) -> Result<i64> {
    let Some(text) = variable.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(clock()) };
    // Noon: the day is the same in most time zones.
    let noon = |day: Date| TimeZone::UTC.to_timestamp(day.at(12, 0, 0, 0)).ok();
    let time = text.parse::<Timestamp>().ok().or_else(|| text.parse().ok().and_then(noon));
    time.map(Timestamp::as_second).ok_or_else(|| {
        Error::new(Kind::Invalid, "invalid environment variable: expected a day or a time in UTC")
            .about(VARIABLE)
            .fact("value", text)
            .hint("such as 2026-11-30 or 2026-11-30T18:00:00Z")
    })
}

/// Returns the time of the environment.
pub(super) fn of_environment() -> Result<i64> {
    now(std::env::var_os(VARIABLE).map(|text| text.to_string_lossy().into_owned()).as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_and_a_time_are_taken_and_nothing_else() {
        assert_eq!(now(Some("2026-11-30")).unwrap(), 1_796_040_000);
        assert_eq!(now(Some(" 2026-11-30T12:00:00Z")).unwrap(), 1_796_040_000);
        assert!((now(Some("")).unwrap() - clock()).abs() < 60);
        for wrong in ["yesterday", "2026-02-30", "1796040000", "2026-11"] {
            let error = now(Some(wrong)).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{wrong}");
            assert!(error.to_string().starts_with("STRIXLOCK_NOW: "), "{error}");
        }
    }
}
