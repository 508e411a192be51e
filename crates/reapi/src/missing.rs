//! Which blobs a service lacks.

use std::collections::BTreeSet;

use crate::blob::BlobDigest;
use crate::error::{Error, Kind, Result};
use crate::proto::{FindMissingBlobsRequest, digest_function};
use crate::retry::retried;
use crate::service::{Remote, Service};

/// Number of blobs that are asked for at once: names of SHA-256 with their sizes take less than 100 bytes each, and
/// messages have 4 MiB.
const ASKED: usize = 20_000;

impl Service {
    /// Returns those of the blobs that the service lacks.
    pub fn missing(&self, blobs: &[BlobDigest]) -> Result<BTreeSet<BlobDigest>> {
        self.runtime.block_on(self.remote.missing(blobs))
    }
}

impl Remote {
    /// Returns those of the blobs that the service lacks.
    pub async fn missing(&self, blobs: &[BlobDigest]) -> Result<BTreeSet<BlobDigest>> {
        let mut missing = BTreeSet::new();
        for some in blobs.chunks(ASKED) {
            let answer = retried(&self.settings, "say which files it lacks", || async {
                let message = FindMissingBlobsRequest {
                    instance_name: self.instance(),
                    blob_digests: some.iter().map(|blob| blob.to_proto()).collect(),
                    digest_function: digest_function::Value::Sha256 as i32,
                };
                Ok(self.storage().find_missing_blobs(self.request(message)).await?.into_inner())
            });
            let asked: BTreeSet<&BlobDigest> = some.iter().collect();
            for digest in &answer.await?.missing_blob_digests {
                let digest = BlobDigest::read(Some(digest), "a missing file")?;
                if !asked.contains(&digest) {
                    return Err(Error::new(
                        Kind::Mismatch,
                        "the remote builder lacks a file that it was not asked for",
                    )
                    .fact("builder", &self.settings.address)
                    .fact("file", digest));
                }
                missing.insert(digest);
            }
        }
        Ok(missing)
    }
}
