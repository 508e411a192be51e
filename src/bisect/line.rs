//! Bisection of one line of versions, from one that is good to one that is bad.
//!
//! Both ends are somebody's word. Neither is tested beforehand, which would cost two tests each time: an end is tested
//! last, and only if no answer on its side vouches for it. If all tested versions are bad, the good end may be bad too.
//!
//! Untested versions are halved, as git bisect does. Versions without an answer ([`Answer::Skip`]) do not count any
//! more. Their neighbours often have none either, so a test keeps away from them as far as it costs no further step in
//! the worst case. With `n` versions there are never more than ceil(log2 n) + 1 tests that are answered.

/// The verdict of a test on a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The fault is not there.
    Good,
    /// The fault is there.
    Bad,
    /// The version cannot be tested.
    Skip,
}

impl Answer {
    /// Returns its word in the log and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Skip => "skip",
        }
    }
}

/// The next step on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Test a version.
    Test {
        /// Its place on the line.
        at: usize,
        /// Number of versions that may have to be tested.
        left: usize,
        /// Number of tests in the worst case, if none is skipped.
        steps: u32,
    },
    /// The fault came after `good`, and is there in `bad`; versions between them were skipped.
    Found {
        /// The last good version.
        good: usize,
        /// The first version that is known to be bad.
        bad: usize,
    },
    /// The end that was said to be good is bad.
    GoodIsBad,
    /// The end that was said to be bad is good.
    BadIsGood,
    /// A version is good, although an earlier one is bad.
    Contradiction {
        /// The good version.
        good: usize,
        /// The earlier version, which is bad.
        bad: usize,
    },
}

/// Returns the next step on the line of the versions `0..=last`, of which the first is said to be good, and the last to
/// be bad. The ends are not tested if they are `trusted`.
pub fn step(last: usize, answer: impl Fn(usize) -> Option<Answer>, trusted: bool) -> Step {
    if answer(0) == Some(Answer::Bad) {
        return Step::GoodIsBad;
    }
    if answer(last) == Some(Answer::Good) {
        return Step::BadIsGood;
    }
    let good = (0..=last).rev().find(|at| answer(*at) == Some(Answer::Good)).unwrap_or(0);
    let bad = (0..=last).find(|at| answer(*at) == Some(Answer::Bad)).unwrap_or(last);
    if bad < good {
        return Step::Contradiction { good, bad };
    }
    let untested = |end: usize| usize::from(!trusted && answer(end).is_none());
    let (below, above) = (if good == 0 { untested(0) } else { 0 }, if bad == last { untested(last) } else { 0 });
    let open: Vec<usize> = (good + 1..bad).filter(|at| answer(*at).is_none()).collect();
    let steps = steps(open.len(), below + above);
    let left = open.len();
    if open.is_empty() {
        return match (below, above) {
            // The bad end is tested first: it is what people have at hand.
            (_, 1..) => Step::Test { at: last, left, steps },
            (1.., _) => Step::Test { at: 0, left, steps },
            _ => Step::Found { good, bad },
        };
    }
    let skipped: Vec<usize> = (good + 1..bad).filter(|at| answer(*at) == Some(Answer::Skip)).collect();
    Step::Test { at: choose(&open, &skipped, (below, above), steps), left, steps }
}

/// Returns the number of tests that tell where the fault came, in the worst case, for this many untested versions
/// between the ends. An end that may have to be tested counts like one more version.
#[must_use]
pub fn steps(open: usize, ends: usize) -> u32 {
    (open + 1 + ends).next_power_of_two().trailing_zeros()
}

