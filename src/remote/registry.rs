//! A repository of a registry.

use std::fs::File;
use std::sync::OnceLock;

use bytes::Bytes;
use url::Url;

use super::repository::{LARGEST_MANIFEST, MOST_REFERRERS, Reference, Repository};
use crate::digest::{Promise, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::fetch::{Access, Fetcher, Upload};
use crate::oci::Descriptor;
use crate::oci::document::{INDEX, MANIFEST};
use crate::progress::{Doing, Unit};

/// A repository of a registry.
pub struct Registry<'a> {
    fetcher: &'a Fetcher,
    base: Url,
    /// The address in the configuration.
    shown: String,
    /// True if the registry lists referrers; absent until it was asked.
    lists_referrers: OnceLock<bool>,
}

impl<'a> Registry<'a> {
    /// Opens a repository. Asks nothing yet.
    pub fn open(fetcher: &'a Fetcher, host: &str, repository: &str, access: Access) -> Result<Self> {
        let base = fetcher.registry_for(host, repository, access)?;
        Ok(Self { fetcher, base, shown: format!("oci://{host}/{repository}"), lists_referrers: OnceLock::new() })
    }

    fn url(&self, below: &str) -> Result<Url> {
        self.base.join(below).map_err(|error| Error::new(Kind::Invalid, "invalid name in a registry").because(&error))
    }
}

impl Repository for Registry<'_> {
    fn address(&self) -> String {
        self.shown.clone()
    }

    fn blob_size(&self, digest: Sha256Digest) -> Result<Option<u64>> {
        self.fetcher.blob_size(&self.base, digest)
    }

    fn part(&self, blob: Promise, offset: u64, length: u64) -> Result<Bytes> {
        self.fetcher.file_part(&self.url(&format!("blobs/{}", blob.digest))?, offset, length, blob.size)
    }

    fn put_blob(&self, blob: Promise, file: &File, sent: &(dyn Fn(u64) + Sync)) -> Result<()> {
        if self.blob_size(blob.digest)? == Some(blob.size) {
            sent(blob.size);
            return Ok(());
        }
        let task =
            self.fetcher.progress().begin(Doing::Ask, self.base.host_str().unwrap_or_default(), None, Unit::Bytes);
        self.fetcher.upload(&Upload { base: &self.base, blob, file, sent, task: &*task })
    }

    fn manifest(&self, reference: Reference) -> Result<Option<Vec<u8>>> {
        let url = self.url(&format!("manifests/{reference}"))?;
        // Of an image or index in this place the caller says what is wrong with it.
        let text = match self.fetcher.registry_document(&url, &[MANIFEST, INDEX], LARGEST_MANIFEST) {
            Ok(document) => document.body,
            Err(error) if error.kind() == Kind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match reference {
            Reference::Digest(digest) if Sha256Digest::of(&text) != digest => {
                Err(Error::new(Kind::Mismatch, "the registry sent another manifest than it was asked for")
                    .fact("url", &url)
                    .fact("found", Sha256Digest::of(&text)))
            }
            _ => Ok(Some(text)),
        }
    }

    fn put_manifest(&self, manifest: &[u8], media_type: &str, tag: Option<&str>) -> Result<()> {
        let digest = Sha256Digest::of(manifest).to_string();
        self.fetcher.put_manifest(&self.base, tag.unwrap_or(&digest), media_type, manifest)
    }

    fn tags(&self) -> Result<Vec<String>> {
        self.fetcher.registry_tags(&self.base)
    }

    fn referrers(&self, subject: Sha256Digest) -> Result<Option<Vec<Descriptor>>> {
        if self.lists_referrers.get() == Some(&false) {
            return Ok(None);
        }
        let listed = self.fetcher.registry_referrers(&self.base, subject, MOST_REFERRERS)?;
        let _ = self.lists_referrers.set(listed.is_some());
        Ok(listed)
    }

    fn delete_manifest(&self, digest: Sha256Digest) -> Result<()> {
        self.fetcher.delete_manifest(&self.base, digest)
    }

    fn delete_blob(&self, digest: Sha256Digest) -> Result<()> {
        self.fetcher.delete_blob(&self.base, digest)
    }
}
