//! The part of a file that a request asks for: `Range`, `If-Range`, `If-None-Match` and `If-Modified-Since` (RFC 9110,
//! 13 and 14).

use hyper::header::{HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE};

/// A file as a server knows it.
pub(super) struct About {
    /// Its size in bytes.
    pub size: u64,
    /// Its ETag, with quotes.
    pub etag: String,
    /// Its modification time, as in `Last-Modified`.
    pub modified: String,
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of the file.
    Whole,
    /// The bytes from the first to the second, both included.
    Range(u64, u64),
    /// No byte of the file is in the range.
    Nothing,
    /// The client has it.
    NotModified,
}

/// Returns the part that a request asks for. What is not understood is passed over, as the standard wants: several
/// ranges, and other units.
pub(super) fn part(headers: &HeaderMap, about: &About) -> Part {
    let get = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let has = if let Some(all) = get(&IF_NONE_MATCH) {
        let is_it = |tag: &str| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == about.etag;
        all.split(',').map(str::trim).any(is_it)
    } else {
        let time = |text: &str| httpdate::parse_http_date(text).ok();
        let (since, modified) = (get(&IF_MODIFIED_SINCE).and_then(time), time(&about.modified));
        since.zip(modified).is_some_and(|(since, modified)| modified <= since)
    };
    if has {
        return Part::NotModified;
    }
    let Some(range) = get(&RANGE) else { return Part::Whole };
    // The client has a beginning of these bytes, or else wants all.
    if get(&IF_RANGE).is_some_and(|condition| condition != about.etag && condition != about.modified) {
        return Part::Whole;
    }
    parse(range, about.size).unwrap_or(Part::Whole)
}

fn parse(range: &str, size: u64) -> Option<Part> {
    let (first, last) = range.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| -> Option<u64> {
        // More digits than fit are more bytes than there are.
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (first, last) = match (first, last) {
        ("", last) => {
            let count = number(last)?;
            if count == 0 || size == 0 {
                return Some(Part::Nothing);
            }
            (size.saturating_sub(count), size - 1)
        }
        (first, "") => (number(first)?, u64::MAX),
        (first, last) => (number(first)?, number(last)?),
    };
    if first > last {
        return None;
    }
    Some(if first >= size { Part::Nothing } else { Part::Range(first, last.min(size - 1)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODIFIED: &str = "Tue, 01 Sep 2026 00:00:00 GMT";

    fn of(headers: &[(HeaderName, &str)]) -> Part {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        part(&headers, &About { size: 100, etag: "\"x\"".to_owned(), modified: MODIFIED.to_owned() })
    }

    #[test]
    fn a_range_is_a_part_of_the_file() {
        for (range, expected) in [
            ("bytes=0-0", Part::Range(0, 0)),
            ("bytes=10-19", Part::Range(10, 19)),
            ("bytes=90-200", Part::Range(90, 99)),
            ("bytes=99-", Part::Range(99, 99)),
            ("bytes=-1", Part::Range(99, 99)),
            ("bytes=-500", Part::Range(0, 99)),
            ("bytes=100-", Part::Nothing),
            ("bytes=100-200", Part::Nothing),
            ("bytes=-0", Part::Nothing),
            ("bytes=0-99999999999999999999999", Part::Range(0, 99)),
            ("bytes=99999999999999999999999-", Part::Nothing),
            // What is not understood is passed over.
            ("bytes=5-4", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("", Part::Whole),
        ] {
            assert_eq!(of(&[(RANGE, range)]), expected, "{range}");
        }
        assert_eq!(of(&[]), Part::Whole);
    }

    #[test]
    fn conditions_are_kept() {
        let range = (RANGE, "bytes=1-2");
        for (name, value, expected) in [
            (IF_RANGE, "\"x\"", Part::Range(1, 2)),
            (IF_RANGE, MODIFIED, Part::Range(1, 2)),
            (IF_RANGE, "\"y\"", Part::Whole),
            (IF_RANGE, "W/\"x\"", Part::Whole),
            (IF_NONE_MATCH, "\"x\"", Part::NotModified),
            (IF_NONE_MATCH, "\"a\", W/\"x\"", Part::NotModified),
            (IF_NONE_MATCH, "*", Part::NotModified),
            (IF_NONE_MATCH, "\"y\"", Part::Range(1, 2)),
            (IF_MODIFIED_SINCE, MODIFIED, Part::NotModified),
            (IF_MODIFIED_SINCE, "Mon, 31 Aug 2026 00:00:00 GMT", Part::Range(1, 2)),
            (IF_MODIFIED_SINCE, "yesterday", Part::Range(1, 2)),
        ] {
            assert_eq!(of(&[range.clone(), (name.clone(), value)]), expected, "{name} {value}");
        }
        let both = [(IF_NONE_MATCH, "\"y\""), (IF_MODIFIED_SINCE, MODIFIED)];
        assert_eq!(of(&both), Part::Whole, "an ETag counts before a time");
    }
}
