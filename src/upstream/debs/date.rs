//! Parses the times in Release files as apt does.
//!
//! Archives write `Date` in many ways. The form of the weekday only decides which of three formats follows. An invalid
//! `Date` does not make apt refuse the archive: it warns and continues.

/// Returns the seconds since 1970 of a time such as `Sat, 11 Jul 2026 10:16:37 UTC` (RFC 1123), `Saturday, 11-Jul-26
/// 10:16:37 GMT` (RFC 850) or `Sat Jul 11 10:16:37 2026` (asctime).
pub(super) fn parse(text: &str) -> Option<i64> {
    let mut words = text.split_ascii_whitespace();
    let weekday = words.next()?;
    let is_weekday = |name: &&str| weekday.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
    ["sun", "mon", "tue", "wed", "thu", "fri", "sat"].iter().find(|name| is_weekday(name))?;
    let words: Vec<&str> = words.collect();
    let (day, month, year, time, zone) = match (weekday.len(), words.as_slice()) {
        (3, [month, day, time, year]) => (*day, *month, number(year)?, *time, "UTC"),
        (4, [day, month, year, time, zone]) if weekday.ends_with(',') => (*day, *month, number(year)?, *time, *zone),
        (5.., [date, time, zone]) if weekday.ends_with(',') => {
            let mut parts = date.split('-');
            let (day, month, year) = (parts.next()?, parts.next()?, number(parts.next()?)?);
            let century = if year < 70 { 2000 } else { 1900 };
            parts.next().is_none().then_some((day, month, century + year, *time, *zone))?
        }
        _ => return None,
    };
    if !["UTC", "GMT", "Z", "+0000", "-0000"].contains(&zone) {
        return None;
    }
    let (day, month) = (number(day).filter(|day| (1..=31).contains(day))?, month_number(month)?);
    Some(days(year, month, day) * 86_400 + seconds(time)?)
}

fn number(digits: &str) -> Option<i64> {
    if digits.len() > 4 { None } else { digits.parse().ok() }
}

/// Parses a month by its first three letters, so `Sept` is accepted too.
fn month_number(name: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let begin = name.get(..3)?.to_ascii_lowercase();
    MONTHS.iter().position(|month| *month == begin).map(|index| index as i64 + 1)
}

/// Parses `HH:MM:SS`, with one or two digits each.
fn seconds(time: &str) -> Option<i64> {
    let parts: Vec<i64> = time.split(':').map(number).collect::<Option<_>>()?;
    match parts[..] {
        [hour @ 0..24, minute @ 0..60, second @ 0..=60] => Some((hour * 60 + minute) * 60 + second),
        _ => None,
    }
}

/// Returns the number of days since 1970-01-01 in the Gregorian calendar. A day past the end of its month counts into
/// the next month.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Counting years from March puts the leap day at the end of a year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::parse;

    /// Each as apt 2.6 takes it, or does not.
    #[test]
    fn times_are_read_as_apt_reads_them() {
        for text in [
            "Thu, 09 May 2024 10:00:00 UTC",
            "Thu, 09 May 2024 10:00:00 GMT",
            "Thu, 09 May 2024 10:00:00 Z",
            "Thu, 09 May 2024 10:00:00 +0000",
            "Thu, 09 May 2024 10:00:00 -0000",
            "Mon, 09 May 2024 10:00:00 UTC",
            "thu, 9 MAY 2024 10:0:0 UTC",
            "Thu,  +9  May  2024  10:00:00   UTC",
            "Thursday, 09-May-24 10:00:00 GMT",
            "Thu May  9 10:00:00 2024",
            "Thu, 39 Apr 2024 10:00:00 UTC",
        ] {
            let expected = (!text.contains("39")).then_some(1_715_248_800);
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(parse("Thu, 31 Feb 2024 10:00:00 UTC"), parse("Sat, 02 Mar 2024 10:00:00 UTC"));
        assert_eq!(parse("Thu, 9 Sept 2024 10:00:00 UTC"), parse("Thu, 9 Sep 2024 10:00:00 UTC"));
        assert_eq!(parse("Thu, 01 Jan 1970 00:00:00 UTC"), Some(0));
        assert_eq!(parse("Thu, 09 May 1969 10:00:00 UTC"), Some(-20_440_800));
        assert_eq!(parse("Tue, 29 Feb 2000 00:00:00 UTC"), Some(951_782_400));
        for text in [
            "",
            "Thu",
            "Thu., 09 May 2024 10:00:00 UTC",
            "Thurs, 09 May 2024 10:00:00 UTC",
            "Thu,09 May 2024 10:00:00 UTC",
            "Do, 09 Mai 2024 10:00:00 UTC",
            "Xxx, 09 May 2024 10:00:00 UTC",
            "09 May 2024 10:00:00 UTC",
            "2024-05-09T10:00:00Z",
            "Thu, 09 May 2024 10:00:00",
            "Thu, 09 May 2024 10:00:00 utc",
            "Thu, 09 May 2024 10:00:00 +0200",
            "Thu, 09 May 2024 10:00:00 +00:00",
            "Thu, 09 May 2024 10:00:00 EST",
            "Thu, 09 May 2024 10:00:00 UTC extra",
            "Thu, 09 May 2024 10:00 UTC",
            "Thu, 09 May 2024 25:00:00 UTC",
            "Thu, 09 May 2024 10:61:00 UTC",
            "Thu, 00 May 2024 10:00:00 UTC",
            "Thu, 09 May 99999999999999999999 10:00:00 UTC",
            "Th\u{e9}, 09 May 2024 10:00:00 UTC",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
