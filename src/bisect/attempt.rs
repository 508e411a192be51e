//! Runs the command of a bisect, and judges how it ended as git bisect does.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::line::Answer;
use crate::error::{Error, Kind, Result};
use crate::log::running;

/// The exit code by which a command says that a version cannot be tested.
const SKIP: i32 = 125;
/// The first exit code that ends the bisect: shells add the number of a signal to 128.
const ABORT: i32 = 128;
/// The pauses between two looks at a command: the first ones are short, for commands that end at once.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(100)];
/// The time for which pauses are short.
const EAGER: Duration = Duration::from_secs(1);

/// A command that is to be run.
pub struct Attempt<'a> {
    /// The command with its arguments.
    pub command: &'a [String],
    /// Its environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// The file that gets its output.
    pub output: &'a Path,
    /// The time after which it is killed, with all that it started.
    pub limit: Option<Duration>,
}

/// The end of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// By the time limit, in seconds.
    Late(u64),
}

/// Fails if the command of a bisect is missing.
pub fn demand_command(command: &[String]) -> Result<()> {
    if command.first().is_some_and(|program| !program.is_empty()) {
        return Ok(());
    }
    Err(Error::new(Kind::Usage, "a command is missing").hint("such as `strixlock bisect rocm run ./test.sh`"))
}

impl Ended {
    /// Returns the answer; `None` if the command ended in a way that is no answer.
    #[must_use]
    pub fn answer(self) -> Option<Answer> {
        match self {
            Self::Code(0) => Some(Answer::Good),
            Self::Code(SKIP) => Some(Answer::Skip),
            Self::Code(1..ABORT) | Self::Late(_) => Some(Answer::Bad),
            Self::Code(_) | Self::Signal(_) => None,
        }
    }

    /// Returns the end in words.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Code(code) => format!("exit code {code}"),
            Self::Signal(signal) => format!("ended by signal {signal}"),
            Self::Late(seconds) => format!("stopped after {seconds} s, which counts as bad"),
        }
    }
}

impl Attempt<'_> {
    /// Runs the command. Its output is appended to the file.
    pub fn run(&self) -> Result<Ended> {
        let (Some(program), arguments) = (self.command.first(), self.command.get(1..).unwrap_or_default()) else {
            return Err(Error::new(Kind::Usage, "a command is missing"));
        };
        let log = fs_err::OpenOptions::new().create(true).append(true).open(self.output)?.into_parts().0;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(&self.environment);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = running(&mut command).spawn().map_err(|error| {
            Error::new(Kind::NotFound, "the command cannot be started")
                .fact("command", crate::text::command_line(self.command))
                .because(&error)
                .hint("a command that is no program, such as `! x`, runs as `sh -c '! x'`")
        })?;
        self.wait(child)
    }

    fn wait(&self, mut child: Child) -> Result<Ended> {
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(ended(status));
            }
            if let Some(limit) = self.limit.filter(|limit| begun.elapsed() >= *limit) {
                kill_with_children(child.id());
                child.wait()?;
                return Ok(Ended::Late(limit.as_secs()));
            }
            std::thread::sleep(PAUSES[usize::from(begun.elapsed() > EAGER)]);
        }
    }
}

fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    }
}

/// Kills a process and all that it started: it shares our process group, so that Ctrl-C reaches both.
fn kill_with_children(first: u32) {
    // A process is stopped before its children are looked for, so that it starts no more.
    let mut todo = vec![first];
    let mut all = Vec::new();
    while let Some(next) = todo.pop() {
        let Some(pid) = i32::try_from(next).ok().and_then(Pid::from_raw) else { continue };
        let _ = kill_process(pid, Signal::STOP);
        all.push(pid);
        todo.extend(children(next));
    }
    for pid in all {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Returns the children of a process.
fn children(of: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| fields(*pid).is_some_and(|(_, parent)| parent == of)).collect()
}

/// Returns the state and the parent of a process. The name before them may have any characters.
fn fields(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut words = stat.rsplit_once(')')?.1.split_whitespace();
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, limit: Option<Duration>) -> (Ended, String) {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("output");
        let command = ["sh", "-c", script].map(str::to_owned);
        let path = std::env::var_os("PATH").unwrap();
        let environment = BTreeMap::from([("PATH".into(), path)]);
        let ended = Attempt { command: &command, environment, output: &output, limit }.run().unwrap();
        (ended, fs_err::read_to_string(output).unwrap())
    }

    #[test]
    fn exit_codes_mean_what_they_mean_for_git_bisect() {
        for (code, answer) in [
            (0, Some(Answer::Good)),
            (1, Some(Answer::Bad)),
            (124, Some(Answer::Bad)),
            (125, Some(Answer::Skip)),
            (126, Some(Answer::Bad)),
            (127, Some(Answer::Bad)),
            (128, None),
            (139, None),
            (255, None),
        ] {
            assert_eq!(Ended::Code(code).answer(), answer, "{code}");
        }
        assert_eq!(Ended::Signal(11).answer(), None);
        assert_eq!(Ended::Late(3).answer(), Some(Answer::Bad));
        assert_eq!(run("echo out; echo err >&2; exit 3", None), (Ended::Code(3), "out\nerr\n".to_owned()));
        assert_eq!(run("kill -SEGV $$", None).0, Ended::Signal(11));
    }

    #[test]
    fn a_command_that_does_not_end_is_stopped_with_its_children() {
        let limit = Some(Duration::from_millis(300));
        let (ended, output) = run("sh -c 'echo $$; exec sleep 600' & wait", limit);
        assert_eq!(ended, Ended::Late(0));
        let child: u32 = output.trim().parse().unwrap();
        // A killed process may remain as a zombie until its new parent asks for it.
        let deadline = Instant::now() + Duration::from_secs(20);
        while fields(child).is_some_and(|(state, _)| !['X', 'Z'].contains(&state)) {
            assert!(Instant::now() < deadline, "{:?}", fields(child));
            std::thread::sleep(PAUSES[0]);
        }
    }

    #[test]
    fn a_command_that_is_missing_is_told() {
        let command = ["no-such-program-here".to_owned()];
        let output = tempfile::NamedTempFile::new().unwrap();
        let attempt = Attempt { command: &command, environment: BTreeMap::new(), output: output.path(), limit: None };
        let error = attempt.run().unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::NotFound, "the command cannot be started"));
        assert!(demand_command(&[]).is_err() && demand_command(&[String::new()]).is_err());
    }
}
