//! The blobs of a job's tree: those that many jobs share, and its own.

use std::collections::BTreeMap;

use tokio::sync::Mutex;

use crate::blob::{BlobDigest, Contents};
use crate::error::Result;
use crate::service::Remote;

/// The blobs of a job's tree. Blobs that the service has as outputs of other jobs need not be there.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'i> {
    /// Those that it shares with other jobs.
    pub shared: &'i Shared,
    /// Its own.
    pub own: &'i BTreeMap<BlobDigest, Contents>,
}

/// Blobs that many jobs share. A service is asked for them once, by the first job that it has no result of.
#[derive(Debug, Default)]
pub struct Shared {
    blobs: BTreeMap<BlobDigest, Contents>,
    /// True once the service has them. Whoever uploads them holds the lock, and the others wait.
    uploaded: Mutex<bool>,
}

impl From<BTreeMap<BlobDigest, Contents>> for Shared {
    fn from(blobs: BTreeMap<BlobDigest, Contents>) -> Self {
        Self { blobs, uploaded: Mutex::default() }
    }
}

impl Inputs<'_> {
    /// Uploads what the service lacks. With `again`, it is asked for the shared blobs once more.
    pub(crate) async fn upload(self, to: &Remote, again: bool, progress: &mut dyn FnMut(u64, u64)) -> Result<()> {
        let mut uploaded = self.shared.uploaded.lock().await;
        if again || !*uploaded {
            to.upload(&self.shared.blobs, progress).await?;
            *uploaded = true;
        }
        drop(uploaded);
        to.upload(self.own, progress).await?;
        Ok(())
    }
}
