//! Places that the log is written to.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use tracing_subscriber::fmt::MakeWriter;

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::text::visible;

/// A place that the log is written to, an event at a time.
pub(super) enum Output {
    /// Standard error, between the bars.
    Screen(Arc<dyn Progress>),
    /// The end of a file.
    File(File),
}

impl Output {
    /// Opens a file to add to.
    pub fn file(path: &Path) -> Result<Self> {
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
        opened
            .map(Self::File)
            .map_err(|error| Error::failure("cannot write the log").fact("file", path.display()).because(&error))
    }
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Output {
    /// Takes one event, with words of strangers in it.
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = visible(text.trim_end());
        match self {
            Output::Screen(screen) => screen.note(&line),
            // In one piece, since others may write to it too.
            Output::File(file) => {
                let mut end: &File = file;
                end.write_all(format!("{line}\n").as_bytes())?;
            }
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
