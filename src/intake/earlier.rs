//! Earlier downloads in the store of files that no lock names yet.

use tracing::info;
use url::Url;

use super::Intake;
use crate::digest::Promise;
use crate::error::Result;
use crate::fetch::Received;
use crate::log::CACHE;
use crate::store::{Origin, Partial};
use crate::urls::log_url;

/// Waits for the right to download from these URLs, which one process has at a time. Afterwards look into the store:
/// another process may have finished the download.
pub fn lock_download(intake: Intake, urls: &[Url], promise: Option<Promise>) -> Result<Partial> {
    let key = match promise {
        Some(promise) => promise.digest.to_string(),
        None => urls.first().map_or_else(String::new, Url::to_string),
    };
    intake.store.partial(&key)
}

/// Returns size and digest of an earlier download from the first of these URLs, if the store has it and the server
/// still reports the same size and strong validator. The caller must verify the stored bytes again.
pub fn earlier_download(intake: Intake, urls: &[Url]) -> Option<Promise> {
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

/// Records the origin of a published download, for [`earlier_download`].
pub fn record_origin(intake: Intake, received: &Received) -> Result<()> {
    let Some(validator) = received.validator.clone() else { return Ok(()) };
    intake.store.note_origin(&Origin {
        url: received.url.to_string(),
        size: received.size,
        digest: received.digest,
        validator,
    })
}
