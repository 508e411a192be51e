//! The text of a report for upstream: what was found, between which versions, and how.

use std::fmt::Write as _;

use super::journal::{How, Journal, Plan, Version};
use super::search::{Culprit, Point};
use super::state::State;
use crate::page::{cell, fact};
use crate::text::{command_line, visible};

/// Everything that a report says besides the log.
pub struct Ending<'a> {
    /// The inputs that brought the fault.
    pub culprits: &'a [Culprit],
    /// For each of them what changed between the last good and the first bad version, as Markdown.
    pub changes: &'a [String],
    /// The machine, in a line.
    pub machine: String,
    /// The last lines that the command printed for the first bad version.
    pub output: Vec<String>,
}

/// Returns a report as Markdown.
#[must_use]
pub fn report(journal: &Journal, state: &State, ending: &Ending) -> String {
    let plan = &journal.plan;
    let first = ending.culprits.first().map(|culprit| title(plan, culprit)).unwrap_or_default();
    let mut page = format!("# {}\n\n", cell(&first));
    match &plan.how {
        How::Run(command) => fact(&mut page, "command", &command_line(command)),
        How::Validate(options) => {
            fact(&mut page, "command", format!("strixlock validate {}", command_line(options)).trim());
        }
        How::Interactive => fact(&mut page, "tested", "by hand"),
    }
    fact(&mut page, "machine", &ending.machine);
    for (culprit, changes) in ending.culprits.iter().zip(ending.changes) {
        let Some(line) = plan.lines.get(culprit.input) else { continue };
        let _ = writeln!(page, "\n## {}\n", cell(&line.input));
        for (label, point) in [("last good", &culprit.good), ("first bad", &culprit.bad)] {
            fact(&mut page, label, &with_address(plan, culprit.input, point));
        }
        let skipped: Vec<&str> = culprit.places().filter_map(|at| line.versions.get(at)).map(Version::label).collect();
        if let [between @ .., _] = skipped.as_slice()
            && !between.is_empty()
        {
            fact(&mut page, "between them, not tested", &between.join(", "));
        }
        if !changes.trim().is_empty() {
            let _ = writeln!(page, "\n{}", changes.trim_end());
        }
    }
    if !ending.output.is_empty() {
        let _ = writeln!(page, "\n## Output of the first bad version\n\n~~~text");
        for line in &ending.output {
            let _ = writeln!(page, "{}", visible(line).replace("~~~", "~ ~ ~"));
        }
        let _ = writeln!(page, "~~~");
    }
    let _ = writeln!(page, "\n## All answers\n\n| version | answer | how |\n| --- | --- | --- |");
    for (point, answer) in &state.answers {
        let why = journal.events.iter().rev().find(|event| event.point == *point).map_or("", |event| &event.why);
        let _ = writeln!(page, "| {} | {} | {} |", cell(&plan.named(point)), answer.word(), cell(why));
    }
    page
}

fn title(plan: &Plan, culprit: &Culprit) -> String {
    let name = plan.lines.get(culprit.input).map_or("", |line| &line.input);
    let label = |at: usize| plan.lines.get(culprit.input)?.versions.get(at).map(|one| one.label().to_owned());
    let (from, until) = (label(*culprit.places().start()), label(*culprit.places().end()));
    match (from, until) {
        (Some(from), Some(until)) if from != until => format!("{name}: fails since one of {from} to {until}"),
        (_, Some(until)) => format!("{name}: fails since {until}"),
        _ => name.to_owned(),
    }
}

/// Returns the version of an input in a combination with its address, and what the other inputs were held at.
fn with_address(plan: &Plan, input: usize, point: &Point) -> String {
    let version = point.get(input).and_then(|at| plan.lines.get(input)?.versions.get(*at));
    let Some(version) = version else { return String::new() };
    let more = version.url.clone().or_else(|| (version.label() != version.id).then(|| version.id.clone()));
    let held = if plan.lines.len() > 1 { format!(" (with {})", plan.named(point)) } else { String::new() };
    format!("{}{}{held}", version.label(), more.map(|more| format!(" {more}")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::journal::tests::plan;
    use super::super::journal::{Event, Word};
    use super::super::line::Answer;
    use super::*;

    #[test]
    fn a_report_says_what_was_found_and_how() {
        let event = |answer, at| Event {
            word: Word::First(answer),
            point: vec![at],
            why: "exit code 1 | after 0.2 s".to_owned(),
        };
        let events = vec![event(Answer::Bad, 3), event(Answer::Skip, 2), event(Answer::Good, 1)];
        let journal = Journal { plan: plan(&[5]), events };
        let culprits = [Culprit { input: 0, good: vec![1], bad: vec![3] }];
        let changes = ["* `one` moved".to_owned()];
        let output = vec!["~~~".to_owned(), "\u{1b}[31mfailed".to_owned()];
        let machine = "kernel `7`".to_owned();
        let ending = Ending { culprits: &culprits, changes: &changes, machine, output };
        insta::assert_snapshot!(report(&journal, &State::of(&journal), &ending), @r"
        # input0: fails since one of 1.0.2 to 1.0.3

        - command: `sh -c 'exit 1 # no'`
        - machine: `kernel ?7?`

        ## input0

        - last good: `b1 (0123) https://host/1%20.tar.gz#x`
        - first bad: `1.0.3 https://host/3%20.tar.gz#x`
        - between them, not tested: `1.0.2`

        * `one` moved

        ## Output of the first bad version

        ~~~text
        ~ ~ ~
        failed
        ~~~

        ## All answers

        | version | answer | how |
        | --- | --- | --- |
        | b1 (0123) | good | exit code 1 \| after 0.2 s |
        | 1.0.2 | skip | exit code 1 \| after 0.2 s |
        | 1.0.3 | bad | exit code 1 \| after 0.2 s |
        ");
    }
}
