//! Facts about one running task, from which bars and log lines take their words.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::progress::{Doing, Retry, Unit};
use crate::text;

/// The time over which speed is measured.
const SPAN: Duration = Duration::from_secs(10);
/// Time between two measurements.
const BETWEEN: Duration = Duration::from_millis(250);
/// Time without a sign of life after which that is said.
const SILENCE: Duration = Duration::from_secs(3);

/// A running task.
pub(super) struct Track {
    pub doing: Doing,
    pub label: String,
    unit: Unit,
    total: Option<u64>,
    position: u64,
    /// The part of the position that comes from an earlier run.
    skipped: u64,
    begun: Instant,
    /// The time of the last sign of life.
    heard: Instant,
    /// Positions of the last seconds.
    measured: VecDeque<(Instant, u64)>,
    phase: Option<String>,
    detail: Option<String>,
    pause: Option<Pause>,
    expected: Option<Duration>,
    /// The time after which an attempt without an answer is given up.
    patience: Option<Duration>,
}

/// A pause before another attempt.
struct Pause {
    number: u32,
    of: u32,
    why: String,
    until: Instant,
}

impl Track {
    pub fn new(doing: Doing, label: &str, total: Option<u64>, unit: Unit) -> Self {
        let now = Instant::now();
        Self {
            doing,
            label: label.to_owned(),
            unit,
            total,
            position: 0,
            skipped: 0,
            begun: now,
            heard: now,
            measured: VecDeque::from([(now, 0)]),
            phase: None,
            detail: None,
            pause: None,
            expected: None,
            patience: None,
        }
    }

    pub fn set_total(&mut self, total: u64) {
        self.total = Some(total);
        self.hear(Instant::now());
    }

    pub fn set_position(&mut self, position: u64) {
        let now = Instant::now();
        // Threads that share a task may report out of order; a download that begins again begins at zero.
        let restarts = position < self.position / 2;
        // The time until the first byte is no speed either.
        let resumes = self.pause.is_some() || restarts || self.position == self.skipped;
        self.hear(now);
        self.position = if restarts { position } else { position.max(self.position) };
        self.skipped = self.skipped.min(self.position);
        if resumes {
            self.measure_anew(now);
        } else if self.measured.back().is_none_or(|(last, _)| now.duration_since(*last) >= BETWEEN) {
            self.measured.push_back((now, self.position));
            while self.measured.get(1).is_some_and(|(next, _)| now.duration_since(*next) >= SPAN) {
                self.measured.pop_front();
            }
        }
    }

    pub fn skip(&mut self, count: u64) {
        self.skipped = self.skipped.saturating_add(count).min(self.position);
        self.measure_anew(Instant::now());
    }

    pub fn set_phase(&mut self, name: &str) {
        (self.phase, self.detail) = (Some(name.to_owned()), None);
        // Each part has steps of its own.
        (self.total, self.position, self.skipped) = (None, 0, 0);
        self.hear(Instant::now());
    }

    pub fn set_detail(&mut self, text: &str) {
        self.detail = Some(text.to_owned());
        self.hear(Instant::now());
    }

    pub fn set_pause(&mut self, retry: Retry) {
        let Retry { number, of, wait, why } = retry;
        self.pause = Some(Pause { number, of, why: why.to_owned(), until: Instant::now() + wait });
    }

    pub fn set_patience(&mut self, time: Duration) {
        self.patience = Some(time);
    }

    /// Tells for how long nothing was heard, and how long is waited at most.
    fn silence(&self, what: &str, silent: Duration) -> String {
        match self.patience {
            Some(most) => format!("{what} for {} of {} s", silent.as_secs(), most.as_secs()),
            None => format!("{what} for {} s", silent.as_secs()),
        }
    }

    pub fn set_expected(&mut self, time: Duration) {
        self.expected = Some(time);
    }

    fn hear(&mut self, now: Instant) {
        (self.heard, self.pause) = (now, None);
    }

    fn measure_anew(&mut self, now: Instant) {
        self.measured = VecDeque::from([(now, self.position)]);
    }

    /// Returns verb and name.
    pub fn title(&self) -> String {
        format!("{} {}", self.doing.now(), self.label)
    }

