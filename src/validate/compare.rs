//! Differences between two validations, beyond the noise of such measurements.

use std::collections::BTreeSet;

use super::{Check, Outcome, Validation};
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
            let same = old.text.chars().zip(new.text.chars()).take_while(|(a, b)| a == b).count();
            lines.push(format!("the text differs from character {} on", same + 1));
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
    for new in &after.bench {
        let Some(old) = before.bench.iter().find(|old| old.test == new.test) else { continue };
        let noise = DEVIATIONS * old.deviation.hypot(new.deviation);
        if (new.speed - old.speed).abs() > noise.max(old.speed * MEAN) {
            lines.push(speed(&format!("llama-bench {}", new.test), old.speed, new.speed));
        }
    }
    lines
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
    let percent = if before > 0.0 { (after / before - 1.0) * 100.0 } else { 0.0 };
    format!("{name}: {before:.2} t/s before, {after:.2} t/s now ({percent:+.0} %)")
}
