//! The lines that the commands of a build print: progress, unused variables, and the last lines for an error.

use std::collections::VecDeque;
use std::process::ExitStatus;

use super::configured::Unused;
use crate::error::Error;
use crate::progress::Task;
use crate::text::visible;

/// Number of lines of the log that an error shows.
const LAST_LINES: usize = 30;
/// Words of a command by which it is named.
const WORDS: usize = 3;
/// The words by which a failed command of a build is known.
const FAILED: &str = " failed in the build";
/// The words by which a compiler is known that the kernel killed.
const KILLED: &str = "a compiler was killed";

/// The lines of a command, as they come.
pub(super) struct Said<'t> {
    task: &'t dyn Task,
    /// CMake's words about unused variables.
    pub unused: Unused,
    last: VecDeque<String>,
}

impl<'t> Said<'t> {
    /// Nothing so far.
    pub fn new(task: &'t dyn Task) -> Self {
        Self { task, unused: Unused::default(), last: VecDeque::new() }
    }

    /// Reads one line.
    pub fn line(&mut self, line: &str) {
        if let Some(step) = NinjaStep::of(line) {
            self.task.set_total(step.total);
            self.task.set_position(step.done);
            self.task.detail(&visible(step.file));
        }
        self.unused.see(line);
        self.last.push_back(visible(line));
        if self.last.len() > LAST_LINES {
            self.last.pop_front();
        }
    }

    /// Returns the last line.
    pub fn last_line(&self) -> &str {
        self.last.back().map_or("", String::as_str)
    }

    /// Returns the error for a command that failed.
    pub fn failure(self, command: &str, status: ExitStatus) -> Error {
        Error::failure(failure(command, status, &self.last)).excerpt(Vec::from(self.last).join("\n"))
    }
}

/// Returns true for the error of a command of a build that failed by itself: the fault is in the source, unless memory
/// ran out.
#[must_use]
pub fn is_build_failure(error: &Error) -> bool {
    error.message().contains(FAILED) && !error.message().contains(KILLED)
}

/// Describes a failed command. The only sign of a compiler that the kernel killed is a word in the last lines of its
/// driver.
fn failure(command: &str, status: ExitStatus, last: &VecDeque<String>) -> String {
    let name = command.split(' ').take(WORDS).collect::<Vec<_>>().join(" ");
    let killed = |line: &String| line.contains("Killed") || line.contains("signal 9") || line.contains("SIGKILL");
    if last.iter().any(killed) {
        return format!("`{name}`{FAILED} ({status}): {KILLED}, probably because memory ran out; try a smaller --jobs");
    }
    format!("`{name}`{FAILED} ({status})")
}

/// A line of Ninja, such as `[12/304] Building CXX object src/a.cpp.o`.
struct NinjaStep<'a> {
    /// Number of steps so far.
    done: u64,
    /// Number of all steps.
    total: u64,
    /// The file that the step is about.
    file: &'a str,
}

impl<'a> NinjaStep<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let (count, rest) = line.strip_prefix('[')?.split_once(']')?;
        let (done, total) = count.split_once('/')?;
        let file = rest.rsplit(' ').next().unwrap_or_default();
        let file = file.rsplit('/').next().unwrap_or_default().trim_end_matches(".o");
        Some(Self { done: done.trim().parse().ok()?, total: total.trim().parse().ok()?, file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninja_tells_how_far_it_is() {
        let step = |line| NinjaStep::of(line).map(|step| (step.done, step.total, step.file));
        let line = "[ 12/304] Building HIP object ggml/CMakeFiles/ggml-hip.dir/__/fattn.cu.o";
        assert_eq!(step(line), Some((12, 304, "fattn.cu")));
        assert_eq!(step("[304/304]"), Some((304, 304, "")));
        assert_eq!(step("-- Configuring done [1]"), None);
    }

    #[test]
    fn a_compiler_that_the_kernel_killed_is_told_as_such() {
        let said = |last: &str| {
            let status = std::os::unix::process::ExitStatusExt::from_raw(256);
            failure("cmake", status, &VecDeque::from([last.to_owned()]))
        };
        assert!(said("c++: fatal error: Killed signal terminated program cc1plus").contains("because memory ran out"));
        assert!(!said("error: no such header").contains("memory"));
    }
}
