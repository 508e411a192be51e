//! Progress in a log: a line when a task begins, one now and then while it runs, and one when it is done.

use std::collections::HashSet;
use std::io::Write as _;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use super::interrupt;
use super::running::Running;
use super::track::Track;
use crate::cli::palette::{GOOD, painted};
use crate::progress::{Doing, Progress, Retry, Task, Unit};
use crate::threads::lock;

/// Time between two lines of a running task.
const EVERY: Duration = Duration::from_secs(10);
/// Time between two lines of a build, which takes half an hour.
const EVERY_OF_BUILD: Duration = Duration::from_secs(30);
/// Time between two looks at the tasks.
const TICK: Duration = Duration::from_secs(1);

/// Lines of a log.
#[derive(Default)]
pub struct Lines {
    running: Arc<Running>,
    tasks: Arc<Mutex<Vec<Weak<Told>>>>,
    /// Questions that were told: the pages of one server are one line.
    asked: Mutex<HashSet<String>>,
    ticking: OnceLock<()>,
}

/// A task, and the time of its last line.
struct Told {
    track: Arc<Mutex<Track>>,
    last: Mutex<Instant>,
}

impl Lines {
    pub fn new(running: Arc<Running>) -> Self {
        Self { running, ..Self::default() }
    }

    /// Tells of running tasks from now on.
    fn tick(&self) {
        let tasks = Arc::clone(&self.tasks);
        let look = move || {
            loop {
                std::thread::sleep(TICK);
                let running: Vec<_> = lock(&tasks).iter().filter_map(Weak::upgrade).collect();
                for task in running {
                    task.now_and_then();
                }
            }
        };
        // Without this thread only the beginning and the end are told.
        let _ = std::thread::Builder::new().name("progress".to_owned()).spawn(look);
    }
}

impl Progress for Lines {
    fn begin(&self, doing: Doing, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task> {
        interrupt::watch(&self.running, |end| end());
        self.ticking.get_or_init(|| self.tick());
        let track = Track::new(doing, label, total, unit);
        let title = track.title();
        match doing {
            Doing::Ask if lock(&self.asked).insert(title.clone()) => print(&title),
            Doing::Fetch | Doing::Build => print(&match track.size() {
                Some(size) => format!("{title}, {size}"),
                None => title,
            }),
            // Others are told if they take long.
            _ => {}
        }
        let told = Arc::new(Told { track: self.running.add(track), last: Mutex::new(Instant::now()) });
        let mut tasks = lock(&self.tasks);
        tasks.retain(|task| task.strong_count() > 0);
        tasks.push(Arc::downgrade(&told));
        Box::new(Line { told, running: Arc::clone(&self.running) })
    }

    fn note(&self, text: &str) {
        print(text);
    }
}

fn print(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", painted(text));
}

impl Told {
    fn now_and_then(&self) {
        let every = if lock(&self.track).doing == Doing::Build { EVERY_OF_BUILD } else { EVERY };
        if lock(&self.last).elapsed() >= every {
            self.tell();
        }
    }

    fn tell(&self) {
        *lock(&self.last) = Instant::now();
        let track = lock(&self.track);
        let mut facts = track.facts(Instant::now());
        facts.extend(track.detail().map(str::to_owned));
        print(&format!("{}: {}", track.title(), facts.join(", ")));
    }
}

struct Line {
    told: Arc<Told>,
    running: Arc<Running>,
}

impl Task for Line {
    fn set_total(&self, total: u64) {
        lock(&self.told.track).set_total(total);
    }

    fn set_position(&self, position: u64) {
        lock(&self.told.track).set_position(position);
    }

    fn skip(&self, count: u64) {
        lock(&self.told.track).skip(count);
    }

    fn phase(&self, name: &str) {
        lock(&self.told.track).set_phase(name);
        self.told.tell();
    }

    fn detail(&self, text: &str) {
        lock(&self.told.track).set_detail(text);
    }

    fn retry(&self, retry: Retry) {
        lock(&self.told.track).set_pause(retry);
        self.told.tell();
    }

    fn patience(&self, time: Duration) {
        lock(&self.told.track).set_patience(time);
    }

    fn expect(&self, time: Duration) {
        lock(&self.told.track).set_expected(time);
    }

    fn done(&self, amount: Option<&str>) {
        let track = lock(&self.told.track);
        self.running.count(&track);
        print(&format!("{GOOD}{}{GOOD:#} {}", track.doing.done(), track.finished(amount, Instant::now())));
    }
}
