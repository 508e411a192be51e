//! Names of blobs: SHA-256 and size.

use std::fmt;
use std::path::PathBuf;

use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::proto;
use crate::text::visible;

/// The name of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobDigest {
    /// The digest of its bytes.
    pub sha256: Sha256Digest,
    /// The number of its bytes.
    pub size: u64,
}

impl BlobDigest {
    /// Returns the name of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { sha256: Sha256Digest::of(bytes), size: bytes.len() as u64 }
    }

    pub(crate) fn to_proto(self) -> proto::Digest {
        proto::Digest { hash: self.sha256.hex(), size_bytes: i64::try_from(self.size).unwrap_or(i64::MAX) }
    }

    /// Reads a name that a service sent. `what` says of which thing.
    pub(crate) fn read(digest: Option<&proto::Digest>, what: &str) -> Result<Self> {
        let read = |digest: &proto::Digest| {
            Some(Self { sha256: Sha256Digest::from_hex(&digest.hash)?, size: u64::try_from(digest.size_bytes).ok()? })
        };
        digest.and_then(read).ok_or_else(|| {
            let found = digest.map_or_else(|| "nothing".to_owned(), |digest| visible(&digest.hash));
            Error::new(Kind::Mismatch, format!("the remote builder names no digest of {what}"))
                .fact("expected", "SHA-256 and a size")
                .fact("found", found)
        })
    }

    /// Fails if these are not the name of the bytes that were received.
    pub(crate) fn demand(self, received: Self) -> Result<()> {
        if self == received {
            return Ok(());
        }
        Err(Error::new(Kind::Mismatch, "a blob of the remote builder does not have the digest that it is named by")
            .fact("expected", self)
            .fact("received", received))
    }
}

impl fmt::Display for BlobDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} bytes", self.sha256, self.size)
    }
}

/// The bytes of a blob that may have to be uploaded.
#[derive(Debug, Clone)]
pub enum Contents {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Those of a file.
    File(PathBuf),
}
