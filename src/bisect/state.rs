//! The state of a bisect: a pure function of its log.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::journal::{Event, How, Journal, Plan, Version, Word};
use super::line::Answer;
use super::search::{self, Next, Point, Question, Verdict};

/// The state of a bisect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The answer of each combination that was tested.
    pub answers: BTreeMap<Point, Answer>,
    /// The next step.
    pub now: Now,
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Now {
    /// Test a combination.
    Test {
        /// The combination.
        point: Point,
        /// The question that it answers.
        question: Question,
        /// Number of versions that may have to be tested.
        left: usize,
        /// Number of tests in the worst case, if none is skipped.
        steps: u32,
    },
    /// Test a combination once more, to confirm the result.
    Again(Point),
    /// The tests of a combination came out differently.
    Flaky {
        /// The combination.
        point: Point,
        /// The outcome.
        why: String,
    },
    /// It is over.
    Done(Verdict),
}

impl State {
    /// Returns the state after everything in the log. The last word on a combination counts.
    #[must_use]
    pub fn of(journal: &Journal) -> Self {
        let (mut answers, mut again) = (BTreeMap::new(), BTreeSet::new());
        let mut flaky: Option<&Event> = None;
        for event in &journal.events {
            match event.word {
                Word::First(answer) => {
                    answers.insert(event.point.clone(), answer);
                    again.remove(&event.point);
                    flaky = flaky.filter(|flaky| flaky.point != event.point);
                }
                Word::Again(answer) if answers.get(&event.point) == Some(&answer) => {
                    again.insert(event.point.clone());
                }
                Word::Again(_) | Word::Flaky => flaky = Some(event),
            }
        }
        let now = match flaky {
            Some(event) => Now::Flaky { point: event.point.clone(), why: event.why.clone() },
            None => now(&journal.plan, &answers, &again),
        };
        Self { answers, now }
    }

    /// Returns the state as a text for people.
    #[must_use]
    pub fn text(&self, journal: &Journal) -> String {
        let plan = &journal.plan;
        let mut text = String::from("# Follows from the file `log`, and is only to be read.\n");
        // Writing to a string does not fail.
        for line in &plan.lines {
            let label = |at: usize| line.versions.get(at).map_or("", |version| version.label());
            let last = line.versions.len().saturating_sub(1);
            let _ = writeln!(text, "{}: {} {} from {} to {}", line.input, last + 1, line.word, label(0), label(last));
        }
        for (point, answer) in &self.answers {
            let why = journal.events.iter().rev().find(|event| event.point == *point).map_or("", |event| &event.why);
            let _ = writeln!(text, "{}: {} ({why})", plan.named(point), answer.word());
        }
        let _ = writeln!(text, "{}", self.now.text(plan));
        text
    }
}

fn now(plan: &Plan, answers: &BTreeMap<Point, Answer>, again: &BTreeSet<Point>) -> Now {
    // Whoever tries by hand has tried the ends.
    let trusted = plan.how == How::Interactive;
    let answer =
        |point: &Point| answers.get(point).copied().or_else(|| plan.is_known_bad(point).then_some(Answer::Skip));
    match search::next(&plan.lasts(), &answer, trusted) {
        Next::Test { point, question, left, steps } => Now::Test { point, question, left, steps },
        Next::Done(Verdict::Found { culprits, together }) => {
            let ends = culprits.iter().flat_map(|culprit| [&culprit.good, &culprit.bad]);
            let tested = |point: &&Point| matches!(answers.get(*point), Some(Answer::Good | Answer::Bad));
            let open = { ends }.filter(tested).find(|point| plan.confirm && !again.contains(*point));
            match open {
                Some(point) => Now::Again(point.clone()),
                None => Now::Done(Verdict::Found { culprits, together }),
            }
        }
        Next::Done(verdict) => Now::Done(verdict),
    }
}

impl Now {
    /// Returns what comes next, as one line.
    #[must_use]
    pub fn text(&self, plan: &Plan) -> String {
        match self {
            Self::Test { point, question: Question::Which(input), .. } => {
                let name = plan.lines.get(*input).map_or("", |line| &line.input);
                format!("next: {} (is it {name}?)", plan.named(point))
            }
            Self::Test { point, question: Question::Where(_), left, steps } => {
                format!("next: {} ({left} left, about {steps} steps)", plan.named(point))
            }
            Self::Again(point) => format!("next: {} once more", plan.named(point)),
            Self::Flaky { point, why } => format!("stopped: {} is answered differently: {why}", plan.named(point)),
            Self::Done(verdict) => verdict.text(plan),
        }
    }
}

