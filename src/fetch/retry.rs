//! When a request is worth asking again, and when.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The longest pause that a server may ask for.
const LONGEST: Duration = Duration::from_secs(120);

/// Whether an answer with this status may be better next time.
pub(super) fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// How long the server asks to wait: seconds or a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).ok()?,
    };
    Some(wait.min(LONGEST))
}

/// The pause before round `round` (from 1): doubled each time, and spread by up to half so that many clients that
/// failed together do not come back together.
pub(super) fn pause(first: Duration, round: u32) -> Duration {
    let base = first.saturating_mul(1 << round.saturating_sub(1).min(8)).min(LONGEST);
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    base + base.mul_f64(f64::from(nanos % 1000) / 2000.0)
}
