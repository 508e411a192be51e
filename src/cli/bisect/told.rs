//! Messages on the way.

use serde_json::{Map, Value, json};

use super::driver::Driver;
use super::realized::Realized;
use crate::bisect::{Now, Point, Question, State, Word};
use crate::cli::ui::{ERROR, GOOD, WARNING};
use crate::error::{Error, Kind, Result};

/// Says how many versions are left.
pub(super) fn step(driver: &Driver, question: &Question, left: usize, steps: u32) {
    let plan = &driver.journal.plan;
    let steps = format!("about {steps} step{}", if steps == 1 { "" } else { "s" });
    let text = match question {
        Question::Which(input) => {
            let name = plan.lines.get(*input).map_or("", |line| line.input.as_str());
            format!("bisecting: is it {name} alone? {steps} in all")
        }
        Question::Where(input) if left > 0 => {
            format!("bisecting: {} left, {steps}", driver.counted(*input, left))
        }
        Question::Where(_) => "bisecting: all tests came out the same, so the other end is tested too".to_owned(),
    };
    driver.session.ui.note(&text);
}

/// Says an answer.
pub(super) fn answer(driver: &Driver, word: Word, point: &Point, why: &str) {
    let (style, text) = match word {
        Word::First(answer) | Word::Again(answer) => match answer {
            crate::bisect::Answer::Good => (GOOD, "good"),
            crate::bisect::Answer::Bad => (ERROR, "bad"),
            crate::bisect::Answer::Skip => (WARNING, "skipped"),
        },
        Word::Flaky => (ERROR, "answered differently"),
    };
    let again = if matches!(word, Word::Again(_)) { " again" } else { "" };
    let named = driver.journal.plan.named(point);
    driver.session.ui.note(&format!("{named}: {style}{text}{style:#}{again} ({why})"));
}

/// Says how a person tries a realized version.
pub(super) fn to_try(driver: &Driver, state: &State, point: &Point, realized: &Realized) -> Result<()> {
    let (ui, profile) = (&driver.session.ui, driver.profile()?);
    if ui.is_json() {
        let mut value = document(driver, state)?;
        value["next"]["generation"] = realized.number.into();
        ui.json(value);
        return Ok(());
    }
    ui.line(format!("{} is generation {} of {}", driver.journal.plan.named(point), realized.number, profile.name()));
    ui.line(format!("try it: strixlock --profile {} run -g {} PROGRAM", profile.name(), realized.number));
    ui.line("then say: strixlock bisect good, bad or skip");
    Ok(())
}

/// Returns the error for a version that is answered differently each time.
pub(super) fn flaky(driver: &Driver, point: &Point, why: &str) -> Error {
    Error::new(Kind::Unfit, "a version is answered differently each time, so that nothing can be bisected by it")
        .fact("version", driver.journal.plan.named(point))
        .fact("answers", why)
        .hint(
            "make the command decide by several runs, and begin anew after `strixlock bisect reset`; or say what it is \
             with `strixlock bisect good`, `bad` or `skip`, and go on with `strixlock bisect`",
        )
}

/// Returns the versions of a combination by input.
pub(super) fn versions(driver: &Driver, point: &Point) -> Value {
    let lines = driver.journal.plan.lines.iter().zip(point);
    let all: Map<String, Value> = lines
        .map(|(line, at)| (line.input.clone(), line.versions.get(*at).map_or("", |one| one.id.as_str()).into()))
        .collect();
    Value::Object(all)
}

/// Returns the document of a bisect.
pub(super) fn document(driver: &Driver, state: &State) -> Result<Value> {
    let plan = &driver.journal.plan;
    let end = |line: &crate::bisect::Line, first: bool| {
        let version = if first { line.versions.first() } else { line.versions.last() };
        version.map(|version| version.id.clone())
    };
    let inputs: Vec<Value> = plan
        .lines
        .iter()
        .map(|line| json!({ "input": line.input, "good": end(line, true), "bad": end(line, false), "versions": line.versions.len() }))
        .collect();
    let answers: Vec<Value> = driver
        .journal
        .events
        .iter()
        .map(|event| {
            let again = matches!(event.word, Word::Again(_));
            let answer = match event.word {
                Word::First(answer) | Word::Again(answer) => answer.word(),
                Word::Flaky => "flaky",
            };
            json!({ "versions": versions(driver, &event.point), "answer": answer, "again": again, "why": event.why })
        })
        .collect();
    let next = match &state.now {
        Now::Test { point, left, steps, .. } => {
            json!({ "versions": versions(driver, point), "left": left, "steps": steps, "generation": null })
        }
        Now::Again(point) | Now::Flaky { point, .. } => {
            json!({ "versions": versions(driver, point), "left": 0, "steps": 1, "generation": null })
        }
        Now::Done(_) => Value::Null,
    };
    Ok(json!({
        "state": if next.is_null() { "done" } else { "under-way" },
        "inputs": inputs,
        "answers": answers,
        "next": next,
        "profile": driver.profile()?.name(),
        "generations": driver.generations()?,
        "found": [],
        "together": false,
        "log": driver.directory().join("log").display().to_string(),
        "report": null,
        "advisory": null,
    }))
}