impl Verdict {
    /// Returns the result, a line for each input that brought the fault.
    #[must_use]
    pub fn text(&self, plan: &Plan) -> String {
        let Self::Found { culprits, together } = self else {
            return match self {
                Self::GoodIsBad => "the version that was said to be good is bad".to_owned(),
                Self::BadIsGood => "the version that was said to be bad is good".to_owned(),
                Self::Contradiction { good, bad } => {
                    format!("{} is good, and {} is bad", plan.named(good), plan.named(bad))
                }
                _ => "no combination that tells the inputs apart could be tested".to_owned(),
            };
        };
        let found = culprits.iter().filter_map(|culprit| {
            let line = plan.lines.get(culprit.input)?;
            let places: Vec<&str> =
                culprit.places().filter_map(|at| line.versions.get(at)).map(Version::label).collect();
            Some(match places.as_slice() {
                [one] => format!("{}: {one} is the first bad version", line.input),
                several => format!("{}: one of {} is the first bad version", line.input, several.join(", ")),
            })
        });
        let found = found.collect::<Vec<_>>().join("\n");
        if *together && culprits.len() > 1 { format!("{found}\nonly together, not alone") } else { found }
    }
}

#[cfg(test)]
mod tests {
    use super::super::journal::tests::plan;
    use super::*;

    fn journal(events: &[(Word, usize)]) -> Journal {
        let event = |(word, at): &(Word, usize)| Event { word: *word, point: vec![*at], why: "seen".to_owned() };
        Journal { plan: plan(&[5]), events: events.iter().map(event).collect() }
    }

    const GOOD: Word = Word::First(Answer::Good);
    const BAD: Word = Word::First(Answer::Bad);

    #[test]
    fn a_result_is_confirmed_at_both_ends() {
        let mut events = vec![(GOOD, 1), (BAD, 2)];
        assert_eq!(State::of(&journal(&events)).now, Now::Again(vec![1]));
        events.push((Word::Again(Answer::Good), 1));
        assert_eq!(State::of(&journal(&events)).now, Now::Again(vec![2]));
        let mut differs = events.clone();
        differs.push((Word::Again(Answer::Good), 2));
        assert_eq!(State::of(&journal(&differs)).now, Now::Flaky { point: vec![2], why: "seen".to_owned() });
        events.push((Word::Again(Answer::Bad), 2));
        let State { now, answers } = State::of(&journal(&events));
        assert!(matches!(now, Now::Done(Verdict::Found { .. })));
        assert_eq!(answers.len(), 2);
    }

    #[test]
    fn what_is_known_to_be_bad_is_not_tested() {
        let mut journal = journal(&[]);
        assert!(matches!(State::of(&journal).now, Now::Test { point, .. } if point == [2]));
        journal.plan.lines[0].versions[2].known_bad = "known to be bad".to_owned();
        assert!(matches!(State::of(&journal).now, Now::Test { point, .. } if point == [1]));
        journal.plan.lines[0].versions[4].known_bad = "known to be bad".to_owned();
        assert!(!journal.plan.is_known_bad(&vec![4]), "an end is what somebody said of it");
    }

    #[test]
    fn a_later_word_settles_what_was_flaky() {
        let events = [(Word::Flaky, 2), (BAD, 2)];
        assert!(matches!(State::of(&journal(&events[..1])).now, Now::Flaky { .. }));
        assert!(matches!(State::of(&journal(&events)).now, Now::Test { .. }));
    }

    #[test]
    fn the_state_is_a_text() {
        let journal = journal(&[(BAD, 2)]);
        insta::assert_snapshot!(State::of(&journal).text(&journal), @r"
        # Follows from the file `log`, and is only to be read.
        input0: 5 nightlies from 1.0.0 to 1.0.4
        1.0.2: bad (seen)
        next: b1 (0123) (1 left, about 2 steps)
        ");
    }
}
