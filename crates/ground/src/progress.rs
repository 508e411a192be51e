//! Progress reporting: the library reports tasks as they happen, the command line shows them.

use std::time::Duration;

/// A receiver of progress reports.
pub trait Progress: Send + Sync {
    /// Reports that a task begins. `total` is in `unit`s; `None` if it is not known yet.
    fn begin(&self, doing: Doing, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task>;
    /// Reports a message that deserves a line of its own, such as a warning.
    fn note(&self, text: &str);
    /// Leaves the terminal to another program, which may ask the user something, until the result is dropped.
    fn leave_terminal(&self) -> Box<dyn Send> {
        Box::new(())
    }
}

/// The kind of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Waits for the answer of a server.
    Ask,
    /// Downloads.
    Fetch,
    /// Reads files of this machine.
    Read,
    /// Unpacks an archive, or the cold copy of a tree.
    Unpack,
    /// Runs a recipe.
    Build,
    /// Compares files with their digests.
    Verify,
    /// Packs files into an archive, or trees for the cold store.
    Pack,
    /// Runs outputs with a model.
    Validate,
    /// Measures the speed of outputs.
    Measure,
    /// Sends to a remote.
    Send,
    /// Answers a client.
    Serve,
}

impl Doing {
    /// Returns the word for a task that is going on.
    #[must_use]
    pub fn now(self) -> &'static str {
        match self {
            Self::Ask => "asking",
            Self::Fetch => "fetching",
            Self::Read => "reading",
            Self::Unpack => "unpacking",
            Self::Build => "building",
            Self::Verify => "verifying",
            Self::Pack => "packing",
            Self::Validate => "validating",
            Self::Measure => "measuring",
            Self::Send => "sending",
            Self::Serve => "serving",
        }
    }

    /// Returns the word for a task that is done.
    #[must_use]
    pub fn done(self) -> &'static str {
        match self {
            Self::Ask => "asked",
            Self::Fetch => "fetched",
            Self::Read => "read",
            Self::Unpack => "unpacked",
            Self::Build => "built",
            Self::Verify => "verified",
            Self::Pack => "packed",
            Self::Validate => "validated",
            Self::Measure => "measured",
            Self::Send => "sent",
            Self::Serve => "served",
        }
    }
}

/// The unit that a task counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Steps of a build.
    Steps,
}

/// A pause before another attempt.
#[derive(Debug, Clone, Copy)]
pub struct Retry<'a> {
    /// Number of the attempt that follows, from 1.
    pub number: u32,
    /// Greatest number of further attempts.
    pub of: u32,
    /// Length of the pause.
    pub wait: Duration,
    /// The reason why the last attempt failed.
    pub why: &'a str,
}

/// One task in progress. Dropping it ends the task and removes it from the screen.
pub trait Task: Send + Sync {
    /// Reports the total, once it is known.
    fn set_total(&self, _total: u64) {}
    /// Reports how much is done so far.
    fn set_position(&self, _position: u64) {}
    /// Reports that `count` more of the position come from an earlier run, and say nothing about speed.
    fn skip(&self, _count: u64) {}
    /// Reports that the next part of the task begins.
    fn phase(&self, _name: &str) {}
    /// Reports the object of the work at this moment, such as a file.
    fn detail(&self, _text: &str) {}
    /// Reports a pause before another attempt. The next position ends it.
    fn retry(&self, _retry: Retry) {}
    /// Reports after which time without an answer an attempt is given up.
    fn patience(&self, _time: Duration) {}
    /// Reports how long the whole task took the last time.
    fn expect(&self, _time: Duration) {}
    /// Reports that the task succeeded. `amount` says how much was done, if the position does not.
    fn done(&self, _amount: Option<&str>) {}
}

/// A receiver that ignores all reports.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _doing: Doing, _label: &str, _total: Option<u64>, _unit: Unit) -> Box<dyn Task> {
        Box::new(Self)
    }

    fn note(&self, _text: &str) {}
}

impl Task for Silent {}
