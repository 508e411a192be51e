//! Output for the user: results on stdout, everything else on stderr.

use std::io::Write;
use std::sync::Arc;

use serde_json::Value;

use super::palette::painted;
use super::progress::{Notes, Running, fitting, give_way};
use super::session::GlobalArgs;
use super::table::{self, Table};
use crate::error::Error;
use crate::progress::{Progress, Silent};

pub use super::palette::{DIM, ERROR, GOOD, WARNING};

/// Schema version of every `--json` document.
pub const SCHEMA: u64 = 1;

/// Output in the form that the options ask for.
pub struct Ui {
    json: bool,
    quiet: bool,
    unwritten: std::sync::atomic::AtomicBool,
    running: Arc<Running>,
    /// Display of progress.
    pub progress: Arc<dyn Progress>,
}

impl Ui {
    pub(super) fn new(global: &GlobalArgs) -> Self {
        global.color.choose();
        let running = Arc::default();
        let progress: Arc<dyn Progress> = match (global.quiet, global.no_progress) {
            (true, _) => Arc::new(Silent),
            (false, true) => Arc::new(Notes),
            (false, false) => fitting(&running),
        };
        Self { json: global.json, quiet: global.quiet, unwritten: false.into(), running, progress }
    }

    /// Returns true if results are to be printed as JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Returns true if only results are to be printed.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Prints a line of the result.
    pub fn line(&self, text: impl AsRef<str>) {
        self.written(writeln!(anstream::stdout(), "{}", text.as_ref()));
    }

    /// Records that a result could not be written. A closed pipe is no failure: its reader has seen enough.
    fn written(&self, result: std::io::Result<()>) {
        if let Err(error) = result
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            self.unwritten.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Fails if some of the result could not be written.
    pub(super) fn finish(&self) -> crate::error::Result<()> {
        self.written(std::io::stdout().flush());
        if self.unwritten.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Error::failure("cannot write the result to standard output"));
        }
        Ok(())
    }

    /// Prints a table of the result.
    pub(super) fn table(&self, table: &Table) {
        for line in table.lines(table::stdout_width()) {
            self.line(line);
        }
    }

    /// Prints the result as JSON, with the schema version.
    pub fn json(&self, value: Value) {
        self.written(write_json(value));
    }

    /// Returns a writer of lines to standard error, above the progress bars, even with --quiet.
    pub(super) fn screen(&self) -> Arc<dyn Progress> {
        if self.quiet { Arc::new(Notes) } else { Arc::clone(&self.progress) }
    }

    /// Prints the result as JSON, or calls `plain` to print it.
    pub fn result(&self, json: Value, plain: impl FnOnce()) {
        if self.json { self.json(json) } else { plain() }
    }

    /// Prints a warning.
    pub fn warning(&self, text: &str) {
        self.progress.note(&format!("warning: {text}"));
    }

    /// Prints a note about the work, which is hidden with --quiet.
    pub fn note(&self, text: &str) {
        self.progress.note(text);
    }

    /// Prints the sums of all downloads and builds of this command, if there were several.
    pub fn total(&self) {
        if let Some(total) = self.running.total() {
            self.progress.note(&total);
        }
    }

    pub(super) fn error(&self, error: &Error) {
        give_way();
        if self.json {
            self.json(serde_json::json!({ "error": error.to_json() }));
        }
        std::iter::once(error).chain(error.others()).for_each(print_error);
    }
}

/// Prints an error for a person.
pub(super) fn print_error(error: &Error) {
    let _ = writeln!(anstream::stderr(), "{}", painted(&format!("error: {error}")));
}

fn write_json(mut value: Value) -> std::io::Result<()> {
    if let Some(map) = value.as_object_mut() {
        map.insert("schema".to_owned(), SCHEMA.into());
    }
    writeln!(anstream::stdout(), "{value:#}")
}

/// Prints a document before the options are known. Ignores failures, as for a closed pipe.
pub(super) fn print_json(value: Value) {
    let _ = write_json(value);
}
