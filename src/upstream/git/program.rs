//! A git server behind the input and output of a program: ssh, or git itself.
//!
//! The whole list of refs is read and checked before libgit2 gets it; everything after it is checked while it passes. A
//! program that is silent for too long is killed, with its process group unless it shares a terminal with the user.

use std::fmt;
use std::io::{self, IsTerminal as _, Read, Write};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::advertisement;
use super::ref_list::{Stop, read_list};
use super::session::{Session, refused};
use super::watch::Watch;
use crate::error::{Error, Result};
use crate::log::running;
use crate::text::{last_line, visible};

/// Time for a program to exit once the conversation is over.
const GRACE: Duration = Duration::from_secs(2);

/// Number of bytes that are kept of the end of stderr.
const END: usize = 8192;

/// Number of characters of a line that are shown.
const LONGEST_LINE: usize = 300;

/// A git server that is reached through a program.
pub(super) trait Server: Send + Sync + 'static {
    /// Returns the command to run.
    fn command(&self, session: &Session) -> Result<Command>;
    /// Returns the program's name.
    fn name(&self) -> &'static str;
    /// Describes a program that may ask the user something.
    fn may_ask(&self) -> Option<String> {
        None
    }
    /// Explains why the program ended too early.
    fn explain(&self, session: &Session, words: &LastWords) -> Error;
}

/// Facts about the end of a program.
pub(super) struct LastWords {
    /// The end of its stderr.
    pub said: String,
    /// Its exit status, if it ended.
    pub status: Option<ExitStatus>,
    /// The reason why it was killed, if it was.
    pub late: Option<Late>,
}

/// The reason why a program is killed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Late {
    /// It said nothing for this long.
    Silent(Duration),
    /// Its list of refs did not end in this time.
    Slow(Duration),
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(time) => write!(f, "was silent for {} s", time.as_secs()),
            Self::Slow(time) => write!(f, "did not list its refs within {} s", time.as_secs()),
        }
    }
}

impl LastWords {
    /// Adds the program's last line, else its status, to an error.
    pub fn add_to(&self, error: Error) -> Error {
        let line: String = last_line(self.said.as_bytes()).chars().take(LONGEST_LINE).collect();
        match (line.is_empty(), self.status) {
            (false, _) => error.fact("it said", line),
            (true, Some(status)) => error.fact("status", status),
            (true, None) => error,
        }
    }
}

/// Returns whether a program may prompt the user.
pub(super) fn at_terminal() -> bool {
    let forbidden = std::env::var("GIT_TERMINAL_PROMPT").is_ok_and(|value| value == "0" || value == "false");
    !forbidden && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// The transport of one repository through a program.
pub(super) struct Program {
    session: Arc<Session>,
    server: Arc<dyn Server>,
}

impl Program {
    pub fn new(session: Arc<Session>, server: impl Server) -> Self {
        Self { session, server: Arc::new(server) }
    }
}

impl SmartSubtransport for Program {
    fn action(&self, _: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        // libgit2 continues on the same stream after the refs.
        if service != Service::UploadPackLs {
            return Err(refused("pushing is not supported"));
        }
        let begun = Talk::begin(Arc::clone(&self.session), Arc::clone(&self.server));
        match begun {
            Ok(talk) => Ok(Box::new(talk)),
            Err(error) => Err(refused(&self.session.failed(error).to_string())),
        }
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// A conversation with a program.
struct Talk {
    session: Arc<Session>,
    server: Arc<dyn Server>,
    child: Child,
    /// True if the program leads a process group of its own.
    apart: bool,
    /// True if nothing more is expected from the program.
    over: bool,
    stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
    said: Arc<Mutex<Vec<u8>>>,
    listener: tokio::task::JoinHandle<()>,
    /// The part of the list of refs that libgit2 has not read yet.
    refs: Bytes,
    watch: Watch,
}

impl Talk {
    fn begin(session: Arc<Session>, server: Arc<dyn Server>) -> Result<Self> {
        let mut command = server.command(&session)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let apart = !at_terminal();
        if apart {
            command.process_group(0);
        }
        let title = server.may_ask().filter(|_| !apart);
        let _terminal = title.map(|title| session.exchange.leave_terminal(&title));
        running(command.as_std_mut());
        let started = session.exchange.start(&mut command);
        let mut child =
            started.map_err(|error| Error::failure(format!("{} cannot be started", server.name())).because(&error))?;
        let said = Arc::new(Mutex::new(Vec::new()));
        let tell = (!apart).then(|| (server.name(), Arc::clone(&session)));
        let listener = session.exchange.spawn(listen(child.stderr.take(), Arc::clone(&said), tell));
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        let (refs, watch) = (Bytes::new(), Watch::default());
        let mut talk = Self { session, server, child, apart, over: true, stdin, stdout, said, listener, refs, watch };
        let refs = talk.read_refs()?;
        advertisement::check(&refs)?;
        talk.session.reach(None);
        talk.over = false;
        talk.refs = refs.into();
        Ok(talk)
    }

    /// Reads packets up to the one that ends the list of refs. The first may take as long as a person who types a
    /// passphrase; from then on a slow server is waited for while it goes on.
    fn read_refs(&mut self) -> Result<Vec<u8>> {
        let (patience, window) = (self.session.exchange.patience(), self.session.exchange.window());
        let most = patience.saturating_mul(2);
        let Some(stdout) = &mut self.stdout else { return Err(self.ended(None)) };
        match self.session.exchange.within(most, read_list(stdout, patience, window)) {
            Some(Ok(read)) => read,
            Some(Err(Stop::Pipe)) => Err(self.ended(None)),
            Some(Err(Stop::Silent(time))) => Err(self.ended(Some(Late::Silent(time)))),
            None => Err(self.ended(Some(Late::Slow(most)))),
        }
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if !self.refs.is_empty() {
            let taken = self.refs.split_to(self.refs.len().min(buffer.len()));
            buffer[..taken.len()].copy_from_slice(&taken);
            return Ok(taken.len());
        }
        let window = self.session.exchange.window();
        let Some(stdout) = &mut self.stdout else { return Err(self.ended(None)) };
        match self.session.exchange.within(window, stdout.read(buffer)) {
            Some(Ok(0)) if self.watch.is_complete() => Ok(0),
            Some(Ok(0) | Err(_)) => Err(self.ended(None)),
            Some(Ok(taken)) => self.watch.feed(&buffer[..taken]).map(|()| taken),
            None => Err(self.ended(Some(Late::Silent(window)))),
        }
    }

    /// Ends the conversation and returns the error that says why.
    fn ended(&mut self, late: Option<Late>) -> Error {
        (self.stdin, self.stdout) = (None, None);
        let exchange = &self.session.exchange;
        let status = match late {
            Some(_) => None,
            None => exchange.within(GRACE, self.child.wait()).and_then(Result::ok),
        };
        if status.is_some() {
            let _ = exchange.within(GRACE, &mut self.listener);
        }
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let words = LastWords { said: String::from_utf8_lossy(&said).into_owned(), status, late };
        self.server.explain(&self.session, &words)
    }
}

impl Read for Talk {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next(buffer).map_err(|error| {
            self.over = true;
            self.session.failed(error)
        })
    }
}

impl Write for Talk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let window = self.session.exchange.window();
        if let Some(stdin) = &mut self.stdin
            && self.session.exchange.within(window, stdin.write_all(bytes)).is_none()
        {
            self.over = true;
            let error = self.ended(Some(Late::Silent(window)));
            return Err(self.session.failed(error));
        }
        // If the program has exited, the next read returns the reason.
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        (self.stdin, self.stdout) = (None, None);
        let exchange = &self.session.exchange;
        if self.over || exchange.within(GRACE, self.child.wait()).is_none() {
            // None if it has exited: another process may have its id by now.
            let id = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
            match id.filter(|_| self.apart) {
                Some(group) => _ = kill_process_group(group, Signal::KILL),
                None => _ = self.child.start_kill(),
            }
            let _ = exchange.within(GRACE, self.child.wait());
        }
        self.listener.abort();
    }
}

