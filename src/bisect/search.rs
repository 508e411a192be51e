//! Bisection of several inputs that all moved: first which of them brought the fault, then where on its line.
//!
//! A combination has a place on each line. Each input is tried alone: at its bad end, with all others at their good
//! ends. Those with which the fault is there are bisected with the others held good. If none brings the fault alone,
//! several bring it together: each without which the fault is gone is bisected, with the others held bad. For two
//! inputs both questions have the same two combinations.

use super::line::{self, Answer, Step};

/// A combination of versions: the place on the line of each input. All 0 is the good end.
pub type Point = Vec<usize>;

/// The question that a test answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Which input brought the fault: is it this one?
    Which(usize),
    /// Looks for the place of the fault on the line of this input.
    Where(usize),
}

/// The next step of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Test a combination.
    Test {
        /// The combination.
        point: Point,
        /// The question that it answers.
        question: Question,
        /// Number of versions of that line that may have to be tested.
        left: usize,
        /// Number of tests in the worst case, if none is skipped.
        steps: u32,
    },
    /// There is nothing more to test.
    Done(Verdict),
}

/// The result of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The inputs that brought the fault, and where.
    Found {
        /// One for each input.
        culprits: Vec<Culprit>,
        /// True if the fault is there only if all of them moved.
        together: bool,
    },
    /// The good end is bad.
    GoodIsBad,
    /// The bad end is good.
    BadIsGood,
    /// One combination is good, although one with nothing newer is bad.
    Contradiction {
        /// The good one.
        good: Point,
        /// The bad one.
        bad: Point,
    },
    /// No combination that tells the inputs apart could be tested.
    Untold,
}

/// An input that brought the fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Culprit {
    /// The number of the input.
    pub input: usize,
    /// The last good combination.
    pub good: Point,
    /// The first bad one. Combinations between them were skipped.
    pub bad: Point,
}

impl Culprit {
    /// Returns the places on the input's line that may be the first bad one: more than one if some were skipped.
    pub fn places(&self) -> std::ops::RangeInclusive<usize> {
        let at = |point: &Point| point.get(self.input).copied().unwrap_or_default();
        at(&self.good) + 1..=at(&self.bad)
    }
}

/// Returns the next step, for lines with these last places and these answers.
#[must_use]
pub fn next(lasts: &[usize], answer: &dyn Fn(&Point) -> Option<Answer>, trusted: bool) -> Next {
    match (Search { lasts, answer, trusted }).verdict() {
        Ok(verdict) => Next::Done(verdict),
        Err(test) => test,
    }
}

struct Search<'a> {
    lasts: &'a [usize],
    answer: &'a dyn Fn(&Point) -> Option<Answer>,
    trusted: bool,
}

impl Search<'_> {
    fn answer(&self, point: &Point) -> Option<Answer> {
        (self.answer)(point)
    }

    /// Returns the verdict, or the next test as an error.
    fn verdict(&self) -> Result<Verdict, Next> {
        let good = vec![0; self.lasts.len()];
        if let [_] = self.lasts {
            return self.on_lines(&good, [0], false);
        }
        let inputs = 0..self.lasts.len();
        let alone = |input: usize| with(&good, input, self.lasts[input]);
        self.ask(inputs.clone(), alone)?;
        let guilty: Vec<usize> =
            inputs.clone().filter(|input| self.answer(&alone(*input)) == Some(Answer::Bad)).collect();
        if !guilty.is_empty() {
            return self.on_lines(&good, guilty, false);
        }
        let bad = self.lasts.to_vec();
        let without = |input: usize| with(&bad, input, 0);
        self.ask(inputs.clone(), without)?;
        let involved: Vec<usize> = inputs.filter(|input| self.answer(&without(*input)) == Some(Answer::Good)).collect();
        if involved.is_empty() { Ok(Verdict::Untold) } else { self.on_lines(&bad, involved, true) }
    }

    /// Asks for the combination of each input that has no answer yet.
    fn ask(&self, inputs: std::ops::Range<usize>, point: impl Fn(usize) -> Point) -> Result<(), Next> {
        let open: Vec<usize> = inputs.filter(|input| self.answer(&point(*input)).is_none()).collect();
        let Some(first) = open.first() else { return Ok(()) };
        let longest = self.lasts.iter().max().copied().unwrap_or_default();
        let steps = open.len() as u32 + line::steps(longest.saturating_sub(1), 0);
        let left = self.lasts.iter().map(|last| last.saturating_sub(1)).sum();
        Err(Next::Test { point: point(*first), question: Question::Which(*first), left, steps })
    }

    /// Bisects the lines of these inputs one after another, with the others held at `base`. If the fault is there only
    /// together, an input that was bisected is held at its first bad version.
    fn on_lines(&self, base: &Point, inputs: impl IntoIterator<Item = usize>, together: bool) -> Result<Verdict, Next> {
        let (mut base, mut culprits) = (base.clone(), Vec::new());
        for input in inputs {
            let point = |at: usize| with(&base, input, at);
            let last = self.lasts[input];
            match line::step(last, |at| self.answer(&point(at)), self.trusted) {
                Step::Test { at, left, steps } => {
                    let question = Question::Where(input);
                    return Err(Next::Test { point: point(at), question, left, steps });
                }
                Step::Found { good, bad } => {
                    culprits.push(Culprit { input, good: point(good), bad: point(bad) });
                    if together {
                        base = point(bad);
                    }
                }
                Step::GoodIsBad if point(0).iter().all(|at| *at == 0) => return Ok(Verdict::GoodIsBad),
                Step::BadIsGood if point(last) == self.lasts => return Ok(Verdict::BadIsGood),
                Step::GoodIsBad => {
                    return Ok(Verdict::Contradiction { good: with(self.lasts, input, 0), bad: point(0) });
                }
                Step::BadIsGood => {
                    return Ok(Verdict::Contradiction { good: point(last), bad: self.lasts.to_vec() });
                }
                Step::Contradiction { good, bad } => {
                    return Ok(Verdict::Contradiction { good: point(good), bad: point(bad) });
                }
            }
        }
        Ok(Verdict::Found { culprits, together: together && self.lasts.len() > 1 })
    }
}

