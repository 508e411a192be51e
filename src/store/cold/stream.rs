//! The stream of a cold tree, decompressed on threads.

use std::io::{self, Read};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, bounded};

use super::{Chunk, ColdTree};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::threads::cores;

/// Number of chunks that a thread decompresses ahead.
const AHEAD: usize = 4;

/// Treatment of missing and damaged chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Faults {
    /// Reading fails.
    Refuse,
    /// Zeros take the chunk's place. The digests of the files tell which files are affected.
    Blank,
}

/// A chunk's plain bytes, or the reason why there are none.
type Plain = Result<Vec<u8>>;

/// The contents of a cold tree's files, one after the other. Every chunk is checked against its digest.
pub(super) struct ColdStream {
    /// Chunk `n` comes from thread `n % threads`, so chunks arrive in order without sorting.
    threads: Vec<(Receiver<Plain>, JoinHandle<()>)>,
    next: usize,
    count: usize,
    piece: Vec<u8>,
    position: usize,
}

impl ColdStream {
    pub(super) fn new(tree: &ColdTree, chunks: &[Chunk], faults: Faults) -> Self {
        let (count, repair) = (cores(), tree.repair);
        let threads = (0..count)
            .map(|first| {
                let mine: Vec<_> =
                    chunks.iter().skip(first).step_by(count).map(|chunk| (*chunk, tree.chunk(chunk.digest))).collect();
                let (sender, receiver) = bounded(AHEAD);
                let thread = std::thread::spawn(move || {
                    let mut decompressor = zstd::bulk::Decompressor::new();
                    for (chunk, path) in mine {
                        let plain = decompressor.as_mut().ok().and_then(|with| {
                            let plain = with.decompress(&std::fs::read(&path).ok()?, chunk.size).ok()?;
                            (plain.len() == chunk.size && Sha256Digest::of(&plain) == chunk.digest).then_some(plain)
                        });
                        let answer = match (plain, faults) {
                            (Some(plain), _) => Ok(plain),
                            (None, Faults::Blank) => Ok(vec![0; chunk.size]),
                            (None, Faults::Refuse) => {
                                Err(Error::new(Kind::Damaged, "a chunk of a cold tree is missing or damaged")
                                    .fact("file", path.display())
                                    .hint(repair))
                            }
                        };
                        // The reader was dropped.
                        if sender.send(answer).is_err() {
                            return;
                        }
                    }
                });
                (receiver, thread)
            })
            .collect();
        Self { threads, next: 0, count: chunks.len(), piece: Vec::new(), position: 0 }
    }
}

impl Read for ColdStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position == self.piece.len() {
            if self.next == self.count {
                return Ok(0);
            }
            let (receiver, _) = &self.threads[self.next % self.threads.len()];
            self.piece = receiver.recv().map_err(io::Error::other)??;
            self.next += 1;
            self.position = 0;
        }
        let count = buffer.len().min(self.piece.len() - self.position);
        buffer[..count].copy_from_slice(&self.piece[self.position..self.position + count]);
        self.position += count;
        Ok(count)
    }
}

impl Drop for ColdStream {
    fn drop(&mut self) {
        for (receiver, thread) in self.threads.drain(..) {
            drop(receiver);
            // Its errors went through the channel.
            let _ = thread.join();
        }
    }
}
