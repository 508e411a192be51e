//! The history of a project's validations: a row for each generation, device and model, with verdict and speed.
//!
//! Speeds of one machine, device and model are comparable. The noise of a speed is the deviation that llama-bench
//! states, or the spread of several validations of one generation, if that is larger.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::compare::{beyond_noise, percent};
use super::record::{self, read};
use super::{Device, Validation};
use crate::digest::Sha256Digest;
use crate::error::Result;

/// The validations of a directory.
#[derive(Debug, Default)]
pub struct History {
    /// The rows, the oldest first.
    pub rows: Vec<Row>,
    /// Names of records that cannot be read.
    pub unreadable: Vec<String>,
}

/// The validations of one generation on one device with one model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The generation; absent for a lock that none had when it was validated.
    pub generation: Option<u64>,
    /// The digest of the lock.
    pub lock: Sha256Digest,
    /// The device that computed.
    pub device: Device,
    /// The input of the model.
    pub model: String,
    /// The processor, which tells machines apart.
    pub processor: Option<String>,
    /// The versions of outputs.
    pub versions: BTreeMap<String, String>,
    /// The time of the newest validation.
    pub time: i64,
    /// The number of validations.
    pub count: usize,
    /// The checks that failed in the newest validation.
    pub failed: Vec<String>,
    /// The speeds by test.
    pub speeds: BTreeMap<String, Measured>,
}

/// A speed with its noise, in tokens per second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measured {
    /// The mean of all validations.
    pub speed: f64,
    /// The noise on each side.
    pub noise: f64,
}

impl Measured {
    /// Describes the change since an earlier measurement: `+3 %`, or that it is within the noise.
    #[must_use]
    pub fn change(self, before: Self) -> String {
        if beyond_noise((before.speed, before.noise), (self.speed, self.noise)) {
            format!("{:+.1} %", percent(before.speed, self.speed))
        } else {
            "within noise".to_owned()
        }
    }
}

/// Reads the history of a directory, without variants.
pub fn history(directory: &Path) -> Result<History> {
    let mut groups: BTreeMap<_, Vec<Validation>> = BTreeMap::new();
    let mut unreadable = Vec::new();
    for name in record::names(directory)? {
        match read(directory, &name) {
            // They are compared with each other by `bench`.
            Some(one) if one.variant.is_some() => {}
            Some(one) => {
                let processor = one.machine.as_ref().and_then(|machine| machine.processor.clone());
                let key = (one.lock.hex(), one.device.name(), one.model.sha256.hex(), processor);
                groups.entry(key).or_default().push(one);
            }
            None => unreadable.push(name),
        }
    }
    let mut rows: Vec<Row> = groups.into_values().filter_map(row).collect();
    rows.sort_by_key(|row| (row.time, row.lock.hex()));
    Ok(History { rows, unreadable })
}

/// Sums up the validations of one generation.
fn row(mut all: Vec<Validation>) -> Option<Row> {
    all.sort_by_key(|one| one.time);
    let mut measured: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for speed in all.iter().flat_map(|one| &one.bench) {
        measured.entry(speed.test.clone()).or_default().push((speed.speed, speed.deviation));
    }
    let newest = all.last()?;
    Some(Row {
        generation: newest.profile_generation,
        lock: newest.lock,
        device: newest.device,
        model: newest.model.input.clone(),
        processor: newest.machine.as_ref().and_then(|machine| machine.processor.clone()),
        versions: newest.versions.clone(),
        time: newest.time,
        count: all.len(),
        failed: newest.failed().map(str::to_owned).collect(),
        speeds: measured.into_iter().map(|(test, all)| (test, mean(&all))).collect(),
    })
}

/// Returns the mean of speeds, and the larger of their deviations and their spread.
fn mean(all: &[(f64, f64)]) -> Measured {
    let count = all.len().max(1) as f64;
    let speed = all.iter().map(|(speed, _)| speed).sum::<f64>() / count;
    let spread = (all.iter().map(|(one, _)| (one - speed).powi(2)).sum::<f64>() / count).sqrt();
    let noise = all.iter().map(|(_, deviation)| *deviation).fold(spread, f64::max);
    Measured { speed, noise }
}

impl Row {
    /// Returns true if the speeds of two rows can be compared.
    #[must_use]
    pub fn is_comparable(&self, other: &Self) -> bool {
        (self.device, &self.model, &self.processor) == (other.device, &other.model, &other.processor)
    }
}

/// Draws a speed between the least and the greatest of a history: the noise as a line, the speed as a point.
#[must_use]
pub fn track(one: Measured, (least, greatest): (f64, f64), width: usize) -> String {
    let last = width.saturating_sub(1);
    let cell = |value: f64| {
        let share = if greatest > least { (value - least) / (greatest - least) } else { 0.5 };
        (share.clamp(0.0, 1.0) * last as f64).round() as usize
    };
    let (from, at, to) = (cell(one.speed - one.noise), cell(one.speed), cell(one.speed + one.noise));
    let sign = |place| match place {
        _ if place == at => '●',
        _ if place >= from && place <= to => '─',
        _ => ' ',
    };
    (0..width).map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_drawn_between_the_extremes_with_its_noise() {
        let at = |speed, noise| track(Measured { speed, noise }, (0.0, 10.0), 11);
        assert_eq!(at(5.0, 2.0), "   ──●──   ");
        assert_eq!(at(0.0, 1.0), "●─         ");
        assert_eq!(at(10.0, 0.0), "          ●");
        assert_eq!(at(f64::NAN, 0.0).chars().count(), 11);
        assert_eq!(track(Measured { speed: 7.0, noise: 0.0 }, (7.0, 7.0), 3), " ● ");
        assert_eq!(track(Measured { speed: 7.0, noise: 0.0 }, (7.0, 7.0), 0), "");
    }

    #[test]
    fn a_change_is_told_if_it_is_beyond_the_noise() {
        let at = |speed, noise| Measured { speed, noise };
        assert_eq!(at(90.0, 0.5).change(at(100.0, 0.5)), "-10.0 %");
        assert_eq!(at(102.0, 0.1).change(at(100.0, 0.1)), "within noise");
        assert_eq!(at(90.0, 5.0).change(at(100.0, 5.0)), "within noise");
    }

    #[test]
    fn the_noise_is_that_of_the_runs_or_of_the_validations() {
        assert_eq!(mean(&[(10.0, 0.5)]), Measured { speed: 10.0, noise: 0.5 });
        assert_eq!(mean(&[(8.0, 0.5), (12.0, 0.5)]), Measured { speed: 10.0, noise: 2.0 });
    }
}
