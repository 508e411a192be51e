//! Output for the user: results on stdout, everything else on stderr.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::progress::{Bars, Lines};
use super::session::GlobalArgs;
use super::table::{self, Table};
use crate::error::Error;
use crate::progress::{Progress, Silent};

/// Schema version of every `--json` document.
const SCHEMA: u64 = 1;

/// Output in the form that the options ask for.
pub struct Ui {
    json: bool,
    quiet: bool,
    unwritten: std::sync::atomic::AtomicBool,
    /// Display of progress.
    pub progress: Arc<dyn Progress>,
}

/// Style of `error:`.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Style of `warning:`.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Style of headings and marks.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Style of less important text.
pub const DIM: Style = Style::new().dimmed();

impl Ui {
    pub(super) fn new(global: &GlobalArgs) -> Self {
        let progress: Arc<dyn Progress> = if global.quiet {
            Arc::new(Silent)
        } else if std::io::stderr().is_terminal() {
            Arc::new(Bars::default())
        } else {
            Arc::new(Lines)
        };
        Self { json: global.json, quiet: global.quiet, unwritten: false.into(), progress }
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
        if self.quiet { Arc::new(Lines) } else { Arc::clone(&self.progress) }
    }

    /// Prints the result as JSON, or calls `plain` to print it.
    pub fn result(&self, json: Value, plain: impl FnOnce()) {
        if self.json { self.json(json) } else { plain() }
    }

    /// Prints a warning.
    pub fn warning(&self, text: &str) {
        self.progress.note(&format!("{WARNING}warning{WARNING:#}: {text}"));
    }

    /// Prints a note about the work, which is hidden with --quiet.
    pub fn note(&self, text: &str) {
        self.progress.note(text);
    }

    pub(super) fn error(&self, error: &Error) {
        if self.json {
            self.json(serde_json::json!({ "error": error.to_json() }));
        }
        let _ = writeln!(anstream::stderr(), "{ERROR}error{ERROR:#}: {error}");
    }
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