    /// Returns the done part of the whole, if the whole is known.
    pub fn fraction(&self) -> Option<f64> {
        let total = self.total.filter(|total| *total > 0)?;
        Some((self.position as f64 / total as f64).min(1.0))
    }

    /// Returns the object of the work at this moment.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Returns the size, if it is known from the beginning.
    pub fn size(&self) -> Option<String> {
        self.total.filter(|_| self.unit == Unit::Bytes).map(text::bytes)
    }

    /// Returns the number of bytes of a download that this run received.
    pub fn fetched(&self) -> Option<u64> {
        (self.doing == Doing::Fetch && self.unit == Unit::Bytes).then(|| self.position - self.skipped)
    }

    /// Returns the number of bytes of a download that the next run does not fetch again. Git has no total, and its
    /// packs are kept only as a whole.
    pub fn kept(&self) -> Option<u64> {
        (self.doing == Doing::Fetch && self.total.is_some()).then_some(self.position).filter(|kept| *kept > 0)
    }

    /// Returns what is worth telling now, the most important first.
    pub fn facts(&self, now: Instant) -> Vec<String> {
        if let Some(pause) = &self.pause {
            let left = pause.until.saturating_duration_since(now).as_secs_f64().ceil();
            if left > 0.0 {
                return vec![format!("retry {} of {} in {left} s: {}", pause.number, pause.of, pause.why)];
            }
            let silent = now.saturating_duration_since(pause.until);
            let silent = (silent >= SILENCE).then(|| self.silence("no answer", silent));
            return silent.into_iter().chain([format!("retry {} of {}", pause.number, pause.of)]).collect();
        }
        let mut facts: Vec<String> = self.work().into_iter().collect();
        let silent = now.saturating_duration_since(self.heard);
        if matches!(self.doing, Doing::Ask | Doing::Fetch) && silent >= SILENCE {
            let what = if self.position > self.skipped { "nothing" } else { "no answer" };
            facts.push(self.silence(what, silent));
            return facts;
        }
        if self.unit == Unit::Bytes {
            facts.extend(self.speed(now).map(|speed| format!("{}/s", text::bytes(speed as u64))));
        } else {
            facts.push(text::clock(now.saturating_duration_since(self.begun)));
        }
        facts.extend(self.left(now));
        facts
    }

    /// Returns phase and position.
    fn work(&self) -> Option<String> {
        let show = |count: u64| if self.unit == Unit::Bytes { text::bytes(count) } else { count.to_string() };
        let amount = match (self.position, self.total) {
            (0, None) => None,
            (position, None) => Some(show(position)),
            (position, Some(total)) => Some(format!("{} of {}", show(position), show(total))),
        };
        match (&self.phase, amount) {
            (Some(phase), Some(amount)) => Some(format!("{phase} {amount}")),
            (phase, amount) => phase.clone().or(amount),
        }
    }

    /// Returns the speed of the last seconds, once there is one.
    fn speed(&self, now: Instant) -> Option<f64> {
        let (since, from) = self.measured.front()?;
        let time = now.saturating_duration_since(*since);
        let speed = self.position.saturating_sub(*from) as f64 / time.as_secs_f64();
        (time >= BETWEEN * 2 && speed >= 1.0).then_some(speed)
    }

    /// Returns the time that is left: for steps, the share of the last time that is left.
    fn left(&self, now: Instant) -> Option<String> {
        if self.unit == Unit::Bytes {
            let left = self.total?.checked_sub(self.position)?;
            let time = Duration::try_from_secs_f64(left as f64 / self.speed(now)?).ok()?;
            return Some(format!("{} left", text::clock(time)));
        }
        let left = match self.fraction() {
            Some(done) => self.expected?.mul_f64(1.0 - done),
            None => self.expected?.saturating_sub(now.saturating_duration_since(self.begun)),
        };
        (left > Duration::ZERO).then(|| format!("about {} left", text::clock(left)))
    }

    /// Returns the line that stays when the task is done, without its verb.
    pub fn finished(&self, amount: Option<&str>, now: Instant) -> String {
        let time = now.saturating_duration_since(self.begun);
        let bytes = (self.unit == Unit::Bytes && self.position > 0).then(|| text::bytes(self.position));
        let amount = amount.map(str::to_owned).or(bytes).map_or_else(String::new, |amount| format!(" {amount}"));
        let moved = self.position - self.skipped;
        let speed = (self.unit == Unit::Bytes && moved > 0).then(|| {
            let speed = text::bytes((moved as f64 / time.as_secs_f64().max(0.001)) as u64);
            match self.skipped {
                0 => format!(" ({speed}/s)"),
                _ => format!(" ({} of it now, {speed}/s)", text::bytes(moved)),
            }
        });
        format!("{}{amount} in {}{}", self.label, took(time), speed.unwrap_or_default())
    }
}

