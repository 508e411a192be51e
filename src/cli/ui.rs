//! What a person sees: results on stdout, everything else on stderr.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::progress::{Bars, Lines};
use super::session::GlobalArgs;
use crate::error::Error;
use crate::progress::{Progress, Silent};

/// The version of every `--json` document.
const SCHEMA: u64 = 1;

/// How to talk.
pub struct Ui {
    json: bool,
    quiet: bool,
    unwritten: std::sync::atomic::AtomicBool,
    /// Who draws progress.
    pub progress: Arc<dyn Progress>,
}

/// `error:`
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// `warning:`
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Headings and marks.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What is less important.
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

    /// Whether results are wanted as JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// A line of the result.
    pub fn line(&self, text: impl AsRef<str>) {
        self.written(writeln!(anstream::stdout(), "{}", text.as_ref()));
    }

    /// Remembers that a result could not be written. A reader that closed the pipe has seen enough.
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
            return Err(Error::failure("the result could not be written to standard output"));
        }
        Ok(())
    }

    /// Rows of the result, in columns that line up.
    pub fn table(&self, rows: &[Vec<String>]) {
        for line in table(rows) {
            self.line(line);
        }
    }

    /// The result as JSON, with the schema's version.
    pub fn json(&self, value: Value) {
        self.written(write_json(value));
    }

    /// Returns what writes lines to standard error, between the bars, also where nothing else is shown.
    pub(super) fn screen(&self) -> Arc<dyn Progress> {
        if self.quiet { Arc::new(Lines) } else { Arc::clone(&self.progress) }
    }

    /// Prints the result: as JSON, or as `plain` prints it.
    pub fn result(&self, json: Value, plain: impl FnOnce()) {
        if self.json { self.json(json) } else { plain() }
    }

    /// Something worth knowing that is no result.
    pub fn warning(&self, text: &str) {
        self.progress.note(&format!("{WARNING}warning{WARNING:#}: {text}"));
    }

    /// What is being done, for people only.
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

/// Prints a document before it is known how to talk: its reader has seen enough where that fails.
pub(super) fn print_json(value: Value) {
    let _ = write_json(value);
}

/// Rows as columns that line up; the last column is not padded.
#[must_use]
pub fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| format!("{cell:<width$}", width = widths[column]));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
