//! Progress on stderr: bars on a terminal, plain lines anywhere else.

use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::{Progress, Task, Unit};
use crate::text;

/// Bars, one below the other.
pub struct Bars(MultiProgress);

impl Default for Bars {
    fn default() -> Self {
        Self(MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)))
    }
}

impl Progress for Bars {
    fn begin(&self, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task> {
        let template = match unit {
            Unit::Bytes => {
                "{prefix:>12} [{bar:30}] {decimal_bytes:>9}/{decimal_total_bytes:9} {decimal_bytes_per_sec:>10} {eta}"
            }
            Unit::Steps => "{prefix:>12} [{bar:30}] {pos:>5}/{len:5} {elapsed}",
        };
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        let bar = self.0.add(ProgressBar::new(total.unwrap_or(0)).with_style(style).with_prefix(label.to_owned()));
        bar.enable_steady_tick(Duration::from_millis(250));
        Box::new(Bar(bar))
    }

    fn note(&self, text: &str) {
        self.0.suspend(|| drop(writeln!(anstream::stderr(), "{text}")));
    }
}

struct Bar(ProgressBar);

impl Task for Bar {
    fn set_total(&self, total: u64) {
        self.0.set_length(total);
    }

    fn set_position(&self, position: u64) {
        self.0.set_position(position);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A line at most every [`EVERY`] a task: for logs.
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
