//! Refusals of an object store: a status, and a small XML document.

use url::Url;

use super::listing::fields;
use crate::error::{Error, Kind};
use crate::fetch::ObjectAnswer;
use crate::text::visible;

/// Returns whether somebody else has changed an object since it was read.
pub(super) fn has_changed(answer: &ObjectAnswer) -> bool {
    // 409: another conditional write is going on. 404: the object to be replaced is gone.
    matches!(answer.status.as_u16(), 409 | 412) || (answer.status.as_u16() == 404 && !is_without_bucket(&answer.body))
}

/// Returns whether the store does not know conditional writes.
pub(super) fn knows_no_conditions(answer: &ObjectAnswer) -> bool {
    answer.status.as_u16() == 501 || code(&answer.body) == "NotImplemented"
}

/// Returns whether there is no such bucket.
pub(super) fn is_without_bucket(body: &[u8]) -> bool {
    code(body) == "NoSuchBucket"
}

/// Returns the error for a refusal.
pub(super) fn refused(url: &Url, answer: &ObjectAnswer) -> Error {
    let (code, message) = (code(&answer.body), field(&answer.body, "Message"));
    let kind = match answer.status.as_u16() {
        404 | 410 => Kind::NotFound,
        416 => Kind::Mismatch,
        _ => Kind::Unreachable,
    };
    let mut error = Error::new(kind, format!("the object store answered {}", answer.status)).fact("url", url);
    if !code.is_empty() {
        error = error.fact("because", format!("{code}: {message}"));
    }
    let region = answer.headers.get("x-amz-bucket-region").and_then(|value| value.to_str().ok());
    match (answer.status.as_u16(), region) {
        (301 | 307 | 400, Some(region)) => {
            error.hint(format!("the bucket is in another region: set AWS_REGION={}", visible(region)))
        }
        (401 | 403, _) => error.hint(
            "credentials are read from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, else from ~/.aws/credentials",
        ),
        _ => error,
    }
}

fn code(body: &[u8]) -> String {
    field(body, "Code")
}

/// Returns a field of an error document; empty if there is none.
fn field(body: &[u8], name: &str) -> String {
    let all = fields(body).unwrap_or_default();
    let found = all.into_iter().find(|(path, _)| path == &format!("Error/{name}"));
    found.map(|(_, text)| visible(&text).chars().take(300).collect()).unwrap_or_default()
}
