//! The terminal that lines of tasks are drawn on.
//!
//! indicatif fills each line to its end, where the `^C` of a terminal would begin a new line, and what is cleared then
//! would be one line too low. So the cursor always rests at the beginning of the last line.

use std::io::{self, Write as _};
use std::sync::Mutex;

use indicatif::TermLike;
use rustix::termios::{Winsize, tcgetwinsize};

use crate::threads::lock;

/// Columns and rows of a terminal that does not tell its own.
const USUAL: (u16, u16) = (80, 24);

/// Standard error, as a terminal. Each drawing is one write.
#[derive(Debug, Default)]
pub(super) struct Screen {
    drawing: Mutex<String>,
}

/// Returns the number of columns and rows.
fn size() -> (u16, u16) {
    let known = tcgetwinsize(io::stderr()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    known.map_or(USUAL, |Winsize { ws_col, ws_row, .. }| (ws_col, ws_row))
}

/// Returns the number of columns that a line may have. The last one is left free: some terminals wrap behind it.
pub(super) fn width() -> usize {
    usize::from(size().0).saturating_sub(1)
}

impl Screen {
    #[expect(clippy::unnecessary_wraps, reason = "the trait's methods may fail")]
    fn add(&self, text: &str) -> io::Result<()> {
        lock(&self.drawing).push_str(text);
        Ok(())
    }

    fn go(&self, count: usize, direction: char) -> io::Result<()> {
        if count == 0 { Ok(()) } else { self.add(&format!("\x1b[{count}{direction}")) }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        size().0
    }

    fn height(&self) -> u16 {
        size().1
    }

    fn move_cursor_up(&self, count: usize) -> io::Result<()> {
        self.go(count, 'A')
    }

    fn move_cursor_down(&self, count: usize) -> io::Result<()> {
        self.go(count, 'B')
    }

    fn move_cursor_right(&self, count: usize) -> io::Result<()> {
        self.go(count, 'C')
    }

    fn move_cursor_left(&self, count: usize) -> io::Result<()> {
        self.go(count, 'D')
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.add(line)?;
        self.add("\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let mut drawing = std::mem::take(&mut *lock(&self.drawing));
        drawing.push('\r');
        io::stderr().write_all(drawing.as_bytes())
    }
}
