//! How long work is told to whoever watches. The library only reports; drawing is the command line's job.

/// A watcher of long work.
pub trait Progress: Send + Sync {
    /// A piece of work begins. `total` is in `unit`s, where it is known.
    fn begin(&self, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task>;
    /// Something worth a line: a warning, a retry.
    fn note(&self, text: &str);
}

/// What a task counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Steps of a build.
    Steps,
}

/// One piece of long work. Dropping it takes it off the screen.
pub trait Task: Send + Sync {
    /// How much there is to do, once that is known.
    fn set_total(&self, total: u64);
    /// How much is done.
    fn set_position(&self, position: u64);
}

/// Watches nothing.
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
