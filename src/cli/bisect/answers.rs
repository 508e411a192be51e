//! Answers by hand, and the log.

use std::path::Path;

use serde_json::json;

use super::driver::{Driver, directory, hold, profile, read};
use super::{BisectArgs, demand_bare, ending, none_under_way, told};
use crate::bisect::{Answer, How, Journal, Now, Plan, Point, State, Word, begin, event_line};
use crate::cli::Session;
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::lock::Lock;
use crate::store::replace_file;
use crate::text::visible;

/// Versions that an answer is about.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// The version [default: the one that is tested now]
    #[arg(value_name = "[INPUT=]VERSION")]
    versions: Vec<String>,
}

fn open<'s>(args: &BisectArgs, session: &'s Session) -> Result<Driver<'s>> {
    demand_bare(args)?;
    let mut driver = Driver::open(session)?.ok_or_else(|| none_under_way(session))?;
    driver.build_as(args)?;
    Ok(driver)
}

/// Records an answer. Goes on if the bisect is one by hand.
pub(super) fn answer(args: &BisectArgs, session: &Session, named: &Named, answer: Answer) -> Result<u8> {
    let mut driver = open(args, session)?;
    let state = State::of(&driver.journal);
    let point = point(&driver.journal.plan, &state, &named.versions)?;
    let is_flaky = matches!(&state.now, Now::Flaky { point: flaky, .. } if *flaky == point);
    if let Some(before) = state.answers.get(&point).filter(|before| **before != answer && !is_flaky) {
        return Err(Error::new(Kind::Usage, "this version was answered differently before")
            .fact("version", driver.journal.plan.named(&point))
            .fact("before", before.word())
            .fact("now", answer.word())
            .hint(
                "if the earlier answer was wrong: `strixlock bisect log > FILE`, change its line there, then \
                 `strixlock bisect reset` and `strixlock bisect replay FILE`",
            ));
    }
    told::answer(&driver, Word::First(answer), &point, "by hand");
    driver.append(Word::First(answer), &point, "by hand".to_owned())?;
    if driver.journal.plan.how == How::Interactive {
        return driver.drive();
    }
    show(&driver)
}

/// Returns the combination that is meant: the named versions, and for others those that are tested now.
fn point(plan: &Plan, state: &State, named: &[String]) -> Result<Point> {
    let now = match &state.now {
        Now::Test { point, .. } | Now::Again(point) | Now::Flaky { point, .. } => Some(point.clone()),
        Now::Done(_) => None,
    };
    if named.is_empty() {
        return now.ok_or_else(|| Error::new(Kind::Usage, "this bisect is over: no version is tested now"));
    }
    let mut point = now.unwrap_or_else(|| vec![0; plan.lines.len()]);
    for text in named {
        let (input, version) = match text.split_once('=') {
            Some((input, version)) => (Some(input), version),
            None => (None, text.as_str()),
        };
        let lines = plan.lines.iter().enumerate().filter(|(_, line)| input.is_none_or(|input| line.input == input));
        let fits = |one: &crate::bisect::Version| {
            let number = one.label().split(' ').next();
            one.id == version || number == Some(version) || (version.len() >= 7 && one.id.starts_with(version))
        };
        let found = lines.into_iter().find_map(|(number, line)| Some((number, line.versions.iter().position(fits)?)));
        let Some((number, at)) = found else {
            return Err(Error::new(Kind::NotFound, format!("`{}` is not among the versions", visible(text)))
                .hint("`strixlock bisect log` lists them"));
        };
        if let Some(place) = point.get_mut(number) {
            *place = at;
        }
    }
    Ok(point)
}

/// Prints where the bisect is.
fn show(driver: &Driver) -> Result<u8> {
    let (ui, state) = (&driver.session.ui, State::of(&driver.journal));
    if ui.is_json() {
        ui.json(told::document(driver, &state)?);
        return Ok(0);
    }
    ui.line(state.now.text(&driver.journal.plan));
    ui.line("`strixlock bisect` goes on");
    Ok(0)
}

/// Prints the log.
pub(super) fn log(args: &BisectArgs, session: &Session) -> Result<u8> {
    demand_bare(args)?;
    if session.ui.is_json() {
        return show(&open(args, session)?);
    }
    let directory = directory(session);
    let (_, text) = read(&directory)?.ok_or_else(|| none_under_way(session))?;
    session.ui.line(text.trim_end());
    Ok(0)
}

/// Takes over a log: its versions and its answers.
pub(super) fn replay(args: &BisectArgs, session: &Session, file: &Path) -> Result<u8> {
    demand_bare(args)?;
    let text = fs_err::read_to_string(file).map_err(|error| {
        Error::new(Kind::NotFound, "the log cannot be read").fact("path", file.display()).because(&error)
    })?;
    let about = |error: Error| error.about(file.display().to_string());
    let journal = Journal::parse(&text).map_err(about)?;
    let directory = directory(session);
    if directory.join("log").is_file() {
        return Err(Error::new(Kind::Usage, "a bisect is under way").hint("`strixlock bisect reset` ends it"));
    }
    let base = find_lock(session, &directory, journal.plan.lock).map_err(about)?;
    let held = hold(&directory)?;
    let events: String = journal.events.iter().map(|event| event_line(&journal.plan, event)).collect();
    let text = begin(&journal.plan, &crate::text::date(session.now)) + &events;
    replace_file(&directory.join("strix.lock"), base.to_text()?.as_bytes())?;
    replace_file(&directory.join("log"), text.as_bytes())?;
    let driver = Driver::new(session, journal, (base, super::ends::known(session, None)?, None), held);
    driver.write_state()?;
    show(&driver)
}

/// Returns the lock with this digest: that of the project, of the bisect before, or of a generation.
fn find_lock(session: &Session, directory: &Path, wanted: Sha256Digest) -> Result<Lock> {
    let mut paths = vec![directory.join("strix.lock"), session.project.lock_path()];
    let profile = session.profile()?;
    paths.extend(profile.generations()?.into_iter().map(|number| profile.generation_lock(number)));
    for path in paths {
        if fs_err::read(&path).is_ok_and(|text| Sha256Digest::of(&text) == wanted) {
            return Lock::read(&path);
        }
    }
    Err(Error::new(Kind::NotFound, "the lock that the bisect was begun with is not here")
        .fact("lock", wanted)
        .hint("restore that lock, for instance from version control, and replay the log then"))
}

/// Removes the log and the generations.
pub(super) fn reset(args: &BisectArgs, session: &Session) -> Result<u8> {
    demand_bare(args)?;
    let directory = directory(session);
    let was_there = directory.join("log").is_file();
    let profile = profile(session)?;
    let generations = profile.generations()?.len();
    if was_there {
        let _held = hold(&directory)?;
        ending::forget(&directory)?;
        fs_err::remove_file(directory.join("log"))?;
    }
    profile.remove()?;
    let value = json!({
        "state": "none",
        "inputs": [],
        "answers": [],
        "next": null,
        "profile": profile.name(),
        "generations": 0,
        "found": [],
        "together": false,
        "log": directory.join("log").display().to_string(),
        "report": null,
        "advisory": null,
    });
    session.ui.result(value, || {
        let line = if was_there || generations > 0 {
            let generations = crate::text::counted(generations, "generation");
            format!("ended the bisect and removed its {generations}; `strixlock gc` frees the space")
        } else {
            "no bisect is under way".to_owned()
        };
        session.ui.line(line);
    });
    Ok(0)
}
