//! Has large files written to the disk while others are still made, so that the sync before publication has little left to wait for.
//!
//! The system begins by itself only when a tenth of the memory waits to be written, which is more than most trees have.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::error::{Error, Result};

/// Below so many bytes in all, one sync at the end is sooner done than one per file.
const MUCH: u64 = 128 << 20;
/// Bytes that a file has at least.
const LARGE: u64 = 256 << 10;
/// Files that wait for it. More are left to the sync that comes at the end anyway.
const WAITING: usize = 16;

/// Where a thread that flushes is given files. It ends when no such place is left.
#[derive(Clone)]
pub(super) struct Flush {
    files: Sender<File>,
    bytes: Arc<AtomicU64>,
}

impl Flush {
    pub(super) fn start() -> (Self, JoinHandle<Result<()>>) {
        let (files, given) = bounded(WAITING);
        (Self { files, bytes: Arc::default() }, std::thread::spawn(move || flush(&given)))
    }

    /// Takes a file of `size` bytes. Does not wait.
    pub(super) fn soon(&self, file: File, size: u64) {
        if self.bytes.fetch_add(size, Ordering::Relaxed) >= MUCH && size >= LARGE {
            let _ = self.files.try_send(file);
        }
    }
}

fn flush(files: &Receiver<File>) -> Result<()> {
    files
        .iter()
        .try_for_each(|file| file.sync_data())
        .map_err(|error| Error::failure("cannot write files to the disk").because(&error))
}
