//! Downloads of blobs: each is compared with its name while it is received.

use std::io::{self, Write};

use bazel_remote_apis::google::bytestream::ReadRequest;
use tonic::{Request, Status};

use crate::blob::BlobDigest;
use crate::digest::HashingWriter;
use crate::error::{Error, Kind, Result};
use crate::retry::{Failed, retried};
use crate::service::{Remote, Service};

/// Greatest window of a compressed stream, as a power of two: 8 MiB, the most that decoders are asked to have.
const WINDOW: u32 = 23;
/// Bytes that compression and framing may add to a blob, besides a sixteenth of its size.
const ADDED: u64 = 1 << 20;
/// Bytes of a blob that must come in the time in which anything at all must (`patience`).
const FLOOR: u64 = 1 << 20;

impl Service {
    /// Passes the bytes of a blob on. Fails if they are not those of its name, which is known after the last only.
    pub fn read(&self, digest: BlobDigest, to: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<()> {
        self.runtime.block_on(self.remote.read_into(digest, Passing(to)))
    }
}

impl Remote {
    /// Returns the bytes of a blob of this size at most.
    pub async fn read_small(&self, digest: BlobDigest, most: u64, what: &str) -> Result<Vec<u8>> {
        if digest.size > most {
            return Err(Error::new(Kind::Mismatch, format!("{what} of the remote builder is too large"))
                .fact("size", format!("{} bytes", digest.size))
                .fact("limit", format!("{most} bytes")));
        }
        retried(&self.settings, "return a file", || async {
            let mut bytes = Vec::new();
            self.read_once(digest, &mut bytes).await?;
            Ok(bytes)
        })
        .await
    }

    /// Passes the bytes of a blob on, in one attempt: what was passed on cannot be taken back.
    async fn read_into(&self, digest: BlobDigest, mut to: impl Write) -> Result<()> {
        match self.read_once(digest, &mut to).await {
            Ok(()) => Ok(()),
            Err(Failed::Final(error)) => Err(error),
            Err(Failed::Status(status)) => Err(crate::fault::told(&status, &self.settings.address, "return a file")),
        }
    }

    /// Receives a blob.
    pub async fn read_once(&self, digest: BlobDigest, to: &mut (impl Write + ?Sized)) -> Result<(), Failed> {
        let mut received = HashingWriter::new(Bounded { to, left: digest.size });
        if digest.size > 0 {
            if self.can.zstd {
                let mut decoder = zstd::stream::write::Decoder::new(&mut received).map_err(Error::from)?;
                decoder.window_log_max(WINDOW).map_err(Error::from)?;
                self.receive(digest, "compressed-blobs/zstd", &mut decoder).await?;
                decoder.flush().map_err(|error| self.odd(digest, &error))?;
            } else {
                self.receive(digest, "blobs", &mut received).await?;
            }
        }
        let (sha256, size, _) = received.finish();
        digest.demand(BlobDigest { sha256, size }).map_err(|error| error.fact("builder", &self.settings.address))?;
        Ok(())
    }

    /// Receives the bytes of a blob as they are sent. What the service sends for ever, however little at a time, ends.
    async fn receive(&self, digest: BlobDigest, kind: &str, to: &mut impl Write) -> Result<(), Failed> {
        let windows = 2 + u32::try_from(digest.size / FLOOR).unwrap_or(u32::MAX);
        let limit = self.settings.patience.saturating_mul(windows);
        match tokio::time::timeout(limit, self.receive_all(digest, kind, to)).await {
            Ok(received) => received,
            Err(_) => Err(Status::deadline_exceeded(format!("a file took {} s", limit.as_secs())).into()),
        }
    }

    async fn receive_all(&self, digest: BlobDigest, kind: &str, to: &mut impl Write) -> Result<(), Failed> {
        let resource_name = self.resource(&format!("{kind}/{}/{}", digest.sha256.hex(), digest.size));
        let request = Request::new(ReadRequest { resource_name, read_offset: 0, read_limit: 0 });
        let mut bytes = self.bytes();
        let mut stream = self.in_time(bytes.read(request)).await?.into_inner();
        let mut left = digest.size.saturating_add(digest.size / 16).saturating_add(ADDED);
        while let Some(part) = self.in_time(stream.message()).await? {
            let too_many = || io::Error::new(io::ErrorKind::InvalidData, "more bytes than compression can add");
            left = left.checked_sub(part.data.len() as u64).ok_or_else(|| self.odd(digest, &too_many()))?;
            to.write_all(&part.data).map_err(|error| self.odd(digest, &error))?;
        }
        Ok(())
    }

    /// Returns the error for bytes that could not be taken: too many, not compressed as said, or a full disk.
    fn odd(&self, digest: BlobDigest, error: &io::Error) -> Error {
        // Errors of the system are of this machine, all others of the bytes.
        if error.raw_os_error().is_some() {
            return Error::failure("cannot keep a file of the remote builder").because(error);
        }
        Error::new(Kind::Mismatch, "the remote builder sent other bytes than it named")
            .fact("builder", &self.settings.address)
            .fact("file", digest)
            .because(error)
    }
}

/// A writer that takes no more bytes than a blob has.
struct Bounded<'w, W: Write + ?Sized> {
    to: &'w mut W,
    left: u64,
}

impl<W: Write + ?Sized> Write for Bounded<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "more bytes than the blob has"))?;
        self.to.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

struct Passing<'f>(&'f mut dyn FnMut(&[u8]) -> io::Result<()>);

impl Write for Passing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.0)(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_the_blob_has() {
        let mut taken = Vec::new();
        let mut bounded = Bounded { to: &mut taken, left: 5 };
        assert!(bounded.write_all(b"abc").is_ok() && bounded.write_all(b"def").is_err());
        assert_eq!(taken, b"abc");
    }
}
