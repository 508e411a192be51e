//! Uploads of large blobs: one stream each, compressed if the service takes that.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bazel_remote_apis::google::bytestream::WriteRequest;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use crate::blob::{BlobDigest, Contents};
use crate::error::{Error, Kind, Result};
use crate::retry::{Failed, retried};
use crate::service::Remote;
use crate::upload::unreadable;

/// Bytes of one message.
const PIECE: usize = 256 << 10;
/// Messages that wait.
const WAITING: usize = 4;
/// Level of compression: fast, since files go to a machine nearby.
const LEVEL: i32 = 1;

impl Remote {
    /// Uploads one blob.
    pub async fn write(&self, digest: BlobDigest, contents: &Contents, sent: &AtomicU64) -> Result<()> {
        retried(&self.settings, "store a file", || async { self.write_once(digest, contents.clone()).await }).await?;
        sent.fetch_add(digest.size, Ordering::Relaxed);
        Ok(())
    }

    async fn write_once(&self, digest: BlobDigest, contents: Contents) -> Result<(), Failed> {
        let (sender, receiver) = channel(WAITING);
        let kind = if self.can.zstd { "compressed-blobs/zstd" } else { "blobs" };
        let name = self.resource(&format!("uploads/{}/{kind}/{}/{}", unique(), digest.sha256.hex(), digest.size));
        let zstd = self.can.zstd;
        let reading = tokio::task::spawn_blocking(move || send(&contents, name, zstd, sender));
        let taken = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&taken);
        let pieces = ReceiverStream::new(receiver).map(move |piece| {
            count.fetch_add(1, Ordering::Relaxed);
            piece
        });
        // The service may have got the blob from somebody else meanwhile, and ends the stream early.
        let answer = self.while_it_moves(&taken, self.bytes().write(pieces)).await;
        match reading.await {
            Ok(Err(error)) => return Err(Failed::Final(error)),
            Err(_) => return Err(Failed::Final(Error::failure("a file was not read to its end"))),
            Ok(Ok(())) => {}
        }
        let stored = answer?.into_inner().committed_size;
        if !zstd && u64::try_from(stored) != Ok(digest.size) {
            let said = format!("it stored {stored} bytes of {}", digest.size);
            return Err(Failed::Status(Status::unavailable(said)));
        }
        Ok(())
    }

    /// Waits for the answer to an upload, as long as the service takes pieces of it.
    async fn while_it_moves<T>(
        &self,
        taken: &AtomicU64,
        answer: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        let mut answer = std::pin::pin!(answer);
        loop {
            let before = taken.load(Ordering::Relaxed);
            match self.in_time(&mut answer).await {
                Err(late) if late.code() == Code::DeadlineExceeded && taken.load(Ordering::Relaxed) > before => {}
                answered => return answered,
            }
        }
    }
}

/// Sends the bytes of a blob. Ends early if nobody receives them any more.
fn send(contents: &Contents, name: String, zstd: bool, sender: Sender<WriteRequest>) -> Result<()> {
    let mut out = Pieces { name, offset: 0, piece: Vec::with_capacity(PIECE), sender };
    let copied = match contents {
        Contents::Bytes(bytes) => copy(&mut &bytes[..], &mut out, zstd),
        Contents::File(path) => {
            let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
            copy(&mut file, &mut out, zstd)
        }
    };
    match copied.and_then(|()| out.send(true)) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(Kind::Damaged, "cannot read a file that the remote builder needs").because(&error))
        }
        _ => Ok(()),
    }
}

fn copy(from: &mut dyn Read, out: &mut Pieces, zstd: bool) -> io::Result<()> {
    if zstd {
        let mut encoder = zstd::stream::write::Encoder::new(out, LEVEL)?;
        io::copy(from, &mut encoder)?;
        encoder.finish().map(drop)
    } else {
        io::copy(from, out).map(drop)
    }
}

/// A writer that sends messages.
struct Pieces {
    name: String,
    offset: usize,
    piece: Vec<u8>,
    sender: Sender<WriteRequest>,
}

impl Pieces {
    fn send(&mut self, last: bool) -> io::Result<()> {
        let data = std::mem::replace(&mut self.piece, Vec::with_capacity(if last { 0 } else { PIECE }));
        let write_offset = self.offset as i64;
        self.offset += data.len();
        // Only the first message needs the name.
        let resource_name = if write_offset == 0 { self.name.clone() } else { String::new() };
        let message = WriteRequest { resource_name, write_offset, finish_write: last, data };
        self.sender.blocking_send(message).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE - self.piece.len();
        let taken = bytes.len().min(room);
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE {
            self.send(false)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns an id that no other upload has, in the form of a UUID.
fn unique() -> String {
    // Each state of this kind begins with random keys of the system.
    let random = || RandomState::new().build_hasher().finish();
    let (a, b) = (random() ^ u64::from(std::process::id()), random());
    let (high, low) = ((a >> 32) as u32, a as u32);
    let variant = 0x8000 | (b >> 48) as u16 & 0x3fff;
    format!("{high:08x}-{:04x}-4{:03x}-{variant:04x}-{:012x}", low >> 16, low & 0xfff, b & 0xffff_ffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_have_the_usual_form() {
        let ids: std::collections::BTreeSet<String> = (0..100).map(|_| unique()).collect();
        assert_eq!(ids.len(), 100);
        for id in ids {
            let parts: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
            assert!(id.split('-').nth(2).is_some_and(|part| part.starts_with('4')), "{id}");
        }
    }

    /// The messages that are sent for these bytes.
    fn messages(bytes: &[u8], zstd: bool) -> Vec<WriteRequest> {
        let (sender, mut receiver) = channel(100);
        send(&Contents::Bytes(bytes.to_vec()), "name".to_owned(), zstd, sender).unwrap();
        let mut all = Vec::new();
        while let Ok(message) = receiver.try_recv() {
            all.push(message);
        }
        all
    }

    #[test]
    fn offsets_follow_the_bytes() {
        let bytes = vec![7; 2 * PIECE + 5];
        let all = messages(&bytes, false);
        let offsets: Vec<i64> = all.iter().map(|one| one.write_offset).collect();
        assert_eq!(offsets, [0, PIECE as i64, 2 * PIECE as i64]);
        assert_eq!(all.iter().map(|one| one.finish_write).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(all.iter().filter(|one| one.resource_name == "name").count(), 1);
        assert_eq!(all.iter().flat_map(|one| one.data.clone()).collect::<Vec<_>>(), bytes);
        let whole = messages(&bytes[..PIECE], false);
        assert!(whole.len() == 2 && whole[1].finish_write && whole[1].data.is_empty());
    }

    #[test]
    fn compressed_bytes_come_out_as_they_went_in() {
        let bytes = b"abc".repeat(100_000);
        let sent: Vec<u8> = messages(&bytes, true).into_iter().flat_map(|one| one.data).collect();
        assert!(sent.len() < 1000);
        assert_eq!(zstd::decode_all(&sent[..]).unwrap(), bytes);
    }
}
