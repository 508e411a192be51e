//! Differences between two validations, beyond the noise of such measurements.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Check, Outcome, Speed, Validation};
use crate::text;

/// The factor by which load times must differ. They depend on the page cache, so less means nothing.
const LOAD: f64 = 2.0;
/// The relative noise of the speed of a single run.
const SINGLE: f64 = 0.15;
/// The least relative noise of a mean of several runs, however little the runs differ.
const MEAN: f64 = 0.03;
/// The number of standard deviations that count as a difference.
const DEVIATIONS: f64 = 3.0;
/// The relative noise of memory use.
const MEMORY: f64 = 0.05;

/// Returns the differences between two validations, one line each.
#[must_use]
pub fn moved(before: &Validation, after: &Validation) -> Vec<String> {
    let mut lines = Vec::new();
    for check in &after.checks {
        let old = before.checks.iter().find(|old| old.name == check.name);
        // A check that a shorter validation leaves out has not changed.
        let left_out = |one: &Check| before.extent != after.extent && one.outcome == Outcome::NotRun;
        if let Some(old) = old.filter(|old| old.outcome != check.outcome && !left_out(old) && !left_out(check)) {
            let word = |outcome| match outcome {
                Outcome::NotRun => "was not run",
                other => other.words(),
            };
            lines.push(format!("{}: {} before, {} now", check.name, word(old.outcome), word(check.outcome)));
        }
    }
    if let (Some(old), Some(new)) = (&before.generation, &after.generation) {
        if old.sha256 != new.sha256 {
            lines.push(format!("the text differs from character {} on", parting(&old.text, &new.text)));
        }
        if let (Some(a), Some(b)) = (old.load, new.load)
            && (b > a * LOAD || a > b * LOAD)
        {
            lines.push(format!("load time: {a:.0} ms before, {b:.0} ms now"));
        }
        lines.extend(loaded(&old.libraries, &new.libraries));
        let speeds = [("prompt", old.prompt_speed, new.prompt_speed), ("generation", old.speed, new.speed)];
        for (name, a, b) in speeds {
            if let (Some(a), Some(b)) = (a, b)
                && (b - a).abs() > a.abs().max(b.abs()) * SINGLE
            {
                lines.push(speed(name, a, b));
            }
        }
        if let (Some(a), Some(b)) = (old.memory, new.memory)
            && a.abs_diff(b) as f64 > a.max(b) as f64 * MEMORY
        {
            lines.push(format!("memory: {} before, {} now", text::bytes(a), text::bytes(b)));
        }
    }
    let changed = bench_changes(&before.bench, &after.bench).into_iter().filter(|change| change.beyond_noise);
    lines.extend(changed.map(|change| speed(&format!("llama-bench {}", change.test), change.before, change.after)));
    lines
}

/// The speeds of one test in two runs of llama-bench, in tokens per second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The test.
    pub test: String,
    /// The speed before.
    pub before: f64,
    /// The speed after.
    pub after: f64,
    /// True if they differ by more than the noise of such measurements.
    pub beyond_noise: bool,
}

/// Compares the tests that two runs of llama-bench share.
pub(super) fn bench_changes(before: &[Speed], after: &[Speed]) -> Vec<Change> {
    let pairs = after.iter().filter_map(|new| Some((before.iter().find(|old| old.test == new.test)?, new)));
    let change = |(old, new): (&Speed, &Speed)| {
        let beyond_noise = beyond_noise((old.speed, old.deviation), (new.speed, new.deviation));
        Change { test: new.test.clone(), before: old.speed, after: new.speed, beyond_noise }
    };
    pairs.map(change).collect()
}

/// Returns true if two means, each with its deviation, differ by more than the noise of such measurements.
pub(super) fn beyond_noise(before: (f64, f64), after: (f64, f64)) -> bool {
    let noise = DEVIATIONS * before.1.hypot(after.1);
    (after.0 - before.0).abs() > noise.max(before.0 * MEAN)
}

/// Returns the number of the first character in which two texts differ, from 1 on.
pub(super) fn parting(first: &str, second: &str) -> usize {
    first.chars().zip(second.chars()).take_while(|(a, b)| a == b).count() + 1
}

/// Returns a line for each library that only one of two runs loaded. Older records list no libraries, and are not
/// compared.
fn loaded(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Vec<String> {
    if before.is_empty() {
        return Vec::new();
    }
    let gone = before.difference(after).map(|path| format!("libraries: {path} is no longer loaded"));
    let new = after.difference(before).map(|path| format!("libraries: {path} is newly loaded"));
    gone.chain(new).collect()
}

fn speed(name: &str, before: f64, after: f64) -> String {
    format!("{name}: {before:.2} t/s before, {after:.2} t/s now ({:+.0} %)", percent(before, after))
}

pub(super) fn percent(before: f64, after: f64) -> f64 {
    if before > 0.0 { (after / before - 1.0) * 100.0 } else { 0.0 }
}

impl Change {
    /// Describes the change in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let noise = if self.beyond_noise { "" } else { ", within noise" };
        format!("{:.2} and {:.2} t/s ({:+.0} %{noise})", self.before, self.after, percent(self.before, self.after))
    }
}
