//! Decides if and when a failed request is retried.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::error::Error;

/// The longest pause that a server may ask for.
const LONGEST: Duration = Duration::from_secs(120);

/// Returns whether a request that was answered with this status should be retried.
pub(super) fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// Returns the pause that the server asks for: seconds or a date in `Retry-After`, else the seconds in the Hugging Face
/// hub's `RateLimit` (`"resolvers";r=0;t=55`).
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let wait = match (text(RETRY_AFTER.as_str()), text("ratelimit")) {
        (Some(text), _) => match text.parse() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).ok()?,
        },
        (None, Some(limit)) => {
            // Every answer of the hub has this header; it asks for a pause only if no requests remain.
            limit.split(';').find(|part| part.trim() == "r=0")?;
            let seconds = limit.split(';').find_map(|part| part.trim().strip_prefix("t="))?;
            Duration::from_secs(seconds.parse().ok()?)
        }
        (None, None) => return None,
    };
    Some(wait.min(LONGEST))
}

/// Returns the reason of a failure in a few words: the innermost cause, without the number of the system's error.
pub(super) fn why(error: &Error) -> String {
    let cause = error.cause().and_then(|cause| cause.rsplit(": ").next()).unwrap_or(error.message());
    let words = cause.split(" (os error").next().unwrap_or_default();
    words.lines().next().unwrap_or_default().chars().take(80).collect()
}

/// Returns the time until a retry, for messages.
pub(super) fn when(headers: &HeaderMap) -> String {
    retry_after(headers).map_or_else(|| "a few minutes".to_owned(), |wait| format!("{} s", wait.as_secs()))
}

/// Returns the pause before round `round` (from 1): doubled each time, with up to half of random extra, so that many
/// clients that failed together do not retry together.
pub(super) fn pause(first: Duration, round: u32) -> Duration {
    let base = first.saturating_mul(1 << round.saturating_sub(1).min(8)).min(LONGEST);
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    base + base.mul_f64(f64::from(nanos % 1000) / 2000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_few_words() {
        let cause = std::io::Error::other("client error: connection error: Connection reset by peer (os error 104)");
        let error = Error::failure("the server cannot be reached");
        assert_eq!(why(&error), "the server cannot be reached");
        assert_eq!(why(&error.because(&cause)), "Connection reset by peer");
    }

    #[test]
    fn a_server_may_ask_to_wait_in_three_ways() {
        let asked = |name: &'static str, value: &str| {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(asked("retry-after", "7"), Some(7));
        assert_eq!(asked("retry-after", "999999"), Some(120));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!(asked("retry-after", &soon).is_some_and(|wait| (50..=60).contains(&wait)));
        assert_eq!(asked("ratelimit", "\"resolvers\";r=0;t=55"), Some(55));
        assert_eq!(asked("ratelimit", "\"api\";r=499;t=55"), None);
        assert_eq!(asked("ratelimit", "whatever"), None);
    }
}
