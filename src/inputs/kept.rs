//! The parts of a pin that an archive keeps, so that it can be taken in when its upstream no longer has it.

use url::Url;

use super::TreePin;
use crate::digest::{Promise, Sha256Digest, TreeDigest};
use crate::fetch::Voucher;

/// A part of a pin that an archive keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// A download, byte for byte.
    File(KeptFile),
    /// A commit of a git repository, as a pack.
    Commit(KeptCommit),
    /// A tree of files of the project, as a tar archive.
    Tree(TreePin),
}

/// A download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    /// Its name at its upstream.
    pub name: String,
    /// Its digest.
    pub digest: Sha256Digest,
    /// Its size in bytes; absent if the pin does not have it.
    pub size: Option<u64>,
    /// Its URLs.
    pub urls: Vec<Url>,
    /// The source of the promise of size and digest.
    pub voucher: Voucher,
    /// Its time at its upstream, in seconds since 1970.
    pub mtime: Option<i64>,
    /// The tree in it, if nothing else of it is used: a cold archive keeps that tree in its place.
    pub tree: Option<TreeDigest>,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCommit {
    /// The repository.
    pub url: String,
    /// 40 hex digits.
    pub commit: String,
    /// The ref that led to it, by which servers give it out.
    pub reference: Option<String>,
}

impl KeptFile {
    /// Returns a file without a time, of which the bytes themselves are used.
    #[must_use]
    pub fn new(name: impl Into<String>, promise: Promise, urls: Vec<Url>, voucher: Voucher) -> Self {
        let (digest, size) = (promise.digest, Some(promise.size));
        Self { name: name.into(), digest, size, urls, voucher, mtime: None, tree: None }
    }

    /// Returns size and digest, if both are known.
    #[must_use]
    pub fn promise(&self) -> Option<Promise> {
        self.size.map(|size| Promise { size, digest: self.digest })
    }
}
