//! Writes large files back to the disk while others are still being made, so that the sync before publication has
//! little left to wait for.
//!
//! Linux begins by itself only when a tenth of the memory waits to be written, which is more than most trees have.
//!
//! The pages are then dropped from memory. A nightly is larger than everything else that a machine caches, such as
//! the model that a server has mapped, and would evict it. Besides, reusing the same memory is faster than getting
//! more, above all in a virtual machine, whose host takes back what is free (a tree of 2.8 GB from a snapshot: 4.6 s
//! against 7.0 s).

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::fs::{Advice, fadvise};

use crate::error::{Error, Result};

/// Bytes in all below which one sync at the end is faster than one per file.
const MUCH: u64 = 128 << 20;
/// Smallest file that is flushed, in bytes.
const LARGE: u64 = 256 << 10;
/// Files that may wait to be flushed. Others are left to the sync at the end.
const WAITING: usize = 16;

/// A handle that sends files to a thread that flushes them. The thread ends when the last handle is dropped.
#[derive(Clone)]
pub struct Flush {
    files: Sender<File>,
    bytes: Arc<AtomicU64>,
}

impl Flush {
    /// Starts the thread. It returns the first error.
    #[must_use]
    pub fn start() -> (Self, JoinHandle<Result<()>>) {
        let (files, given) = bounded(WAITING);
        (Self { files, bytes: Arc::default() }, std::thread::spawn(move || flush(&given)))
    }

    /// Hands over a file of `size` bytes. Does not wait.
    pub fn soon(&self, file: File, size: u64) {
        if self.bytes.fetch_add(size, Ordering::Relaxed) >= MUCH && size >= LARGE {
            let _ = self.files.try_send(file);
        }
    }
}

fn flush(files: &Receiver<File>) -> Result<()> {
    let one = |file: File| -> io::Result<()> {
        file.sync_data()?;
        // Only advice: nothing is lost if the kernel ignores it.
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
        Ok(())
    };
    files.iter().try_for_each(one).map_err(|error| Error::failure("cannot write files to the disk").because(&error))
}
