//! All running tasks, and the sums of those that are done.

use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use super::track::{Track, took};
use crate::progress::Doing;
use crate::text;
use crate::threads::lock;

/// The tasks of a command.
pub(in crate::cli) struct Running {
    begun: Instant,
    tracks: Mutex<Vec<Weak<Mutex<Track>>>>,
    sums: Mutex<Sums>,
}

#[derive(Default)]
struct Sums {
    /// Number of downloads, and of their bytes.
    fetched: (u64, u64),
    /// Number of outputs that were built.
    built: u64,
}

impl Default for Running {
    fn default() -> Self {
        Self { begun: Instant::now(), tracks: Mutex::default(), sums: Mutex::default() }
    }
}

impl Running {
    /// Adds a task that begins.
    pub(super) fn add(&self, track: Track) -> Arc<Mutex<Track>> {
        let track = Arc::new(Mutex::new(track));
        let mut tracks = lock(&self.tracks);
        tracks.retain(|track| track.strong_count() > 0);
        tracks.push(Arc::downgrade(&track));
        track
    }

    /// Counts a task that is done.
    pub(super) fn count(&self, track: &Track) {
        let mut sums = lock(&self.sums);
        if let Some(bytes) = track.fetched() {
            sums.fetched = (sums.fetched.0 + 1, sums.fetched.1.saturating_add(bytes));
        }
        sums.built += u64::from(track.doing == Doing::Build);
    }

    /// Returns the line that sums up all tasks that are done, if some were worth it.
    pub fn total(&self) -> Option<String> {
        let sums = lock(&self.sums);
        let plural = |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let mut parts = Vec::new();
        if sums.fetched.0 > 0 {
            parts.push(format!("{} fetched", text::bytes(sums.fetched.1)));
        }
        if sums.built > 0 {
            parts.push(format!("{} built", plural(sums.built, "output", "outputs")));
        }
        // One line that stays says all of one task.
        (sums.fetched.0 + sums.built > 1)
            .then(|| format!("in all {} in {}", parts.join(", "), took(self.begun.elapsed())))
    }

    /// Returns the message for an interrupted command.
    pub(super) fn interrupted(&self) -> String {
        let (mut kept, mut again) = (Vec::new(), false);
        for track in lock(&self.tracks).iter().filter_map(Weak::upgrade) {
            let track = lock(&track);
            kept.extend(track.kept().map(|bytes| format!("{} of {}", text::bytes(bytes), track.label)));
            again |= matches!(track.doing, Doing::Ask | Doing::Fetch | Doing::Build | Doing::Validate | Doing::Measure);
        }
        match (kept.is_empty(), again) {
            (true, false) => "interrupted".to_owned(),
            (true, true) => "interrupted; run the command again to continue".to_owned(),
            (false, _) => format!("interrupted; run the command again to continue (kept: {})", kept.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Unit;

    #[test]
    fn what_is_done_is_summed_up() {
        let running = Running::default();
        assert_eq!(running.total(), None);
        let mut track = Track::new(Doing::Fetch, "rocm", Some(3_000), Unit::Bytes);
        track.set_position(3_000);
        track.skip(1_000);
        running.count(&track);
        running.count(&Track::new(Doing::Verify, "rocm", None, Unit::Bytes));
        assert_eq!(running.total(), None);
        running.count(&Track::new(Doing::Build, "llama", None, Unit::Steps));
        running.count(&Track::new(Doing::Build, "runtime", None, Unit::Steps));
        assert!(running.total().unwrap().starts_with("in all 2.00 kB fetched, 2 outputs built in "));
    }

    #[test]
    fn an_interrupted_command_tells_what_the_next_run_has() {
        let running = Running::default();
        let verify = running.add(Track::new(Doing::Verify, "rocm", None, Unit::Bytes));
        assert_eq!(running.interrupted(), "interrupted");
        let build = running.add(Track::new(Doing::Build, "llama", None, Unit::Steps));
        assert_eq!(running.interrupted(), "interrupted; run the command again to continue");
        let fetch = running.add(Track::new(Doing::Fetch, "rocm", Some(9), Unit::Bytes));
        lock(&fetch).set_position(5);
        let text = "interrupted; run the command again to continue (kept: 5 B of rocm)";
        assert_eq!(running.interrupted(), text);
        drop((verify, build, fetch));
        assert_eq!(running.interrupted(), "interrupted");
    }
}