/// Chooses the version to test among the open ones. `below` and `above` are 1 if that end may have to be tested.
fn choose(open: &[usize], skipped: &[usize], (below, above): (usize, usize), steps: u32) -> usize {
    let half = 1_usize << steps.saturating_sub(1);
    // What is left when the version at `index` is bad, and when it is good.
    let halves = |index: usize| (index + 1 + below, open.len() - index + above);
    let unevenness = |index: &usize| {
        let (lower, upper) = halves(*index);
        lower.abs_diff(upper)
    };
    let cheap = (0..open.len()).filter(|index| {
        let (lower, upper) = halves(*index);
        lower <= half && upper <= half
    });
    let mut cheap: Vec<usize> = cheap.collect();
    cheap.sort_by_key(|index| (unevenness(index), *index));
    // The more there are, the farther away: their number is about the width of what cannot be tested.
    let distance = |index: usize| skipped.iter().map(|one| one.abs_diff(open[index])).min();
    let is_far = |index: &&usize| distance(**index).is_none_or(|distance| distance > skipped.len());
    let farthest = || cheap.iter().rev().max_by_key(|index| distance(**index));
    let chosen = cheap.iter().find(is_far).or_else(farthest).copied().unwrap_or(open.len() / 2);
    open[chosen]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Bisects `count` versions of which those from `first` on are bad, and these have no answer. Returns the end, the
    /// number of answered tests, and the skipped ones.
    fn bisect(count: usize, first: usize, skips: impl Fn(usize) -> bool) -> (Step, usize, usize) {
        let mut answers = BTreeMap::new();
        loop {
            let next = step(count - 1, |at| answers.get(&at).copied(), false);
            let Step::Test { at, steps, .. } = next else {
                let skipped = answers.values().filter(|answer| **answer == Answer::Skip).count();
                return (next, answers.len() - skipped, skipped);
            };
            let answer = match (skips(at), at < first) {
                (true, _) => Answer::Skip,
                (false, true) => Answer::Good,
                (false, false) => Answer::Bad,
            };
            assert_eq!(answers.insert(at, answer), None, "nothing is tested twice");
            assert!(steps as usize <= count, "{steps}");
        }
    }

    fn bound(count: usize) -> usize {
        count.next_power_of_two().trailing_zeros() as usize + 1
    }

    #[test]
    fn every_fault_is_found_whatever_is_skipped() {
        for count in 2..=11_usize {
            for skipped in 0..1_u32 << count {
                let skips = |at: usize| skipped >> at & 1 == 1;
                for first in 1..count {
                    let (end, tests, _) = bisect(count, first, skips);
                    let good = (1..first).rev().find(|at| !skips(*at)).unwrap_or(0);
                    let bad = (first..count - 1).find(|at| !skips(*at)).unwrap_or(count - 1);
                    assert_eq!(end, Step::Found { good, bad }, "{count} {first} {skipped:b}");
                    assert!(tests <= bound(count), "{tests} tests for {first} of {count}, without {skipped:b}");
                }
            }
        }
    }

    #[test]
    fn forty_nightlies_take_six_tests_at_most() {
        for first in 1..40 {
            let (end, tests, _) = bisect(40, first, |_| false);
            assert_eq!(end, Step::Found { good: first - 1, bad: first });
            assert!(tests <= 6, "{tests} for {first}");
        }
    }

    #[test]
    fn a_wrong_end_is_told() {
        for count in 2..40 {
            let (end, tests, _) = bisect(count, 0, |_| false);
            assert_eq!(end, Step::GoodIsBad);
            assert!(tests <= bound(count));
            let (end, tests, _) = bisect(count, count, |_| false);
            assert_eq!(end, Step::BadIsGood);
            assert!(tests <= bound(count));
        }
    }

    #[test]
    fn trusted_ends_are_not_tested() {
        let none = |_| None;
        assert_eq!(step(1, none, true), Step::Found { good: 0, bad: 1 });
        assert_eq!(step(1, none, false), Step::Test { at: 1, left: 0, steps: 2 });
        assert_eq!(step(8, none, true), Step::Test { at: 4, left: 7, steps: 3 });
    }

    #[test]
    fn answers_that_contradict_each_other_are_told() {
        let answer = |at| [(3, Answer::Bad), (5, Answer::Good)].into_iter().find(|(place, _)| *place == at);
        assert_eq!(step(9, |at| answer(at).map(|(_, answer)| answer), false), Step::Contradiction { good: 5, bad: 3 });
    }

    #[test]
    fn a_test_keeps_away_from_what_was_skipped() {
        let mut answers = BTreeMap::new();
        let mut tried = Vec::new();
        for _ in 0..4 {
            let Step::Test { at, .. } = step(40, |at| answers.get(&at).copied(), true) else { panic!("it ended") };
            answers.insert(at, Answer::Skip);
            tried.push(at);
        }
        assert_eq!(tried, [20, 18, 23, 14], "not its neighbours");
    }

    proptest! {
        #[test]
        fn long_lines_are_bisected_within_the_bound(
            count in 2_usize..400,
            first in any::<prop::sample::Index>(),
            skipped in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        ) {
            let first = 1 + first.index(count - 1);
            let skipped: Vec<usize> = skipped.into_iter().map(|index| index.index(count)).collect();
            let (end, tests, skips) = bisect(count, first, |at| skipped.contains(&at));
            prop_assert!(tests <= bound(count) && skips <= skipped.len());
            let Step::Found { good, bad } = end else { panic!("{end:?}") };
            prop_assert!(good < first && first <= bad);
            prop_assert!((good + 1..bad).all(|at| skipped.contains(&at)));
        }
    }
}