/// Returns a combination with one input elsewhere.
fn with(base: &[usize], input: usize, at: usize) -> Point {
    let mut point = base.to_vec();
    if let Some(place) = point.get_mut(input) {
        *place = at;
    }
    point
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Searches with this command. Returns the verdict and the combinations that were tested.
    fn search(lasts: &[usize], command: impl Fn(&[usize]) -> Answer) -> (Verdict, Vec<Point>) {
        let (mut answers, mut tested) = (BTreeMap::new(), Vec::new());
        loop {
            match next(lasts, &|point| answers.get(point).copied(), false) {
                Next::Done(verdict) => return (verdict, tested),
                Next::Test { point, .. } => {
                    assert_eq!(answers.insert(point.clone(), command(&point)), None, "{point:?} is tested twice");
                    tested.push(point);
                }
            }
        }
    }

    fn bad_if(is_bad: bool) -> Answer {
        if is_bad { Answer::Bad } else { Answer::Good }
    }

    fn places(verdict: &Verdict) -> Vec<(usize, std::ops::RangeInclusive<usize>)> {
        let Verdict::Found { culprits, .. } = verdict else { panic!("{verdict:?}") };
        culprits.iter().map(|culprit| (culprit.input, culprit.places())).collect()
    }

    #[test]
    fn the_input_is_found_first_and_then_the_place() {
        for first in 1..=20 {
            let (verdict, tested) = search(&[20, 7], |point| bad_if(point[0] >= first));
            assert_eq!(places(&verdict), [(0, first..=first)]);
            assert_eq!(tested[..2], [vec![20, 0], vec![0, 7]], "the two mixed combinations come first");
            assert!(tested[2..].iter().all(|point| point[1] == 0), "{tested:?}");
            assert!(tested.len() <= 2 + 5 + 1);
            let (verdict, _) = search(&[7, 20], |point| bad_if(point[1] >= first));
            assert_eq!(places(&verdict), [(1, first..=first)]);
        }
    }

    #[test]
    fn two_faults_and_a_fault_of_both_together_are_told_apart() {
        for (one, other) in [(1, 1), (3, 5), (9, 9), (9, 1)] {
            let (verdict, _) = search(&[9, 9], |point| bad_if(point[0] >= one || point[1] >= other));
            assert_eq!(places(&verdict), [(0, one..=one), (1, other..=other)]);
            assert!(matches!(verdict, Verdict::Found { together: false, .. }));
            let (verdict, _) = search(&[9, 9], |point| bad_if(point[0] >= one && point[1] >= other));
            assert_eq!(places(&verdict), [(0, one..=one), (1, other..=other)]);
            assert!(matches!(verdict, Verdict::Found { together: true, .. }));
        }
    }

    #[test]
    fn a_mixed_combination_that_cannot_be_tested_does_not_end_the_search() {
        let skip = |point: &[usize], what: &[usize]| (point == what).then_some(Answer::Skip);
        let rocm = |point: &[usize]| bad_if(point[0] >= 4);
        let (verdict, _) = search(&[9, 9], |point| skip(point, &[9, 0]).unwrap_or_else(|| rocm(point)));
        assert_eq!(places(&verdict), [(0, 4..=4)], "bisected with the other input held bad");
        let (verdict, _) = search(&[9, 9], |point| skip(point, &[0, 9]).unwrap_or_else(|| rocm(point)));
        assert_eq!(places(&verdict), [(0, 4..=4)]);
        let neither = |point: &[usize]| skip(point, &[0, 9]).or(skip(point, &[9, 0]));
        let (verdict, _) = search(&[9, 9], |point| neither(point).unwrap_or_else(|| rocm(point)));
        assert_eq!(verdict, Verdict::Untold);
    }

    #[test]
    fn wrong_ends_of_several_inputs_are_told() {
        assert_eq!(search(&[5, 5], |_| Answer::Bad).0, Verdict::GoodIsBad);
        assert_eq!(search(&[5, 5], |_| Answer::Good).0, Verdict::BadIsGood);
        assert_eq!(search(&[5], |_| Answer::Bad).0, Verdict::GoodIsBad);
        assert_eq!(search(&[5], |_| Answer::Good).0, Verdict::BadIsGood);
    }

    #[test]
    fn three_inputs_are_told_apart() {
        let (verdict, tested) = search(&[8, 8, 8], |point| bad_if(point[1] >= 6));
        assert_eq!(places(&verdict), [(1, 6..=6)]);
        assert!(tested.len() <= 3 + 3 + 1, "{tested:?}");
        let (verdict, _) = search(&[8, 8, 8], |point| bad_if(point[0] >= 2 && point[2] >= 3));
        assert_eq!(places(&verdict), [(0, 2..=2), (2, 3..=3)]);
    }
}
