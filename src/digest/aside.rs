//! A writer whose bytes are hashed on a thread of their own, where hashing would hold up whoever writes.

use std::io::{self, Write};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Sha256, Sha256Digest};

/// Bytes in a piece that is handed over.
const PIECE: usize = 256 * 1024;
/// Pieces between the two threads.
const PIECES: usize = 8;

/// Writes to `inner`, and hashes aside.
pub struct AsideHasher<W> {
    inner: W,
    piece: Vec<u8>,
    /// Pieces that were hashed, to be filled again.
    empty: Receiver<Vec<u8>>,
    full: Option<Sender<Vec<u8>>>,
    thread: Option<JoinHandle<Sha256Digest>>,
}

impl<W: Write> AsideHasher<W> {
    /// Wraps `inner`.
    pub fn new(inner: W) -> Self {
        let (full, queue) = bounded::<Vec<u8>>(PIECES);
        let (give_back, empty) = bounded(PIECES);
        let thread = std::thread::spawn(move || {
            let mut hash = Sha256::default();
            for mut piece in queue {
                hash.update(&piece);
                piece.clear();
                let _ = give_back.try_send(piece);
            }
            hash.finish()
        });
        Self { inner, piece: Vec::with_capacity(PIECE), empty, full: Some(full), thread: Some(thread) }
    }

    /// The digest of all that was written, and the inner writer.
    pub fn finish(mut self) -> io::Result<(Sha256Digest, W)> {
        self.hand_over()?;
        self.full = None;
        let digest = self.thread.take().and_then(|thread| thread.join().ok()).ok_or_else(gone)?;
        Ok((digest, self.inner))
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let next = self.empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(PIECE));
        let piece = std::mem::replace(&mut self.piece, next);
        self.full.as_ref().ok_or_else(gone)?.send(piece).map_err(|_| gone())
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that hashes has stopped")
}

impl<W: Write> Write for AsideHasher<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        let mut rest = &bytes[..written];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(PIECE - self.piece.len()));
            self.piece.extend_from_slice(now);
            rest = later;
            if self.piece.len() == PIECE {
                self.hand_over()?;
            }
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_all_bytes() {
        for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 20 * PIECE + 7] {
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let mut writer = AsideHasher::new(Vec::new());
            for piece in bytes.chunks(100_003) {
                writer.write_all(piece).unwrap();
            }
            let (digest, inner) = writer.finish().unwrap();
            assert!(inner == bytes && digest == Sha256Digest::of(&bytes), "{size}");
        }
    }
}
