//! Progress on stderr: bars on a terminal, plain lines anywhere else.

use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::{Progress, Task, Unit};
use crate::text;

/// Progress bars on a terminal.
pub struct Bars(MultiProgress);

impl Default for Bars {
    fn default() -> Self {
        Self(MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)))
    }
}

impl Progress for Bars {
    fn begin(&self, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task> {
        let known = template(unit);
        // Without a total, show a spinner.
        let shown = if total.is_none() { "{prefix:>12} {spinner} {elapsed}" } else { known };
        let bar =
            self.0.add(ProgressBar::new(total.unwrap_or(0)).with_style(style(shown)).with_prefix(label.to_owned()));
        bar.enable_steady_tick(Duration::from_millis(250));
        Box::new(Bar { drawn: bar, unit, total: total.is_some().into() })
    }

    fn note(&self, text: &str) {
        self.0.suspend(|| drop(writeln!(anstream::stderr(), "{text}")));
    }
}

fn template(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes => {
            "{prefix:>12} [{wide_bar}] {decimal_bytes:>9}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}"
        }
        Unit::Steps => "{prefix:>12} [{wide_bar}] {pos}/{len} {elapsed}",
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

struct Bar {
    drawn: ProgressBar,
    unit: Unit,
    /// True once the total is known.
    total: std::sync::atomic::AtomicBool,
}

impl Task for Bar {
    fn set_total(&self, total: u64) {
        if !self.total.swap(true, std::sync::atomic::Ordering::Relaxed) {
            self.drawn.set_style(style(template(self.unit)));
        }
        self.drawn.set_length(total);
    }

    fn set_position(&self, position: u64) {
        self.drawn.set_position(position);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.drawn.finish_and_clear();
    }
}

/// Plain lines for logs: for each task at most one every [`EVERY`].
pub struct Lines;

const EVERY: Duration = Duration::from_secs(10);

impl Progress for Lines {
    fn begin(&self, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task> {
        let state = LineState { total, last: Instant::now() };
        Box::new(Line { label: label.to_owned(), unit, state: Mutex::new(state) })
    }

    fn note(&self, text: &str) {
        let _ = writeln!(anstream::stderr(), "{text}");
    }
}

struct Line {
    label: String,
    unit: Unit,
    state: Mutex<LineState>,
}

struct LineState {
    total: Option<u64>,
    last: Instant,
}

impl Task for Line {
    fn set_total(&self, total: u64) {
        if let Ok(mut state) = self.state.lock() {
            state.total = Some(total);
        }
    }

    fn set_position(&self, position: u64) {
        let Ok(mut state) = self.state.lock() else { return };
        if state.last.elapsed() < EVERY {
            return;
        }
        state.last = Instant::now();
        let show = |count| match self.unit {
            Unit::Bytes => text::bytes(count),
            Unit::Steps => count.to_string(),
        };
        let total = state.total.map_or_else(String::new, |total| format!(" of {}", show(total)));
        let _ = writeln!(anstream::stderr(), "{}: {}{total}", self.label, show(position));
    }
}
