//! Destinations of the log.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use tracing_subscriber::fmt::MakeWriter;

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::text::visible;

/// Destination of the log, which gets one event at a time.
pub(super) enum Output {
    /// Standard error, above the progress bars.
    Screen(Arc<dyn Progress>),
    /// A file that is appended to.
    File(File),
}

impl Output {
    /// Opens a file to append to.
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
    /// Writes one event. Its text may come from outside, so control characters are replaced.
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = visible(text.trim_end());
        match self {
            Output::Screen(screen) => screen.note(&line),
            // One write per line, since other processes may append to the file too.
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
