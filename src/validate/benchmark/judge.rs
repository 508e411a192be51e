//! The decision: is one of two series of paired runs faster, and by how much?
//!
//! Runs of one round are a pair, since they met the same machine. Each pair gives a ratio of speeds. The difference is
//! the median of the ratios, and its interval that of the sign test, counted out exactly: ratios are cut off at both ends
//! as long as chance alone would rarely put the median there. No shape of the noise is assumed, and of 16 rounds one may
//! be disturbed, however much, without a change of the verdict. A test of ranks gives narrower intervals for small noise,
//! but a single disturbed run of 20 widens them beyond use. A difference is told if the whole interval is on one side and
//! the median is at least [`LEAST`]: the placement of code and memory alone makes builds differ by a percent or so,
//! reliably.
//!
//! All decisions of one benchmark share [`CHANCE`]: that of telling any difference where there is none.

use serde::{Deserialize, Serialize};

/// The chance of telling a difference that is noise, for all decisions of a benchmark together.
pub(super) const CHANCE: f64 = 0.005;
/// The smallest difference that is told, in percent.
pub(super) const LEAST: f64 = 2.0;
/// The factor from a median absolute deviation to the standard deviation of a normal distribution.
const SCALE: f64 = 1.4826;

/// The outcome of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Faster than the reference.
    Faster,
    /// Slower than the reference.
    Slower,
    /// No difference that these runs could tell.
    NoDifference,
    /// Too few runs to decide.
    Undecided,
}

impl Verdict {
    /// Returns the words for it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::NoDifference => "no difference",
            Self::Undecided => "undecided",
        }
    }
}

/// A difference of speeds, in percent of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The outcome.
    pub verdict: Verdict,
    /// The estimate.
    pub percent: f64,
    /// The ends of its interval; absent if there are too few runs for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// The smallest difference that these runs could have told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detectable: Option<f64>,
}

/// Returns the median; none of nothing.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    Some(f64::midpoint(*sorted.get(last / 2)?, *sorted.get(last - last / 2)?))
}

/// Returns the noise of a series: the median absolute deviation, scaled to compare with a standard deviation.
pub(super) fn noise(values: &[f64]) -> f64 {
    let Some(middle) = median(values) else { return 0.0 };
    let deviations: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    median(&deviations).unwrap_or_default() * SCALE
}

/// Returns the least number of pairs from which so many decisions can be made.
pub(super) fn needed(decisions: usize) -> usize {
    // All pairs on one side is the least likely outcome: twice one half for each of them.
    let chance = share(decisions);
    (1..64).find(|pairs| 2.0 * 0.5_f64.powi(*pairs) <= chance).map_or(64, |pairs| pairs as usize)
}

/// Returns the chance that one of so many decisions has for itself.
fn share(decisions: usize) -> f64 {
    CHANCE / decisions.max(1) as f64
}

/// Compares speeds with those of the reference in the same rounds. `decisions`: the number of comparisons that share the
/// chance of an error.
pub(super) fn compare(pairs: &[(f64, f64)], decisions: usize) -> Difference {
    let is_usable = |(reference, speed): &&(f64, f64)| *reference > 0.0 && *speed > 0.0;
    let ratios = pairs.iter().filter(is_usable).map(|(reference, speed)| (speed / reference).ln());
    let mut logs: Vec<f64> = ratios.filter(|log| log.is_finite()).collect();
    logs.sort_by(f64::total_cmp);
    let estimate = median(&logs).unwrap_or_default();
    let bounds = cut(logs.len(), share(decisions)).and_then(|cut| {
        let last = logs.len().checked_sub(1)?;
        Some((*logs.get(cut)?, *logs.get(last.checked_sub(cut)?)?))
    });
    let percent = |log: f64| log.exp_m1() * 100.0;
    let percent_of_estimate = percent(estimate);
    let Some((low, high)) = bounds else {
        return Difference {
            verdict: Verdict::Undecided,
            percent: percent_of_estimate,
            interval: None,
            detectable: None,
        };
    };
    let is_told = (low > 0.0 || high < 0.0) && percent_of_estimate.abs() >= LEAST;
    let verdict = match (is_told, estimate > 0.0) {
        (false, _) => Verdict::NoDifference,
        (true, true) => Verdict::Faster,
        (true, false) => Verdict::Slower,
    };
    Difference {
        verdict,
        percent: percent_of_estimate,
        interval: Some((percent(low), percent(high))),
        detectable: Some(percent((high - low) / 2.0).max(LEAST)),
    }
}

