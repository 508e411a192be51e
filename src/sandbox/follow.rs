//! Follows a running command: writes its output to the log, passes each line to a watcher, and enforces limits on
//! silence and on the size of the output.

use std::io::{self, PipeReader, Read as _, Write};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::text;

/// Interval at which a silent command is checked.
const TICK: Duration = Duration::from_millis(200);
/// Time that the output may stay open after the command has ended.
const GRACE: Duration = Duration::from_secs(5);
/// Greatest length of a line, in bytes. Longer ones, as of a tool that never ends a line, are passed on in pieces.
const LONGEST_LINE: usize = 64 * 1024;

/// Limits for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest time without output.
    pub silence: Duration,
    /// Greatest size of the output, in bytes.
    pub log: u64,
}

impl Default for Limits {
    /// Returns generous limits: one HIP template takes minutes, and the log of llama.cpp has less than a megabyte.
    fn default() -> Self {
        Self { silence: Duration::from_secs(3600), log: 256 << 20 }
    }
}

/// The reason why following a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The command and all of its processes ended.
    Itself,
    /// There was no output for too long.
    Silent,
    /// There was too much output.
    TooMuch,
    /// The command ended, but a process that it started did not.
    LeftBehind,
}

impl End {
    /// Returns the error for a build that ended so, if that is not a normal end.
    pub(super) fn error(self, limits: &Limits) -> Option<Error> {
        let (message, hint) = match self {
            Self::Itself => return None,
            Self::Silent => (
                format!("the build printed nothing for {} seconds and was stopped", limits.silence.as_secs()),
                "if it was still working, raise `silence-seconds` in the configuration",
            ),
            Self::TooMuch => (
                format!("the build printed more than {} and was stopped", text::bytes(limits.log)),
                "if that is expected, raise `log-bytes` in the configuration",
            ),
            Self::LeftBehind => (
                "a command of the build left a process running, which was stopped".to_owned(),
                "a build must stop every server that it starts",
            ),
        };
        Some(Error::failure(message).hint(hint))
    }
}

/// Reads the output of a command until its last process has ended, or a limit is exceeded. In the latter case it still
/// runs.
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

/// Waits until killed processes have ended and closed their end of the pipe.
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

/// Waits at most a [`TICK`]. Returns whether there is something to read, or the end of the output.
fn readable(output: &PipeReader) -> Result<bool> {
    let wait = Timespec::try_from(TICK).ok();
    match poll(&mut [PollFd::new(output, PollFlags::IN)], wait.as_ref()) {
        Ok(count) => Ok(count > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

/// Assembler of lines from pieces of output.
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
