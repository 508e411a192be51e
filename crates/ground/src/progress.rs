//! Progress reporting: the library emits events, the command line draws them.

/// A receiver of progress reports.
pub trait Progress: Send + Sync {
    /// Reports that a task begins. `total` is in `unit`s; `None` if it is not known yet.
    fn begin(&self, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task>;
    /// Reports a message that deserves a line of its own, such as a warning or a retry.
    fn note(&self, text: &str);
}

/// The unit that a task counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Steps of a build.
    Steps,
}

/// One task in progress. Dropping it ends the task and removes it from the screen.
pub trait Task: Send + Sync {
    /// Reports the total, once it is known.
    fn set_total(&self, total: u64);
    /// Reports how much is done so far.
    fn set_position(&self, position: u64);
}

/// A receiver that ignores all reports.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _label: &str, _total: Option<u64>, _unit: Unit) -> Box<dyn Task> {
        Box::new(Self)
    }

    fn note(&self, _text: &str) {}
}

impl Task for Silent {
    fn set_total(&self, _total: u64) {}
    fn set_position(&self, _position: u64) {}
}
