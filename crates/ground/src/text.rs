//! Numbers, times and hostile text as people read them, and quoting for shells.

use std::time::Duration;

use jiff::civil::Date;

/// Formats a number of bytes with a unit, such as `1.96 GB`: decimal, as disks and downloads are sold.
#[must_use]
pub fn bytes(count: u64) -> String {
    match scaled(count, 5) {
        (_, 0) => format!("{count} B"),
        (value, unit) => format!("{value} {}", ["B", "kB", "MB", "GB", "TB"][unit]),
    }
}

/// Formats a large number as the sizes of models are given, such as `1.24B`.
#[must_use]
pub fn count(count: u64) -> String {
    match scaled(count, 5) {
        (_, 0) => count.to_string(),
        (value, unit) => format!("{value}{}", ["", "K", "M", "B", "T"][unit]),
    }
}

/// Formats a number in three digits after dividing it by 1000 less than `units` times. Returns the text and the
/// number of divisions.
fn scaled(count: u64, units: usize) -> (String, usize) {
    let (mut value, mut unit) = (count as f64, 0);
    while value >= 999.5 && unit + 1 < units {
        value /= 1000.0;
        unit += 1;
    }
    let text = match value {
        _ if value < 9.995 => format!("{value:.2}"),
        _ if value < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    };
    (text, unit)
}

/// Formats a length of time as a clock shows it: `0:07`, `4:10`, `1:02:03`.
#[must_use]
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Formats seconds since 1970 as `2026-09-01 12:34:56 UTC`.
#[must_use]
pub fn date(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => format!("{seconds} seconds since 1970"),
    }
}

/// Formats seconds since 1970 as RFC 3339 does, such as `2026-09-01T12:34:56Z`, for `--json`.
#[must_use]
pub fn rfc3339(seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}

/// Returns the day of a time in seconds since 1970, in UTC.
#[must_use]
pub fn day(seconds: i64) -> Option<Date> {
    Some(jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::from_second(seconds).ok()?).date())
}

/// Formats the time from a day to `now`, in seconds since 1970: `today` or `12 days`. Empty for a day to come.
#[must_use]
pub fn age(day: Date, now: i64) -> String {
    match self::day(now).and_then(|today| day.until(today).ok()).map(|span| span.get_days()) {
        Some(0) => "today".to_owned(),
        Some(days @ 1..) => counted(days.unsigned_abs() as usize, "day"),
        _ => String::new(),
    }
}

/// Formats a number of things, whose word for several ends with `s`: `1 day`, `31 packages`.
#[must_use]
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Makes text from outside safe for a terminal: removes escape sequences and replaces every other control
/// character, except the tab, by U+FFFD.
#[must_use]
pub fn visible(text: &str) -> String {
    let stripped = anstream::adapter::strip_str(text).to_string();
    stripped.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// Bytes of the beginning and of the end of a long name that a message shows.
const BEGINNING: usize = 120;
const ENDING: usize = 76;

/// Leaves out the middle of a name that is too long for a message. Does not cut characters or escapes such as
/// `\\x1b`.
#[must_use]
pub fn shortened(name: &str) -> String {
    if name.len() <= BEGINNING + ENDING {
        return name.to_owned();
    }
    let (mut at, mut beginning) = (0, 0);
    while at < name.len() - ENDING {
        if at <= BEGINNING {
            beginning = at;
        }
        at += first_sign(&name[at..]);
    }
    format!("{}…{}", &name[..beginning], &name[at..])
}

/// Returns the length of the character or escape that a text begins with, in bytes.
fn first_sign(text: &str) -> usize {
    /// `\\u{10ffff}` is the longest escape.
    const LONGEST: usize = 10;
    let plain = text.chars().next().map_or(1, char::len_utf8);
    let escape = text.strip_prefix('\\').and_then(|rest| match rest.bytes().next()? {
        b'x' => Some(4),
        b'u' => rest.bytes().take(LONGEST - 1).position(|byte| byte == b'}').map(|end| end + 2),
        _ => Some(2),
    });
    escape.filter(|length| text.is_char_boundary(*length)).unwrap_or(plain)
}

/// Returns the last line of a program's output that is not blank, made safe by [`visible`]; empty if all lines are
/// blank.
#[must_use]
pub fn last_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let line = text.lines().rev().map(visible).find(|line| !line.trim().is_empty());
    line.unwrap_or_default().trim().to_owned()
}

