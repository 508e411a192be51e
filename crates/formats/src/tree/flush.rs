//! Has large files written to the disk while others are still made, so that the sync before publication has little left to wait for.
//!
//! The system begins by itself only when a tenth of the memory waits to be written, which is more than most trees have.
//!
//! What is on the disk is then given up in memory. A nightly is larger than all else that a machine keeps there, such as the
//! model that a server has mapped, and would push that out; and to use the same memory again is quicker than to get more, above
//! all in a virtual machine, whose host takes back what is free (a tree of 2.8 GB from a snapshot: 4.6 s against 7.0 s).

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::fs::{Advice, fadvise};

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
    let one = |file: File| -> io::Result<()> {
        file.sync_data()?;
        // An advice: where it is not taken nothing is lost.
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
        Ok(())
    };
    files.iter().try_for_each(one).map_err(|error| Error::failure("cannot write files to the disk").because(&error))
}
