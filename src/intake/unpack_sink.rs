//! Unpacks a download while it comes, on a thread of its own.

use std::io::{self, Read};
use std::thread::JoinHandle;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::error::{Error, Result};
use crate::fetch::Sink;
use crate::store::{Staging, Store};
use crate::tree::Limits;
use crate::tree::unpack::{Unpacked, unpack};

/// Pieces between the network and the unpacker; they are as large as the network gives them, at most 256 KiB.
const QUEUE: usize = 32;

/// Feeds an unpacker that writes to `tree/` of a staging directory.
pub(super) struct UnpackSink<'s> {
    store: &'s Store,
    limits: Limits,
    running: Option<Running>,
}

struct Running {
    staging: Staging,
    bytes: Sender<Bytes>,
    thread: JoinHandle<Result<Unpacked>>,
}

impl<'s> UnpackSink<'s> {
    pub fn new(store: &'s Store, limits: Limits) -> Result<Self> {
        Ok(Self { store, limits, running: Some(Running::start(store, limits)?) })
    }

    /// All bytes were given: waits for the unpacker.
    pub fn finish(mut self) -> Result<(Staging, Unpacked)> {
        let Running { staging, bytes, thread } =
            self.running.take().ok_or_else(|| Error::failure("the unpacker is not running"))?;
        drop(bytes);
        let unpacked = thread.join().unwrap_or_else(|_| Err(Error::failure("the unpacker panicked")))?;
        Ok((staging, unpacked))
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            drop(running.bytes);
            // Whatever it says: its bytes were the wrong ones, or too few.
            let _ = running.thread.join();
        }
    }
}

impl Sink for UnpackSink<'_> {
    fn take(&mut self, bytes: Bytes) {
        if let Some(running) = &self.running {
            // An unpacker that stopped early has its reason, told by `finish`; the download goes on, because its
            // digest says whether the bytes or the archive are at fault.
            let _ = running.bytes.send(bytes);
        }
    }

    fn restart(&mut self) -> Result<()> {
        self.stop();
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

/// The queue as a reader; ends when the sender is gone.
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
