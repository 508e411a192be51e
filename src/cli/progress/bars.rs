//! Progress on a terminal: a line for each running task, redrawn in place, and one that stays for each that is done.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::interrupt;
use super::line::line;
use super::running::Running;
use super::screen::{Screen, width};
use super::track::Track;
use crate::cli::palette::{GOOD, is_coloured, painted};
use crate::progress::{Doing, Progress, Retry, Task, Unit};
use crate::threads::lock;

/// Time between two drawings of a line.
const TICK: Duration = Duration::from_millis(200);
/// Drawings in a second, at most.
const RATE: u8 = 10;

/// Lines of tasks on a terminal.
pub struct Bars {
    lines: MultiProgress,
    running: Arc<Running>,
    coloured: bool,
    /// Number of programs that have the terminal.
    others: Arc<Mutex<usize>>,
}

impl Bars {
    pub fn new(running: Arc<Running>) -> Self {
        let lines = MultiProgress::with_draw_target(screen());
        Self { lines, running, coloured: is_coloured(), others: Arc::default() }
    }
}

fn screen() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(Screen::default()), RATE)
}

/// The time in which another program has the terminal.
struct Left {
    lines: MultiProgress,
    others: Arc<Mutex<usize>>,
}

impl Drop for Left {
    fn drop(&mut self) {
        let mut others = lock(&self.others);
        *others -= 1;
        if *others == 0 {
            self.lines.set_draw_target(screen());
        }
    }
}

impl Progress for Bars {
    fn begin(&self, doing: Doing, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task> {
        let lines = self.lines.clone();
        interrupt::watch(&self.running, move |end| lines.suspend(end));
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

    fn leave_terminal(&self) -> Box<dyn Send> {
        let mut others = lock(&self.others);
        *others += 1;
        if *others == 1 {
            let _ = self.lines.clear();
            self.lines.set_draw_target(ProgressDrawTarget::hidden());
        }
        Box::new(Left { lines: self.lines.clone(), others: Arc::clone(&self.others) })
    }
}

/// Prints lines above those of the tasks.
fn print_above(lines: &MultiProgress, text: &str) {
    lines.suspend(|| drop(writeln!(anstream::stderr(), "{}", painted(text))));
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

    fn patience(&self, time: Duration) {
        lock(&self.track).set_patience(time);
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
