//! Limits of requests, as forges' APIs report them: GitHub answers 403 or 429 with `X-RateLimit-Remaining: 0` and the
//! time at which the count begins anew, or with `Retry-After`.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use url::Url;

use crate::error::{Error, Kind};
use crate::text::date;
use crate::urls::show_url;

/// Explains a refusal for too many requests. Returns `None` for any other answer.
pub(super) fn refusal(url: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Error> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let used_up = text("x-ratelimit-remaining") == Some("0");
    let is_limit = match status {
        StatusCode::FORBIDDEN => used_up || headers.contains_key(RETRY_AFTER),
        StatusCode::TOO_MANY_REQUESTS => used_up,
        _ => false,
    };
    if !is_limit {
        return None;
    }
    let mut error = Error::new(Kind::Unreachable, "the server's limit of requests is used up")
        .fact("url", show_url(url))
        .fact("answer", status);
    let again = text("x-ratelimit-reset").and_then(|seconds| seconds.parse::<u32>().ok()).map(|at| date(at.into()));
    let again = again.or_else(|| Some(format!("in {} s", text(RETRY_AFTER.as_str())?.parse::<u32>().ok()?)));
    if let Some(again) = again {
        error = error.fact("again", again);
    }
    Some(error.hint(format!(
        "run again later; a login for {} in ~/.netrc (a token as its password) raises the limit",
        url.host_str().unwrap_or_default()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_up_limit_is_told_from_other_refusals() {
        let url: Url = "https://api.example/repos/a/b".parse().unwrap();
        let told = |status: StatusCode, headers: &[(&'static str, &str)]| {
            let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let error = refusal(&url, status, &headers.collect())?;
            Some(
                error
                    .facts()
                    .find(|(label, _)| *label == "again")
                    .map(|(_, value)| value.to_owned())
                    .unwrap_or_default(),
            )
        };
        let (zero, reset) = (("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1791194400"));
        assert_eq!(told(StatusCode::FORBIDDEN, &[zero, reset]).as_deref(), Some("2026-10-05 10:00:00 UTC"));
        assert_eq!(told(StatusCode::TOO_MANY_REQUESTS, &[zero]).as_deref(), Some(""));
        assert_eq!(told(StatusCode::FORBIDDEN, &[("retry-after", "60")]).as_deref(), Some("in 60 s"));
        assert_eq!(
            told(StatusCode::FORBIDDEN, &[("retry-after", "x"), ("x-ratelimit-reset", "-1")]).as_deref(),
            Some("")
        );
        assert_eq!(told(StatusCode::FORBIDDEN, &[("x-ratelimit-remaining", "59"), reset]), None);
        assert_eq!(told(StatusCode::NOT_FOUND, &[zero]), None);
    }
}
