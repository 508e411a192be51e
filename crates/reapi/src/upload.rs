//! Uploads: blobs that the service lacks, small ones together and large ones as streams, several at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::blob::{BlobDigest, Contents};
use crate::error::{Error, Kind, Result};
use crate::proto::batch_update_blobs_request::Request as One;
use crate::proto::{BatchUpdateBlobsRequest, compressor, digest_function};
use crate::retry::{Failed, retried};
use crate::service::{Remote, Service};

/// Transfers at a time.
pub(crate) const AT_ONCE: usize = 6;
/// Bytes that each blob takes in a message besides its own.
const AROUND: u64 = 128;
/// Largest blob that is sent together with others.
const SMALL: u64 = 256 << 10;

/// The amounts of an upload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uploaded {
    /// Number of blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Service {
    /// Uploads those of the blobs that the service lacks. `progress` is told how many of how many bytes were sent.
    pub fn upload(
        &self,
        blobs: &BTreeMap<BlobDigest, Contents>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Uploaded> {
        self.runtime.block_on(self.remote.upload(blobs, progress))
    }
}

impl Remote {
    pub async fn upload(
        &self,
        blobs: &BTreeMap<BlobDigest, Contents>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Uploaded> {
        // The empty blob is known everywhere.
        let names: Vec<BlobDigest> = blobs.keys().filter(|blob| blob.size > 0).copied().collect();
        if let Some(large) = names.iter().find(|blob| blob.size > self.can.largest) {
            return Err(Error::new(Kind::NotFound, "a file is larger than the remote builder takes")
                .fact("builder", &self.settings.address)
                .fact("file", large)
                .fact("limit", format!("{} bytes", self.can.largest)));
        }
        let missing = self.missing(&names).await?;
        let uploaded = Uploaded { blobs: missing.len() as u64, bytes: missing.iter().map(|blob| blob.size).sum() };
        progress(0, uploaded.bytes);
        let lacking = missing.iter().filter_map(|digest| Some((*digest, blobs.get(digest)?.clone())));
        let (small, large): (Vec<_>, Vec<_>) =
            lacking.partition(|(digest, _)| digest.size <= SMALL.min(self.can.batch));
        let sent = Arc::new(AtomicU64::new(0));
        let mut running = JoinSet::new();
        let mut parts: Vec<Vec<_>> = together(small, self.can.batch);
        parts.extend(large.into_iter().map(|one| vec![one]));
        for part in parts {
            while running.len() >= AT_ONCE {
                finish(running.join_next().await)?;
                progress(sent.load(Ordering::Relaxed), uploaded.bytes);
            }
            let (remote, sent) = (self.clone(), Arc::clone(&sent));
            running.spawn(async move { remote.send(part, &sent).await });
        }
        while !running.is_empty() {
            finish(running.join_next().await)?;
            progress(sent.load(Ordering::Relaxed), uploaded.bytes);
        }
        Ok(uploaded)
    }

    async fn send(&self, blobs: Vec<(BlobDigest, Contents)>, sent: &AtomicU64) -> Result<()> {
        match &blobs[..] {
            [(digest, contents)] if digest.size > SMALL.min(self.can.batch) => {
                self.write(*digest, contents, sent).await
            }
            _ => self.send_together(&blobs, sent).await,
        }
    }

    async fn send_together(&self, blobs: &[(BlobDigest, Contents)], sent: &AtomicU64) -> Result<()> {
        let mut requests = Vec::with_capacity(blobs.len());
        for (digest, contents) in blobs {
            let data = match contents {
                Contents::Bytes(bytes) => bytes.clone(),
                Contents::File(path) => tokio::fs::read(path).await.map_err(|error| unreadable(path, &error))?,
            };
            let compressor = compressor::Value::Identity as i32;
            requests.push(One { digest: Some(digest.to_proto()), data, compressor });
        }
        retried(&self.settings, "store files", || async {
            let message = BatchUpdateBlobsRequest {
                instance_name: self.instance(),
                requests: requests.clone(),
                digest_function: digest_function::Value::Sha256 as i32,
            };
            let answer = self.storage().batch_update_blobs(self.request(message)).await?.into_inner();
            let failed = answer.responses.iter().filter_map(|one| one.status.as_ref()).find(|status| status.code != 0);
            match failed {
                Some(status) => Err(Failed::Status(Status::new(Code::from(status.code), status.message.clone()))),
                None => Ok(()),
            }
        })
        .await?;
        sent.fetch_add(blobs.iter().map(|(digest, _)| digest.size).sum(), Ordering::Relaxed);
        Ok(())
    }
}

pub(crate) fn unreadable(path: &std::path::Path, error: &std::io::Error) -> Error {
    Error::new(Kind::Damaged, "cannot read a file that the remote builder needs")
        .fact("path", path.display())
        .because(error)
}

/// Returns groups of blobs that fit into one message each.
fn together(blobs: Vec<(BlobDigest, Contents)>, batch: u64) -> Vec<Vec<(BlobDigest, Contents)>> {
    let (mut all, mut taken) = (Vec::<Vec<_>>::new(), u64::MAX);
    for blob in blobs {
        let size = blob.0.size + AROUND;
        taken = taken.saturating_add(size);
        if taken > batch {
            all.push(Vec::new());
            taken = size;
        }
        if let Some(last) = all.last_mut() {
            last.push(blob);
        }
    }
    all
}

/// Returns the result of a task.
pub(crate) fn finish<T>(joined: Option<Result<Result<T>, tokio::task::JoinError>>) -> Result<Option<T>> {
    match joined {
        None => Ok(None),
        Some(Ok(result)) => result.map(Some),
        Some(Err(error)) => Err(Error::failure("a transfer to the remote builder ended early").because(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_fit_into_a_message() {
        let blob = |size| (BlobDigest { size, ..BlobDigest::of(b"") }, Contents::Bytes(Vec::new()));
        let sizes = |batch| -> Vec<Vec<u64>> {
            let all = together([10, 20, 300, 5].into_iter().map(blob).collect(), batch);
            all.iter().map(|part| part.iter().map(|(digest, _)| digest.size).collect()).collect()
        };
        assert_eq!(sizes(10_000), [vec![10, 20, 300, 5]]);
        assert_eq!(sizes(2 * AROUND + 30), [vec![10, 20], vec![300], vec![5]]);
        assert_eq!(sizes(0).len(), 4);
        assert!(together(Vec::new(), 9).is_empty());
    }
}
