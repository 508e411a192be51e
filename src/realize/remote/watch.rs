//! Follows a remote build: writes its output to the log, and reports progress from its lines.

use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use strixlock_reapi::{Outcome, Stage, Watch};

use super::super::configured::Unused;
use super::super::said::Said;
use super::script::UNFIT;
use crate::error::{Error, Kind, Result};
use crate::progress::{Progress, Task};
use crate::text::{bytes, visible};

/// Greatest length of a line, in bytes. Longer ones are passed on in pieces.
const LONGEST_LINE: usize = 64 * 1024;

/// A remote build that is followed.
pub(super) struct Watcher<'w> {
    log: &'w mut fs_err::File,
    task: &'w dyn Task,
    progress: &'w dyn Progress,
    said: Said<'w>,
    /// The name of what the worker does.
    phase: &'static str,
    /// The beginning of a line.
    line: Vec<u8>,
    /// The command that runs, as the script tells it.
    command: String,
    /// Bytes that the log may still take.
    left: u64,
}

/// The note for a job that no worker takes.
pub(super) const WAITING: &str = "still waiting for a worker: all are busy, or none has the properties that \
                                  `builder-platform` in the configuration asks for";

impl<'w> Watcher<'w> {
    pub fn new(
        log: &'w mut fs_err::File,
        task: &'w dyn Task,
        progress: &'w dyn Progress,
        phase: &'static str,
        left: u64,
    ) -> Self {
        let (line, command) = (Vec::new(), String::new());
        Self { log, task, progress, said: Said::new(task), phase, line, command, left }
    }

    /// Returns what CMake said of unused variables. Fails if the command did.
    pub fn finish(mut self, outcome: &Outcome, service: &str) -> Result<Unused> {
        self.end_line();
        if outcome.exit_code == 0 {
            return Ok(self.said.unused);
        }
        let error = if outcome.exit_code == UNFIT && self.command.is_empty() {
            Error::new(Kind::Unfit, "a worker of the remote builder cannot show the build its files at their paths")
                .fact("it says", self.said.last_line())
                .hint(
                    "builds need the root of the file system: workers with buildbox-run-bubblewrap, Buildbarn's \
                     `chrootIntoInputRoot`, or bubblewrap on the worker",
                )
        } else {
            // The exit code of a process that a signal ended is that of its shell.
            let status = ExitStatus::from_raw((outcome.exit_code & 0xff) << 8);
            let command = if self.command.is_empty() { "the remote build".to_owned() } else { self.command };
            self.said.failure(&command, status)
        };
        let error = error.fact("builder", service);
        Err(if outcome.worker.is_empty() { error } else { error.fact("worker", &outcome.worker) })
    }

    fn end_line(&mut self) {
        if self.line.is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(&self.line).trim_end().to_owned();
        self.line.clear();
        if let Some(command) = line.strip_prefix("$ ") {
            command.clone_into(&mut self.command);
        }
        self.said.line(&line);
    }
}

impl Watch for Watcher<'_> {
    fn stage(&mut self, stage: &Stage) {
        match stage {
            Stage::Upload => self.task.phase("upload"),
            Stage::Queued => self.task.phase("wait for a worker"),
            Stage::Waiting => self.progress.note(WAITING),
            Stage::Running => self.task.phase(self.phase),
            Stage::Again(why) => self.progress.note(&format!("the remote build failed and begins again: {why}")),
        }
    }

    fn uploaded(&mut self, sent: u64, total: u64) {
        if total > 0 {
            self.task.detail(&format!("{} of {}", bytes(sent), bytes(total)));
        }
    }

    fn output(&mut self, said: &[u8]) -> io::Result<()> {
        self.left = self
            .left
            .checked_sub(said.len() as u64)
            .ok_or_else(|| io::Error::other("it is larger than `log-bytes` in the configuration allows"))?;
        self.log.write_all(said)?;
        for piece in said.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.line.len() >= LONGEST_LINE {
                self.end_line();
            }
        }
        Ok(())
    }
}

/// Returns the first line of a tool's `--version`.
pub(super) fn first_line(text: &[u8]) -> String {
    visible(String::from_utf8_lossy(text).lines().next().unwrap_or_default())
}
