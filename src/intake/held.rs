//! Downloads that the store holds already, of things that no lock names yet.

use tracing::info;
use url::Url;

use super::Intake;
use crate::digest::Promise;
use crate::error::Result;
use crate::fetch::Received;
use crate::log::CACHE;
use crate::store::{Origin, Partial};
use crate::urls::log_url;

/// The right to download from these URLs, which one process has at a time. What another brought meanwhile is in the store.
pub fn hold(intake: Intake, urls: &[Url], promise: Option<Promise>) -> Result<Partial> {
    let key = match promise {
        Some(promise) => promise.digest.to_string(),
        None => urls.first().map_or_else(String::new, Url::to_string),
    };
    intake.store.partial(&key)
}

/// Returns what the first of these URLs gave before, if the store holds it and the server says that it has the same still:
/// equal size, and the same strong validator as when it came. Its bytes are to be checked against the digest once more.
pub fn held(intake: Intake, urls: &[Url]) -> Option<Promise> {
    let url = urls.first()?;
    let origin = intake.store.origin(url.as_str())?;
    let head = intake.fetcher.head(url).ok()?;
    let same = head.size == Some(origin.size) && head.validator.as_ref() == Some(&origin.validator);
    let decision = if same {
        "have: the server still has the bytes that came before"
    } else {
        "fetch: the server has other bytes now"
    };
    info!(target: CACHE, "{}: {decision}", log_url(url));
    same.then_some(Promise { size: origin.size, digest: origin.digest })
}

/// Notes where a download came from that was published, for [`held`].
pub fn note(intake: Intake, received: &Received) -> Result<()> {
    let Some(validator) = received.validator.clone() else { return Ok(()) };
    intake.store.note_origin(&Origin {
        url: received.url.to_string(),
        size: received.size,
        digest: received.digest,
        validator,
    })
}
