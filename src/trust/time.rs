//! Times of `valid-after` and `valid-before`: `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, in the time zone of this
//! machine or, with a `Z` behind it, in UTC.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Returns a time in seconds since 1970.
pub(super) fn seconds(text: &str) -> Result<i64, String> {
    let (digits, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(digits) => (digits, TimeZone::UTC),
        None => (text, TimeZone::system()),
    };
    let invalid = || format!("invalid time `{text}`: expected YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, and Z for UTC");
    let is_whole = [8, 12, 14].contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_whole {
        return Err(invalid());
    }
    let part = |from: usize, to: usize| -> i64 { digits.get(from..to).and_then(|part| part.parse().ok()).unwrap_or(0) };
    let small = |value: i64| i8::try_from(value).unwrap_or(i8::MAX);
    let year = i16::try_from(part(0, 4)).unwrap_or(i16::MAX);
    let (month, day) = (small(part(4, 6)), small(part(6, 8)));
    let (hour, minute, second) = (small(part(8, 10)), small(part(10, 12)), small(part(12, 14)));
    let time = DateTime::new(year, month, day, hour, minute, second, 0).map_err(|_| invalid())?;
    zone.to_timestamp(time).map(jiff::Timestamp::as_second).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_ssh_keygen_does() {
        assert_eq!(seconds("19700102Z"), Ok(86_400));
        assert_eq!(seconds("202611301201Z"), Ok(1_796_040_060));
        assert_eq!(seconds("20261130120102Z"), Ok(1_796_040_062));
        assert!((seconds("20261130").unwrap() - seconds("20261130Z").unwrap()).abs() <= 14 * 3600);
        for wrong in ["", "Z", "2026", "20261131Z", "20261301Z", "2026-11-3", "202611302460Z", "+0261130", "２０２６"]
        {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
