//! The threads that hash and write files.
//!
//! A producer fills buffers from a pool of fixed size and hands them over. A small file is one job; a larger one is a
//! job with a queue of its own, so that its buffers stay in order while other workers go on. No thread holds a whole
//! large file, and a producer that is faster than the disk waits for a buffer to come back.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::confined::{Root, seal_file};
use super::flush::Flush;
use super::listing::named;
use super::names::Digests;
use crate::digest::HashingWriter;
use crate::error::{Error, Result};
use crate::threads::{cores, ended};

const BUFFER: usize = 256 * 1024;
const BUFFERS: usize = 48;

struct Job {
    id: u64,
    path: Vec<u8>,
    mode: u32,
    contents: Contents,
}

enum Contents {
    Whole(Buffer),
    /// `None` is the end; a queue that closes without it means that the producer failed.
    Parts(Receiver<Option<Buffer>>),
}

/// A piece of a file. Its memory is initialized once and then only overwritten.
#[derive(Default)]
struct Buffer {
    memory: Vec<u8>,
    length: usize,
}

impl Buffer {
    fn filled(&self) -> &[u8] {
        &self.memory[..self.length]
    }

    /// Reads until the buffer is full or `contents` ends.
    fn fill(&mut self, contents: &mut dyn Read) -> io::Result<()> {
        // Zeroed pages are allocated by the kernel when first written, so a small tree uses few.
        if self.memory.is_empty() {
            self.memory = vec![0; BUFFER];
        }
        self.length = 0;
        while self.length < BUFFER {
            match contents.read(&mut self.memory[self.length..]) {
                Ok(0) => break,
                Ok(count) => self.length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A pool of threads that write into one directory.
pub(super) struct Workers {
    pool: Receiver<Buffer>,
    jobs: Option<Sender<Job>>,
    /// All threads. The one that flushes ends when the last writer has ended.
    threads: Vec<JoinHandle<Result<()>>>,
    failed: Arc<AtomicBool>,
}

impl Workers {
    /// Starts the threads. They write files below `root`, and their digests to `digests`.
    pub(super) fn start(root: &Arc<Root>, digests: &Arc<Digests>) -> Self {
        let (give_back, pool) = bounded(BUFFERS);
        for _ in 0..BUFFERS {
            let _ = give_back.send(Buffer::default());
        }
        let (jobs, queue) = bounded::<Job>(BUFFERS);
        let failed = Arc::new(AtomicBool::new(false));
        let count = cores().saturating_sub(1).clamp(1, 4);
        let (flush, flusher) = Flush::start();
        let writers = (0..count).map(|_| {
            let worker = Worker {
                root: Arc::clone(root),
                digests: Arc::clone(digests),
                give_back: give_back.clone(),
                flush: flush.clone(),
                failed: Arc::clone(&failed),
            };
            let queue = queue.clone();
            std::thread::spawn(move || worker.run(&queue))
        });
        let threads = writers.chain([flusher]).collect();
        Self { pool, jobs: Some(jobs), threads, failed }
    }

    /// Hands over one file. Returns its size in bytes.
    pub(super) fn file(&mut self, id: u64, path: &[u8], mode: u32, contents: &mut dyn Read) -> Result<u64> {
        // Only here, where no queue of an unfinished file is held any more, is it safe to wait for the workers.
        self.give(id, path, mode, contents).map_err(|stop| match stop {
            Stop::Producer(error) => error,
            Stop::Workers => {
                self.join().err().unwrap_or_else(|| Error::failure("the threads that write files have stopped"))
            }
        })
    }

    fn give(&self, id: u64, path: &[u8], mode: u32, contents: &mut dyn Read) -> Result<u64, Stop> {
        let mut buffer = self.fill(contents)?;
        let mut size = buffer.length as u64;
        let job = |contents| Job { id, path: path.to_vec(), mode, contents };
        if buffer.length < BUFFER {
            self.send(job(Contents::Whole(buffer)))?;
            return Ok(size);
        }
        let (parts, receiver) = bounded(BUFFERS);
        self.send(job(Contents::Parts(receiver)))?;
        loop {
            let last = buffer.length < BUFFER;
            parts.send(Some(buffer)).map_err(|_| Stop::Workers)?;
            if last {
                parts.send(None).map_err(|_| Stop::Workers)?;
                return Ok(size);
            }
            buffer = self.fill(contents)?;
            size += buffer.length as u64;
        }
    }

    /// Waits for all files.
    pub(super) fn join(&mut self) -> Result<()> {
        self.jobs = None;
        // Joins all of them, even if the first one failed.
        let ends: Vec<Result<()>> =
            self.threads.drain(..).map(|thread| ended(thread.join(), "a thread that writes files")).collect();
        ends.into_iter().collect()
    }

    fn fill(&self, contents: &mut dyn Read) -> Result<Buffer, Stop> {
        let mut buffer = self.pool.recv().map_err(|_| Stop::Workers)?;
        if self.failed.load(Ordering::Relaxed) {
            return Err(Stop::Workers);
        }
        buffer.fill(contents).map_err(|error| Stop::Producer(error.into()))?;
        Ok(buffer)
    }

    fn send(&self, job: Job) -> Result<(), Stop> {
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if sent { Ok(()) } else { Err(Stop::Workers) }
    }
}

/// The reason why a file was not handed over completely.
enum Stop {
    /// The contents could not be read.
    Producer(Error),
    /// A worker failed; its own error tells why.
    Workers,
}

impl Drop for Workers {
    fn drop(&mut self) {
        // Has no effect after `join`; without `join` the producer has given up.
        self.failed.store(true, Ordering::Relaxed);
        let _ = self.join();
    }
}

struct Worker {
    root: Arc<Root>,
    digests: Arc<Digests>,
    give_back: Sender<Buffer>,
    flush: Flush,
    failed: Arc<AtomicBool>,
}

impl Worker {
    fn run(&self, queue: &Receiver<Job>) -> Result<()> {
        let mut failure = None;
        // After a failure the queue is still drained, so that a producer that waits for buffers does not hang.
        for job in queue {
            if let Err(error) = self.take(&job).map_err(Error::from) {
                self.failed.store(true, Ordering::Relaxed);
                failure =
                    failure.or(Some(Error::failure(format!("cannot write `{}`", named(&job.path))).because(&error)));
            }
            match job.contents {
                Contents::Whole(buffer) => drop(self.give_back.send(buffer)),
                Contents::Parts(parts) => {
                    parts.into_iter().flatten().for_each(|buffer| drop(self.give_back.send(buffer)));
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn take(&self, job: &Job) -> io::Result<()> {
        let mut writer = HashingWriter::new(self.root.create_file(&job.path)?);
        match &job.contents {
            Contents::Whole(buffer) => writer.write_all(buffer.filled())?,
            Contents::Parts(parts) => {
                while let Some(buffer) = parts.recv().map_err(|_| io::Error::other("its contents ended early"))? {
                    let written = writer.write_all(buffer.filled());
                    let _ = self.give_back.send(buffer);
                    written?;
                }
            }
        }
        let (digest, size, file) = writer.finish();
        seal_file(&file, job.mode)?;
        self.flush.soon(file, size);
        self.digests.put(job.id, digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;
    use crate::tree::names::Names;

    /// Number of files in a test: more than can wait to be written at a time.
    const FILES: usize = 1101;

    /// Returns the contents of a file: mostly small, some of several buffers.
    fn contents(number: usize) -> Vec<u8> {
        let size = if number.is_multiple_of(200) { 3 * BUFFER + number } else { number };
        (0..size).map(|at| (at ^ number) as u8).collect()
    }

    #[test]
    fn digests_are_those_of_the_files() {
        let place = tempfile::tempdir().unwrap();
        let root = Arc::new(Root::open(place.path()).unwrap());
        let names = Names::new(place.path()).unwrap();
        let mut workers = Workers::start(&root, names.digests());
        for number in 0..FILES {
            let path = number.to_string();
            let size = workers.file(number as u64, path.as_bytes(), 0o444, &mut &*contents(number)).unwrap();
            assert_eq!(size, contents(number).len() as u64);
        }
        workers.join().unwrap();
        for number in 0..FILES {
            assert_eq!(std::fs::read(place.path().join(number.to_string())).unwrap(), contents(number));
            assert_eq!(names.digests().get(number as u64).unwrap(), Sha256Digest::of(&contents(number)), "{number}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_ends_all_of_it() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("77"), "").unwrap();
        let root = Arc::new(Root::open(place.path()).unwrap());
        let names = Names::new(place.path()).unwrap();
        let mut workers = Workers::start(&root, names.digests());
        let given: Result<Vec<_>> = (0..10 * FILES)
            .map(|number| workers.file(number as u64, number.to_string().as_bytes(), 0o444, &mut &*contents(number)))
            .collect();
        let ended = given.and_then(|_| workers.join()).unwrap_err().to_string();
        assert!(ended.contains("77"), "{ended}");
    }
}
