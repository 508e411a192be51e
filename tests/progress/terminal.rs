//! A terminal in which a command runs, as wide as a test wants it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Longest time without output before a test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// Number of rows, enough for all output of a test.
const ROWS: u16 = 200;

/// A running command and its terminal.
pub struct Terminal {
    own: File,
    columns: u16,
    child: Child,
    seen: Vec<u8>,
}

/// The end of a command, and everything that it wrote.
pub struct Ended {
    pub status: ExitStatus,
    columns: u16,
    pub raw: String,
}

impl Terminal {
    /// Runs a command, whose own session has a terminal with this number of columns.
    pub fn run(command: &Command, columns: u16) -> Self {
        let own = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&own).unwrap();
        unlockpt(&own).unwrap();
        let name = ptsname(&own, Vec::new()).unwrap().into_string().unwrap();
        let open = || OwnedFd::from(File::options().read(true).write(true).open(&name).unwrap());
        tcsetwinsize(&own, Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        // Its session gets the terminal, so that Ctrl-C is a signal.
        let mut session = Command::new("setsid");
        // Tests that run behind `&` or `nohup` ignore signals, and their children would too.
        session.args(["--ctty", "env", "--default-signal=INT,HUP"]).arg(command.get_program()).args(command.get_args());
        session.env_clear().env("TERM", "xterm-256color").current_dir(command.get_current_dir().unwrap());
        session.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        session.stdin(Stdio::from(open())).stdout(Stdio::from(open())).stderr(Stdio::from(open()));
        let child = session.spawn().unwrap();
        // A terminal that does not know its width is taken to be a usual one.
        Self { own: own.into(), columns: if columns == 0 { 80 } else { columns }, child, seen: Vec::new() }
    }

    /// Waits until this text, without styles, was written.
    #[track_caller]
    pub fn until(&mut self, text: &str) {
        while !plain(&self.seen).contains(text) {
            assert!(self.read(), "`{text}` did not come: {}", plain(&self.seen));
        }
    }

    /// Types something.
    pub fn type_in(&mut self, keys: &[u8]) {
        self.own.write_all(keys).unwrap();
    }

    /// Waits for the end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        while self.read() {}
        let raw = String::from_utf8_lossy(&self.seen).into_owned();
        Ended { status: self.child.wait().unwrap(), columns: self.columns, raw }
    }

    /// Reads what is there, or waits for something. Returns false at the end.
    #[track_caller]
    fn read(&mut self) -> bool {
        let wait = Timespec::try_from(PATIENCE).unwrap();
        let ready = poll(&mut [PollFd::new(&self.own, PollFlags::IN)], Some(&wait)).unwrap();
        assert!(ready > 0, "nothing was written for too long: {}", plain(&self.seen));
        let mut piece = [0; 4096];
        // Linux reports an error once the last process has closed the terminal.
        let count = self.own.read(&mut piece).unwrap_or(0);
        self.seen.extend_from_slice(&piece[..count]);
        count > 0
    }
}

impl Ended {
    /// Returns the text without styles.
    pub fn text(&self) -> String {
        plain(self.raw.as_bytes())
    }

    /// Fails the test unless the exit code is this one.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}", self.text());
        self
    }

    /// Fails the test unless this signal ended the command.
    #[track_caller]
    pub fn signal(self, signal: i32) -> Self {
        assert_eq!(self.status.signal(), Some(signal), "{}", self.text());
        self
    }

    /// Returns the lines that the screen shows at the end.
    pub fn screen(&self) -> Vec<String> {
        let mut screen = vt100::Parser::new(ROWS, self.columns, 0);
        screen.process(self.raw.as_bytes());
        let lines = screen.screen().rows(0, self.columns);
        lines.map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
    }
}

fn plain(bytes: &[u8]) -> String {
    anstream::adapter::strip_str(&String::from_utf8_lossy(bytes)).to_string()
}