/// Quotes a text as one word of a POSIX shell. Always adds quotes.
#[must_use]
pub fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Like [`shell_quoted`], for bytes that need not be UTF-8.
#[must_use]
pub fn shell_quoted_bytes(text: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = text.split(|byte| *byte == b'\'').collect();
    [b"'".as_slice(), &parts.join(br"'\''".as_slice()), b"'"].concat()
}

/// Returns a text as one word of a POSIX shell, quoted only if it contains anything that a shell may interpret.
#[must_use]
pub fn shell_word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:+%=@,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) { text.to_owned() } else { shell_quoted(text) }
}

/// Formats a command as one would type it.
#[must_use]
pub fn command_line(words: &[String]) -> String {
    words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
}

/// Implements serde's traits for a type by its `FromStr` and `Display`.
#[macro_export]
macro_rules! serde_by_text {
    ($name:ty) => {
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                let text = <::std::string::String as ::serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(|error: $crate::error::Error| ::serde::de::Error::custom(error.message()))
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_what_a_terminal_can_show() {
        assert_eq!(last_line(b"a\nno \x1b[31mstore\x07\r\n\n  \n"), "no store");
        assert_eq!(last_line(b" \n\n"), "");
    }

    #[test]
    fn long_names_lose_their_middle_and_no_escape_is_cut() {
        let whole = "x".repeat(196);
        assert_eq!(shortened(&whole), whole);
        let long = format!("{}{}", "a".repeat(2000), "b".repeat(1000));
        assert_eq!(shortened(&long), format!("{}…{}", "a".repeat(120), "b".repeat(76)));
        for sign in [r"\x1b", r"\u{202e}", r"\n", r"\\", "é", "木"] {
            for before in 0..10 {
                let name = format!("{}{}", "a".repeat(before), sign.repeat(1000));
                let short = shortened(&name);
                let (beginning, ending) = short.split_once('…').unwrap();
                assert_eq!(beginning.trim_start_matches('a').replace(sign, ""), "", "{short}");
                assert_eq!(ending.replace(sign, ""), "", "{short}");
                assert!(short.len() <= 200 && short.len() > 170, "{short}");
            }
        }
        // Unfinished escapes are neither slower nor cut in the wrong place.
        for odd in [r"\u{".repeat(1000), r"\".repeat(999), format!("{}\\é", "x".repeat(300))] {
            assert!(shortened(&odd).len() <= 200, "{odd}");
        }
    }

    #[test]
    fn sizes_have_three_digits() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (9_996, "10.0 kB"),
            (99_960, "100 kB"),
            (999_600, "1.00 MB"),
            (1_963_679_628, "1.96 GB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn a_terminal_is_shown_nothing_that_it_obeys() {
        assert_eq!(
            visible("\u{1b}[31merror\u{1b}[0m:\tno\u{1b}]0;title\u{7} such \u{1b}[2Jfile"),
            "error:\tno such file"
        );
        assert!(!visible("a\rb\u{8}c\u{9b}2Jd\u{1b}").chars().any(char::is_control));
        assert_eq!(visible("naïve – plain"), "naïve – plain");
    }

    #[test]
    fn large_numbers_are_said_as_of_models() {
        assert_eq!([999, 123_400, 1_240_000_000].map(count), ["999", "123K", "1.24B"]);
    }

    #[test]
    fn words_come_out_of_a_shell_as_they_went_in() {
        for word in ["", "a", "a b", "it's", "$(id)", "`id`", "~", "#", "a\\", "-n", "!x", "{a,b}"] {
            assert_eq!(shell_quoted_bytes(word.as_bytes()), shell_quoted(word).into_bytes());
            let script = format!("printf '%s.' {}", shell_word(word));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{word}."), "{script}");
        }
    }

    #[test]
    fn lengths_of_time_are_shown_as_on_a_clock() {
        let clock = |seconds| super::clock(Duration::from_secs(seconds));
        assert_eq!([0, 59, 250, 3723].map(clock), ["0:00", "0:59", "4:10", "1:02:03"]);
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(date(315_532_800), "1980-01-01 00:00:00 UTC");
        assert_eq!(date(i64::MAX), "9223372036854775807 seconds since 1970");
        assert_eq!(rfc3339(315_532_800).as_deref(), Some("1980-01-01T00:00:00Z"));
        assert_eq!((rfc3339(i64::MAX), day(i64::MAX)), (None, None));
    }

    #[test]
    fn ages_are_whole_days() {
        let made = day(315_532_800).unwrap();
        let after = |days: i64| age(made, 315_532_800 + days * 86_400 + 3);
        assert_eq!([0, 1, 12, 400].map(after), ["today", "1 day", "12 days", "400 days"]);
        assert_eq!(after(-2), "");
    }
}
