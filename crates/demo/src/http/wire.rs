//! Sends body bytes: counts them, paces them, and applies the faults.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::fault::Fault;
use super::log::LogLine;
use crate::threads::lock;

/// The signal that ends every thread of a server.
#[derive(Default)]
pub(super) struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub(super) fn set(&self) {
        *lock(&self.stopped) = true;
        self.changed.notify_all();
    }

    pub(super) fn is_set(&self) -> bool {
        *lock(&self.stopped)
    }

    /// Sleeps, but no longer than until the signal. Returns false if the signal came.
    fn sleep(&self, pause: Duration) -> bool {
        let stopped = lock(&self.stopped);
        let waited = self.changed.wait_timeout_while(stopped, pause, |stopped| !*stopped);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A connection, as the body of one response uses it.
pub(super) struct Wire<'a> {
    stream: &'a TcpStream,
    stop: &'a Stop,
    log: &'a LogLine,
    sent: u64,
    first_offset: u64,
    limit: u64,
    flips: Vec<u64>,
    piece: usize,
    pause: Duration,
    /// The pause after a byte, in seconds.
    pause_per_byte: f64,
    last_piece: usize,
}

impl<'a> Wire<'a> {
    /// Begins a body at `first_offset` of the whole content.
    pub(super) fn new(
        stream: &'a TcpStream,
        stop: &'a Stop,
        log: &'a LogLine,
        first_offset: u64,
        faults: &[Fault],
    ) -> Self {
        let mut wire = Self {
            stream,
            stop,
            log,
            sent: 0,
            first_offset,
            limit: u64::MAX,
            flips: Vec::new(),
            piece: usize::MAX,
            pause: Duration::ZERO,
            pause_per_byte: 0.0,
            last_piece: 0,
        };
        for fault in faults {
            match fault {
                Fault::TruncateAfter(limit) | Fault::DisconnectOnce { after: limit } => {
                    wire.limit = wire.limit.min(*limit);
                }
                Fault::FlipByteAt(offset) => wire.flips.push(*offset),
                Fault::Drip { bytes, every } => (wire.piece, wire.pause) = ((*bytes).max(1), *every),
                Fault::Throttle { bytes_per_second } => {
                    wire.piece = (bytes_per_second / 50).clamp(1, 1 << 20) as usize;
                    wire.pause_per_byte = 1.0 / (*bytes_per_second).max(1) as f64;
                }
                _ => {}
            }
        }
        wire
    }

    fn send(&mut self, piece: &[u8]) -> io::Result<()> {
        // Pieces can be smaller than asked for, so the pause depends on the bytes sent.
        let pause = self.pause + Duration::from_secs_f64(self.pause_per_byte * self.last_piece as f64);
        if !pause.is_zero() && self.sent > 0 && !self.stop.sleep(pause) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let begin = self.first_offset + self.sent;
        let mut flipped = Vec::new();
        for offset in self.flips.iter().filter(|offset| (begin..begin + piece.len() as u64).contains(offset)) {
            if flipped.is_empty() {
                flipped = piece.to_vec();
            }
            flipped[(offset - begin) as usize] ^= 0x20;
        }
        // Counted before sending: a client that has read everything must find it in the log.
        self.log.sent(piece.len() as u64);
        self.stream.write_all(if flipped.is_empty() { piece } else { &flipped })?;
        self.sent += piece.len() as u64;
        self.last_piece = piece.len();
        Ok(())
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let allowed = (self.limit - self.sent).min(self.piece as u64).min(bytes.len() as u64) as usize;
        if allowed == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.send(&bytes[..allowed])?;
        Ok(allowed)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// A writer in chunked transfer coding.
pub(super) struct Chunks<'a, 'b> {
    wire: Wire<'a>,
    stream: &'b TcpStream,
}

impl<'a, 'b> Chunks<'a, 'b> {
    pub(super) fn new(wire: Wire<'a>, stream: &'b TcpStream) -> Self {
        Self { wire, stream }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.stream.write_all(b"0\r\n\r\n")
    }
}

impl Write for Chunks<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let size = bytes.len().min(1 << 16);
        write!(self.stream, "{size:x}\r\n")?;
        self.wire.write_all(&bytes[..size])?;
        self.stream.write_all(b"\r\n")?;
        Ok(size)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.wire.flush()
    }
}