/// Formats a time that is over.
pub(in crate::cli) fn took(time: Duration) -> String {
    if time < Duration::from_secs(10) { format!("{:.1} s", time.as_secs_f64()) } else { text::clock(time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn download() -> Track {
        Track::new(Doing::Fetch, "rocm", Some(100_000_000), Unit::Bytes)
    }

    #[test]
    fn bytes_of_an_earlier_run_are_no_speed() {
        let mut track = download();
        track.set_position(50_000_000);
        track.skip(50_000_000);
        let soon = track.begun + SECOND;
        assert_eq!(track.facts(soon), ["50.0 MB of 100 MB"]);
        track.set_position(60_000_000);
        track.measured = VecDeque::from([(track.begun, 50_000_000)]);
        assert_eq!(track.facts(soon), ["60.0 MB of 100 MB", "10.0 MB/s", "0:04 left"]);
        assert_eq!(track.finished(None, soon), "rocm 60.0 MB in 1.0 s (10.0 MB of it now, 10.0 MB/s)");
        assert_eq!((track.fetched(), track.kept()), (Some(10_000_000), Some(60_000_000)));
        // Another file begins.
        track.set_position(0);
        assert_eq!(track.fetched(), Some(0));
    }

    #[test]
    fn a_download_that_just_began_has_no_speed_and_no_time_left() {
        assert_eq!(download().facts(Instant::now()), ["0 B of 100 MB"]);
    }

    #[test]
    fn silence_and_pauses_are_told() {
        let mut track = download();
        let later = |track: &Track, seconds: u32| track.facts(track.begun + SECOND * seconds);
        assert_eq!(later(&track, 12), ["0 B of 100 MB", "no answer for 12 s"]);
        track.set_position(5_000_000);
        assert_eq!(track.facts(track.heard + SECOND * 4), ["5.00 MB of 100 MB", "nothing for 4 s"]);
        track.set_pause(Retry { number: 2, of: 4, wait: SECOND * 8, why: "connection reset" });
        let until = track.pause.as_ref().unwrap().until;
        assert_eq!(track.facts(until.checked_sub(SECOND * 7).unwrap()), ["retry 2 of 4 in 7 s: connection reset"]);
        assert_eq!(track.facts(until), ["retry 2 of 4"]);
        assert_eq!(track.facts(until + SECOND * 5), ["no answer for 5 s", "retry 2 of 4"]);
        track.set_position(6_000_000);
        assert_eq!(later(&track, 0), ["6.00 MB of 100 MB"]);
        let mut asked = Track::new(Doing::Ask, "a.example (1 of 3)", None, Unit::Bytes);
        assert_eq!(later(&asked, 2), [""; 0]);
        assert_eq!(later(&asked, 10), ["no answer for 10 s"]);
        asked.set_patience(SECOND * 30);
        assert_eq!(later(&asked, 10), ["no answer for 10 of 30 s"]);
    }

    #[test]
    fn a_build_has_phases_and_a_time_by_the_last_one() {
        let mut track = Track::new(Doing::Build, "llama", None, Unit::Steps);
        let after = |track: &Track, seconds: u32| track.facts(track.begun + SECOND * seconds);
        assert_eq!(after(&track, 5), ["0:05"]);
        track.set_phase("configure");
        track.set_expected(SECOND * 1000);
        assert_eq!(after(&track, 10), ["configure", "0:10", "about 16:30 left"]);
        track.set_phase("compile");
        track.set_total(840);
        track.set_position(210);
        assert_eq!(after(&track, 200), ["compile 210 of 840", "3:20", "about 12:30 left"]);
        assert_eq!(track.finished(None, track.begun + SECOND * 1864), "llama in 31:04");
        assert_eq!(track.finished(Some("2 layers"), track.begun + SECOND / 4), "llama 2 layers in 0.2 s");
    }
}
