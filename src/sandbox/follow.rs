//! Follows a running command: what it says goes to the log as it is and line by line to whoever watches, and it may neither
//! fall silent nor talk without end.

use std::io::{self, PipeReader, Read as _, Write};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::text;

/// How often a command that says nothing is looked at.
const TICK: Duration = Duration::from_millis(200);
/// How long the output may stay open after the command has ended.
const GRACE: Duration = Duration::from_secs(5);
/// A tool may print without ever ending a line; a piece of it will do then.
const LONGEST_LINE: usize = 64 * 1024;

/// How far a command may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For how long it may say nothing.
    pub silence: Duration,
    /// How many bytes it may say.
    pub log: u64,
}

impl Default for Limits {
    /// One HIP template takes minutes, and all of llama.cpp's log less than a megabyte.
    fn default() -> Self {
        Self { silence: Duration::from_secs(3600), log: 256 << 20 }
    }
}

/// Why a command is not followed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It ended, and nothing of it is left.
    Itself,
    /// It fell silent.
    Silent,
    /// It said too much.
    TooMuch,
    /// It ended, and something that it started has not.
    LeftBehind,
}

impl End {
    /// What it means for a build, if it is not how a build should end.
    pub(super) fn error(self, limits: &Limits) -> Option<Error> {
        let (message, hint) = match self {
            Self::Itself => return None,
            Self::Silent => (
                format!("the build said nothing for {} seconds, and was stopped", limits.silence.as_secs()),
                "if it was at work, allow it more with `silence-seconds` in the configuration",
            ),
            Self::TooMuch => (
                format!("the build said more than {}, and was stopped", text::bytes(limits.log)),
                "if that is right, allow it more with `log-bytes` in the configuration",
            ),
            Self::LeftBehind => (
                "a command of the build ended and left a process behind, which was stopped".to_owned(),
                "a server that a build starts must be ended by it too",
            ),
        };
        Some(Error::failure(message).hint(hint))
    }
}

/// Reads what a command says until its last process is gone, or it has gone too far: then it still runs.
pub(super) fn follow(
    output: &mut PipeReader,
    child: &mut Child,
    limits: &Limits,
    log: &mut dyn Write,
    watch: &mut dyn FnMut(&str),
) -> Result<End> {
    let mut lines = Lines { line: Vec::new(), watch };
    let mut buffer = vec![0; 64 * 1024];
    let mut said = 0_u64;
    let (mut heard, mut looked, mut ended) = (Instant::now(), Instant::now(), None);
    loop {
        if looked.elapsed() >= TICK {
            looked = Instant::now();
            if ended.is_none() && child.try_wait()?.is_some() {
                ended = Some(looked);
            }
            if ended.is_some_and(|ended: Instant| ended.elapsed() >= GRACE) {
                return Ok(End::LeftBehind);
            }
        }
        if !readable(output)? {
            if heard.elapsed() >= limits.silence {
                return Ok(End::Silent);
            }
            continue;
        }
        let count = match output.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        heard = Instant::now();
        log.write_all(bytes)?;
        lines.take(bytes);
        said += bytes.len() as u64;
        if said > limits.log {
            return Ok(End::TooMuch);
        }
    }
    lines.end();
    Ok(End::Itself)
}

/// Waits for the processes that were killed to be gone: they hold the other end.
pub(super) fn drain(output: &mut PipeReader) -> Result<()> {
    let since = Instant::now();
    let mut buffer = vec![0; 64 * 1024];
    while since.elapsed() < GRACE {
        if readable(output)? && matches!(output.read(&mut buffer), Ok(0)) {
            break;
        }
    }
    Ok(())
}

/// Waits for a [`TICK`] at most; whether there is something to read, be it the end.
fn readable(output: &PipeReader) -> Result<bool> {
    let wait = Timespec::try_from(TICK).ok();
    match poll(&mut [PollFd::new(output, PollFlags::IN)], wait.as_ref()) {
        Ok(count) => Ok(count > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

/// Makes lines of pieces.
struct Lines<'a> {
    line: Vec<u8>,
    watch: &'a mut dyn FnMut(&str),
}

impl Lines<'_> {
    fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.line.len() >= LONGEST_LINE {
                self.end();
            }
        }
    }

    fn end(&mut self) {
        if !self.line.is_empty() {
            (self.watch)(String::from_utf8_lossy(&self.line).trim_end());
            self.line.clear();
        }
    }
}
