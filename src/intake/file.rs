//! A file by its URL.

use std::path::PathBuf;

use url::Url;

use super::Intake;
use crate::error::Result;
use crate::fetch::{Promise, Received, Voucher, Wanted};

/// Takes in the file at `urls`; where it lies in the store, and what it is.
pub fn file(intake: Intake, name: &str, urls: &[Url], promise: Option<Promise>) -> Result<(PathBuf, Received)> {
    file_vouched(intake, name, urls, promise, Voucher::Lock)
}

/// Like [`file()`], of which somebody else than the lock may say what it is.
pub(super) fn file_vouched(
    intake: Intake,
    name: &str,
    urls: &[Url],
    promise: Option<Promise>,
    voucher: Voucher,
) -> Result<(PathBuf, Received)> {
    let key = promise
        .map_or_else(|| urls.first().map_or_else(String::new, Url::to_string), |promise| promise.digest.to_string());
    let partial = intake.store.partial(&key)?;
    if let Some(promise) = promise
        && let Some(path) = intake.store.download(promise.digest)
        && let Ok(url) = Url::from_file_path(&path)
    {
        return Ok((path, Received { url, size: promise.size, digest: promise.digest }));
    }
    let received =
        intake.fetcher.download(Wanted { name, urls, promise, voucher, if_gone: None }, &partial, &mut ())?;
    let path = intake.store.publish_download(&partial, received.digest)?;
    Ok((path, received))
}
