//! Progress on a terminal: a line for each running task, redrawn in place, and one that stays for each that is done.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::interrupt;
use super::line::line;
use super::running::Running;
use super::track::Track;
use crate::cli::palette::{GOOD, is_coloured, painted};
use crate::progress::{Doing, Progress, Retry, Task, Unit};
use crate::threads::lock;

/// Time between two drawings of a line.
const TICK: Duration = Duration::from_millis(200);
/// Width of a terminal that does not tell its own.
const USUAL_WIDTH: u16 = 80;

/// Lines of tasks on a terminal.
pub struct Bars {
    lines: MultiProgress,
    running: Arc<Running>,
    coloured: bool,
}

impl Bars {
    pub fn new(running: Arc<Running>) -> Self {
        let lines = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        Self { lines, running, coloured: is_coloured() }
    }
}

impl Progress for Bars {
    fn begin(&self, doing: Doing, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task> {
        let lines = self.lines.clone();
        interrupt::watch(&self.running, move || {
            let _ = lines.clear();
            lines.set_draw_target(ProgressDrawTarget::hidden());
        });
        let track = self.running.add(Track::new(doing, label, total, unit));
        let (shown, coloured) = (Arc::clone(&track), self.coloured);
        let draw = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = out.write_str(&line(&lock(&shown), Instant::now(), width(), coloured));
        };
        let style = ProgressStyle::with_template("{line}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let drawn = self.lines.add(ProgressBar::new_spinner().with_style(style.with_key("line", draw)));
        drawn.enable_steady_tick(TICK);
        Box::new(Bar { drawn, track, lines: self.lines.clone(), running: Arc::clone(&self.running) })
    }

    fn note(&self, text: &str) {
        print_above(&self.lines, text);
    }
}

/// Prints lines above those of the tasks.
fn print_above(lines: &MultiProgress, text: &str) {
    lines.suspend(|| drop(writeln!(anstream::stderr(), "{}", painted(text))));
}

/// Returns the number of columns that a line may have. The last one is left free: some terminals wrap behind it.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    let columns = size.map(|size| size.ws_col).ok().filter(|columns| *columns > 0);
    usize::from(columns.unwrap_or(USUAL_WIDTH)).saturating_sub(1)
}

struct Bar {
    drawn: ProgressBar,
    track: Arc<Mutex<Track>>,
    lines: MultiProgress,
    running: Arc<Running>,
}

impl Task for Bar {
    fn set_total(&self, total: u64) {
        lock(&self.track).set_total(total);
    }

    fn set_position(&self, position: u64) {
        lock(&self.track).set_position(position);
    }

    fn skip(&self, count: u64) {
        lock(&self.track).skip(count);
    }

    fn phase(&self, name: &str) {
        lock(&self.track).set_phase(name);
    }

    fn detail(&self, text: &str) {
        lock(&self.track).set_detail(text);
    }

    fn retry(&self, retry: Retry) {
        lock(&self.track).set_pause(retry);
    }

    fn expect(&self, time: Duration) {
        lock(&self.track).set_expected(time);
    }

    fn done(&self, amount: Option<&str>) {
        let track = lock(&self.track);
        self.running.count(&track);
        let (verb, rest) = (track.doing.done(), track.finished(amount, Instant::now()));
        // Drawing takes the lock too.
        drop(track);
        self.drawn.finish_and_clear();
        print_above(&self.lines, &format!("{GOOD}{verb}{GOOD:#} {rest}"));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.drawn.finish_and_clear();
    }
}
