//! Takes in a file by its URLs.

use std::path::{Path, PathBuf};

use tracing::info;
use url::Url;

use super::Intake;
use super::batch::drop_damaged;
use super::earlier::{earlier_download, lock_download, record_origin};
use crate::digest::Promise;
use crate::error::Result;
use crate::fetch::{Received, Voucher, Wanted};
use crate::log::CACHE;
use crate::store::Partial;

/// Takes in the file at `urls`. Returns its path in the store, and its size and digest.
pub fn file(intake: Intake, name: &str, urls: &[Url], promise: Option<Promise>) -> Result<(PathBuf, Received)> {
    file_vouched(intake, name, urls, promise, Voucher::Lock)
}

/// Like [`file()`], but `voucher` says who promised size and digest.
pub fn file_vouched(
    intake: Intake,
    name: &str,
    urls: &[Url],
    promise: Option<Promise>,
    voucher: Voucher,
) -> Result<(PathBuf, Received)> {
    let partial = lock_download(intake, urls, promise)?;
    let known = promise.or_else(|| earlier_download(intake, urls));
    if let (None, Some(held)) = (promise, known) {
        drop_damaged(intake.store, held.digest)?;
    }
    if let Some(promise) = known
        && let Some(path) = intake.store.download(promise.digest)
        && let Ok(url) = Url::from_file_path(&path)
    {
        info!(target: CACHE, "{name}: have: {} is in the store", promise.digest);
        return Ok((path, Received { url, size: promise.size, digest: promise.digest, validator: None }));
    }
    take_in(intake, Wanted { name, urls, promise, voucher, if_gone: None }, &partial)
}

/// Like [`file()`] without a promise, but always downloads, even if the store has an earlier download.
pub fn file_anew(intake: Intake, name: &str, urls: &[Url]) -> Result<(PathBuf, Received)> {
    let partial = lock_download(intake, urls, None)?;
    take_in(intake, Wanted { name, urls, promise: None, voucher: Voucher::Lock, if_gone: None }, &partial)
}

/// Takes in a file that is needed only once: it ends in `directory`, which is one of the store's staging directories, unless
/// the store has it anyway.
pub fn file_once(
    intake: Intake,
    name: &str,
    url: Url,
    promise: Promise,
    voucher: Voucher,
    directory: &Path,
) -> Result<PathBuf> {
    let urls = [url];
    let partial = lock_download(intake, &urls, Some(promise))?;
    if let Some(path) = intake.store.download(promise.digest) {
        return Ok(path);
    }
    intake.fetcher.download(
        Wanted { name, urls: &urls, promise: Some(promise), voucher, if_gone: None },
        &partial,
        &mut (),
    )?;
    let path = directory.join(promise.digest.hex());
    intake.store.move_download(&partial, &path)?;
    Ok(path)
}

fn take_in(intake: Intake, wanted: Wanted, partial: &Partial) -> Result<(PathBuf, Received)> {
    info!(target: CACHE, "{}: fetch: the store does not have it", wanted.name);
    let received = intake.fetcher.download(wanted, partial, &mut ())?;
    let path = intake.store.publish_download(partial, received.digest)?;
    record_origin(intake, &received)?;
    Ok((path, received))
}