/// Returns the number of ratios to cut off at each end for an interval of the median that errs with at most this chance;
/// none if even the whole range errs more often.
fn cut(pairs: usize, chance: f64) -> Option<usize> {
    // The chance that just so many of all ratios are on one side of the median, beginning with none.
    let mut exactly = 0.5_f64.powi(i32::try_from(pairs).ok()?);
    let mut tail = 0.0;
    let fitting = (0..pairs).take_while(|side| {
        tail += exactly;
        exactly *= (pairs - side) as f64 / (side + 1) as f64;
        2.0 * tail <= chance
    });
    fitting.count().checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from a seed: Knuth's generator, as everywhere here, summed up to something like a normal distribution.
    struct Noise(u64);

    impl Noise {
        fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 11) as f64 / (1_u64 << 53) as f64
        }

        fn normal(&mut self) -> f64 {
            (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
        }

        /// Returns the speeds of rounds in which the second is `factor` as fast, on a machine that slows down, with
        /// noise of this share, and in one benchmark of four a run that another program disturbed.
        fn rounds(&mut self, count: usize, factor: f64, share: f64) -> Vec<(f64, f64)> {
            (0..count)
                .map(|round| {
                    let machine = 1000.0 * (1.0 - 0.005 * round as f64);
                    let mut one = |factor: f64| {
                        let odd = if self.uniform() < 0.008 { 0.7 } else { 1.0 };
                        machine * factor * odd * (1.0 + share * self.normal())
                    };
                    (one(1.0), one(factor))
                })
                .collect()
        }
    }

    #[test]
    fn the_exact_chances_are_those_of_the_tables() {
        // The table of the sign test, two-sided: the greatest count at which it still tells a difference.
        for (pairs, chance, greatest) in
            [(6, 0.05, 0), (8, 0.05, 0), (10, 0.05, 1), (10, 0.01, 0), (12, 0.05, 2), (20, 0.01, 3), (25, 0.05, 7)]
        {
            assert_eq!(cut(pairs, chance), Some(greatest), "{pairs} pairs at {chance}");
        }
        assert!(cut(1000, 0.005).is_some_and(|cut| (440..460).contains(&cut)));
        assert_eq!(cut(5, 0.05), None, "one of 16 is more often than one in 20");
        assert_eq!(cut(0, 0.5), None);
    }

    #[test]
    fn so_many_pairs_are_needed_as_the_least_likely_outcome_demands() {
        assert_eq!([1, 2, 4, 10].map(needed), [9, 10, 11, 12]);
        for decisions in 1..20 {
            let pairs = needed(decisions);
            assert!(cut(pairs, share(decisions)).is_some() && cut(pairs - 1, share(decisions)).is_none());
        }
    }

    #[test]
    fn a_slowdown_of_ten_percent_is_told_in_each_of_twenty_benchmarks() {
        let mut noise = Noise(1);
        for share in [0.001, 0.01, 0.02] {
            for _ in 0..20 {
                let found = compare(&noise.rounds(16, 0.9, share), 2);
                assert_eq!(found.verdict, Verdict::Slower, "{share}: {found:?}");
                assert!((found.percent + 10.0).abs() < 3.0, "{found:?}");
                let found = compare(&noise.rounds(16, 1.0 / 0.9, share), 2);
                assert_eq!(found.verdict, Verdict::Faster, "{share}: {found:?}");
            }
        }
    }

    #[test]
    fn one_disturbed_round_of_sixteen_changes_no_verdict() {
        for disturbed in [0.01, 100.0] {
            let mut pairs = vec![(100.0, 90.0); 15];
            pairs.push((100.0, disturbed * 90.0));
            assert_eq!(compare(&pairs, 2).verdict, Verdict::Slower);
        }
    }

    #[test]
    fn no_difference_is_told_where_there_is_none_however_much_noise_there_is() {
        let mut noise = Noise(2);
        let mut told = 0;
        for share in [0.0, 0.001, 0.01, 0.05, 0.2] {
            for _ in 0..200 {
                let found = compare(&noise.rounds(10, 1.0, share), 2);
                told += usize::from(found.verdict != Verdict::NoDifference);
            }
        }
        // The rule allows one in 400 decisions, of 1000; these are the same numbers in every run.
        assert!(told <= 3, "{told}");
    }

    #[test]
    fn what_a_run_could_have_told_grows_with_its_noise() {
        let mut noise = Noise(3);
        let detectable = |found: Difference| found.detectable.unwrap();
        let (quiet, loud) = (compare(&noise.rounds(16, 1.0, 0.001), 2), compare(&noise.rounds(16, 1.0, 0.1), 2));
        assert!(detectable(loud) > 2.0 * detectable(quiet), "{quiet:?} {loud:?}");
        let same = compare(&[(100.0, 100.0); 10], 2);
        assert_eq!((same.percent, same.interval, same.detectable), (0.0, Some((0.0, 0.0)), Some(LEAST)));
        // A difference that is certain and small is no difference worth a word.
        assert_eq!(compare(&[(100.0, 101.0); 10], 2).verdict, Verdict::NoDifference);
        assert_eq!(compare(&[(100.0, 103.0); 10], 2).verdict, Verdict::Faster);
    }

    #[test]
    fn few_or_odd_numbers_decide_nothing() {
        for pairs in [
            vec![],
            vec![(100.0, 50.0); 9],
            vec![(0.0, 1.0); 20],
            vec![(f64::NAN, 1.0); 20],
            vec![(1.0, f64::INFINITY); 20],
        ] {
            let found = compare(&pairs, 2);
            assert_eq!((found.verdict, found.detectable), (Verdict::Undecided, None), "{pairs:?}");
        }
    }

    #[test]
    fn one_disturbed_run_moves_neither_middle_nor_noise() {
        let speeds = [100.0, 101.0, 99.0, 100.0, 10.0];
        assert_eq!(median(&speeds), Some(100.0));
        assert!((noise(&speeds) - SCALE).abs() < 1e-9);
        assert_eq!((median(&[1.0, 2.0]), median(&[]), noise(&[])), (Some(1.5), None, 0.0));
    }
}