/// Reads stderr to its end and keeps its last bytes. With `tell`, also reports its lines as they arrive.
async fn listen(stderr: Option<ChildStderr>, said: Arc<Mutex<Vec<u8>>>, tell: Option<(&'static str, Arc<Session>)>) {
    let Some(mut stderr) = stderr else { return };
    let (mut piece, mut line) = ([0; 1024], Vec::new());
    while let Ok(count @ 1..) = stderr.read(&mut piece).await {
        if let Some((name, session)) = &tell {
            for byte in &piece[..count] {
                if *byte == b'\n' || line.len() >= END {
                    session.exchange.note(&format!("{name}: {}", visible(String::from_utf8_lossy(&line).trim())));
                    line.clear();
                } else {
                    line.push(*byte);
                }
            }
        }
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&piece[..count]);
        let more = said.len().saturating_sub(END);
        said.drain(..more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::fetch::{Fetcher, Settings};
    use crate::progress::Silent;

    /// A shell script that speaks for a git server.
    struct Script(&'static str);

    impl Server for Script {
        fn command(&self, _: &Session) -> Result<Command> {
            let mut command = Command::new("sh");
            command.args(["-c", self.0]);
            Ok(command)
        }

        fn name(&self) -> &'static str {
            "sh"
        }

        fn explain(&self, _: &Session, words: &LastWords) -> Error {
            let what = if words.late.is_some() { "it was silent" } else { "it ended" };
            words.add_to(Error::new(Kind::Unreachable, what))
        }
    }

    fn error_of(script: &'static str) -> String {
        let settings = Settings { window: Duration::from_millis(100), ..Settings::default() };
        let fetcher = Fetcher::new(settings, Arc::new(Silent)).unwrap();
        let session = Session::new(fetcher.exchange()).unwrap();
        match Talk::begin(Arc::clone(&session), Arc::new(Script(script))) {
            Err(error) => error.to_string(),
            Ok(mut talk) => loop {
                match talk.next(&mut [0; 100]) {
                    Ok(0) => return "a whole conversation".to_owned(),
                    Ok(_) => {}
                    Err(error) => return error.to_string(),
                }
            },
        }
    }

    #[test]
    fn a_silent_program_is_stopped_and_an_ended_one_explained() {
        for (script, expected) in [
            ("sleep 1000", "it was silent"),
            ("sleep 1000 & echo wrong >&2; exit 7", "it said  wrong"),
            ("exit 7", "status  exit status: 7"),
            ("printf 00; exec sleep 1000", "it was silent"),
            ("printf 0000; exec sleep 1000", "it was silent"),
            ("printf 0000; echo late >&2", "it said  late"),
            ("printf 000", "it ended"),
            ("echo Welcome to the host", "answer  Welcome to the host"),
            ("printf 0003", "no valid length"),
        ] {
            let error = error_of(script);
            assert!(error.contains(expected), "{script}: {error}");
        }
    }
}
