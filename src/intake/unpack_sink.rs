//! Unpacks a download while it arrives, on a thread of its own.

use std::io::{self, Read};
use std::thread::JoinHandle;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::error::{Error, Result};
use crate::fetch::Sink;
use crate::store::{Staging, Store};
use crate::threads::ended;
use crate::tree::Limits;
use crate::tree::unpack::{Unpacked, unpack};

/// Greatest number of pieces queued between the network and the unpacker. A piece has at most 256 KiB.
const QUEUE: usize = 32;

/// Feeds an unpacker that writes to `tree/` of a staging directory.
pub struct UnpackSink<'s> {
    store: &'s Store,
    limits: Limits,
    /// True if size and digest of the download are known.
    promised: bool,
    running: Option<Running>,
    /// True if the unpacker ended the download.
    ended: bool,
}

struct Running {
    staging: Staging,
    bytes: Sender<Bytes>,
    thread: JoinHandle<Result<Unpacked>>,
}

impl<'s> UnpackSink<'s> {
    /// Starts the unpacker. A promised download continues even if the unpacker fails: its digest shows whether the
    /// bytes or the archive are at fault. Any other download ends with the unpacker, as it could otherwise fill the
    /// disk.
    pub fn new(store: &'s Store, limits: Limits, promised: bool) -> Result<Self> {
        Ok(Self { store, limits, promised, running: Some(Running::start(store, limits)?), ended: false })
    }

    /// Returns whether the unpacker ended the download, whose bytes are then useless.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Waits for the unpacker, after all bytes.
    pub fn finish(mut self) -> Result<(Staging, Unpacked)> {
        let Running { staging, bytes, thread } =
            self.running.take().ok_or_else(|| Error::failure("the unpacker is not running"))?;
        drop(bytes);
        let unpacked = ended(thread.join(), "the unpacker")?;
        Ok((staging, unpacked))
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            drop(running.bytes);
            // Its result does not matter: its bytes were wrong or incomplete.
            let _ = running.thread.join();
        }
    }
}

impl Sink for UnpackSink<'_> {
    fn take(&mut self, bytes: Bytes) -> Result<()> {
        let stopped = self.running.as_ref().is_some_and(|running| running.bytes.send(bytes).is_err());
        if !stopped || self.promised {
            // If it stopped, `finish` returns the reason.
            return Ok(());
        }
        self.ended = true;
        let ended = self.running.take().map(|running| running.thread.join());
        match ended {
            Some(Ok(Err(reason))) => Err(reason),
            _ => Err(Error::failure("the unpacker stopped without a reason")),
        }
    }

    fn restart(&mut self) -> Result<()> {
        self.stop();
        self.ended = false;
        self.running = Some(Running::start(self.store, self.limits)?);
        Ok(())
    }
}

impl Drop for UnpackSink<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Running {
    fn start(store: &Store, limits: Limits) -> Result<Self> {
        let staging = store.stage()?;
        let directory = staging.path().join("tree");
        fs_err::create_dir(&directory)?;
        let (bytes, queue) = bounded(QUEUE);
        let thread = std::thread::spawn(move || unpack(Pieces { queue, piece: Bytes::new() }, &directory, limits));
        Ok(Self { staging, bytes, thread })
    }
}

/// The queue as a reader, which ends when the sender is dropped.
struct Pieces {
    queue: Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.queue.recv() {
                Ok(piece) => self.piece = piece,
                Err(_) => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    /// An archive that is whole, and what somebody sends behind it.
    fn pieces() -> (Bytes, Bytes) {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(1);
        header.set_mode(0o644);
        archive.append_data(&mut header, "a", &b"x"[..]).unwrap();
        (archive.into_inner().unwrap().into(), vec![7; 64 << 10].into())
    }

    #[test]
    fn a_download_that_nobody_promised_ends_with_its_unpacker() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let (archive, more) = pieces();
        let mut sink = UnpackSink::new(&store, Limits::default(), false).unwrap();
        sink.take(archive.clone()).unwrap();
        // What waits in the queue is taken, and no more.
        let error = (0..QUEUE + 10).find_map(|_| sink.take(more.clone()).err()).unwrap();
        assert!(error.kind() == Kind::Invalid && error.to_string().contains("bytes after its last entry"), "{error}");
        assert!(sink.ended() && sink.take(more.clone()).is_ok());
        // Another try begins anew.
        sink.restart().unwrap();
        sink.take(archive.clone()).unwrap();
        assert_eq!(sink.finish().unwrap().1.listing.entries().len(), 1);

        let mut sink = UnpackSink::new(&store, Limits::default(), true).unwrap();
        sink.take(archive).unwrap();
        (0..QUEUE + 10).for_each(|_| sink.take(more.clone()).unwrap());
        assert!(!sink.ended() && sink.finish().is_err());
    }
}
