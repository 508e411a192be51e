//! `strixlock report`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Session;
use super::advice::advice;
use super::generations::{made, size};
use super::leaving::left;
use super::versions::{OutputVersion, changes, line, versions};
use crate::digest::Sha256Digest;
use crate::error::{Error, Result};
use crate::html_page::{
    Deadline, Facts, FailedCheck, GenerationFacts, Locked, Part, RuntimeFacts, Verdict, is_page, page,
};
use crate::inputs::LockedInput;
use crate::lock::Lock;
use crate::recipe::{OutputRole, Recipe};
use crate::report::Known;
use crate::store::{Generation, Profile, Store, replace_file};
use crate::text;
use crate::validate::{self, Outcome, history};

/// Write one HTML page about the project: pins, generations, speed, the runtime, evidence, and what is not verified
///
/// The page loads nothing and works without JavaScript. Parts that are missing say which command makes them. The same
/// facts give the same bytes on the same day. Uses no network.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// File to write [default: report.html beside lock/]
    #[arg(short, long, value_name = "FILE", value_parser = super::paths::path())]
    output: Option<PathBuf>,
}

pub fn run(args: &ReportArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    if session.lock_if_there()?.is_none() && !session.project.manifest_path().is_file() {
        // A page about no project helps nobody.
        session.lock()?;
    }
    let path = args.output.clone().unwrap_or_else(|| session.project.directory().join("report.html"));
    let there = there(&path)?;
    let today = text::day(session.now).unwrap_or_default();
    let store = session.store_to_read().map_err(|error| format!("The store cannot be read: {}.", error.message()));
    let lock = session.lock_if_there()?;
    let known = match (lock, &store) {
        (Some(lock), Ok(store)) => Known::read(lock, store),
        _ => Known::default(),
    };
    let (generations, unreadable) = match &store {
        Ok(store) => {
            let (all, unreadable) = generations(session, store)?;
            (Ok(all), unreadable)
        }
        Err(why) => (Err(why.clone()), Vec::new()),
    };
    let facts = Facts {
        project: project(session)?,
        today,
        locked: locked(session, lock, &known)?,
        generations,
        unreadable,
        history: history(&session.project.directory().join("validation")).map_err(|error| error.message().to_owned()),
        runtimes: runtimes(session, lock, store.as_ref()),
    };
    let page = page(&facts);
    let written = there.as_ref() != Some(&page.html);
    if written {
        replace_file(&path, page.html.as_bytes())?;
    }
    let bytes = page.html.len();
    let json =
        json!({ "file": path.display().to_string(), "written": written, "bytes": bytes, "sections": page.sections });
    ui.result(json, || {
        let verb = if written { "wrote" } else { "up to date:" };
        ui.line(format!("{verb} {} ({})", path.display(), text::bytes(bytes as u64)));
    });
    for section in &page.sections {
        for left_out in section
            .missing
            .iter()
            .map(|why| why.trim_end_matches('.'))
            .chain(section.passed_over.iter().map(String::as_str))
        {
            ui.note(&format!("not on it: {}: {left_out}", section.title.to_lowercase()));
        }
    }
    Ok(0)
}

/// Returns the text of the page that is there. Fails for anything that strixlock did not write.
fn there(path: &Path) -> Result<Option<String>> {
    if fs_err::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(Error::failure("the path to write to is not a regular file").fact("path", path.display()));
    }
    let there = match fs_err::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if is_page(&there) {
        return Ok(Some(there));
    }
    Err(Error::failure("strixlock did not write this file, and does not replace it")
        .fact("path", path.display())
        .hint("name another file: `strixlock report -o FILE`"))
}

/// Returns the name of the project's directory.
fn project(session: &Session) -> Result<String> {
    let directory = std::path::absolute(Path::new(".").join(session.project.directory()))?;
    Ok(directory.file_name().map_or_else(|| "/".to_owned(), |name| name.to_string_lossy().into_owned()))
}

fn locked<'l>(session: &Session, lock: Option<&'l Lock>, known: &'l Known) -> Result<Part<Locked<'l>>> {
    let Some(lock) = lock else {
        return Ok(Err("There is no lock yet: strixlock update writes it.".to_owned()));
    };
    let mut advised: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in advice(session, lock) {
        advised.entry(one.input.clone()).or_default().push(one.text());
    }
    let digest = Sha256Digest::of(lock.to_text()?.as_bytes());
    Ok(Ok(Locked { lock, digest, known, deadlines: deadlines(session, lock), advice: advised }))
}

/// Returns the days on which upstreams delete pins, as far as their policies are known.
fn deadlines(session: &Session, lock: &Lock) -> BTreeMap<String, Deadline> {
    let of = |(name, input): (&String, &LockedInput)| {
        let left = left(session, input)?;
        Some((name.clone(), Deadline { days: left.days, because: left.because() }))
    };
    lock.inputs.iter().filter_map(of).collect()
}

/// Returns the generations of the profile, and those whose records cannot be read.
fn generations(session: &Session, store: &Store) -> Result<(Vec<GenerationFacts>, Vec<String>)> {
    let profile = session.profile_there()?;
    let (mut all, mut unreadable) = (Vec::new(), Vec::new());
    let current = profile.current()?;
    let mut before: Option<(Generation, Vec<OutputVersion>)> = None;
    for number in profile.generations()? {
        let generation = match profile.generation(number) {
            Ok(generation) => generation,
            Err(error) => {
                unreadable.push(format!("generation {number}: {}", error.message()));
                continue;
            }
        };
        let outputs = versions(&profile, number, &generation);
        let changed = before.as_ref().map(|(old, from)| {
            let tree = |generation: &Generation, name: &str| generation.outputs.get(name).map(|output| output.tree);
            changes(from, &outputs, |name| tree(old, name) == tree(&generation, name))
        });
        all.push(GenerationFacts {
            number,
            made: made(&profile, number)?,
            current: Some(number) == current,
            size: size(store, &generation)?,
            versions: line(&outputs),
            changes: changed.unwrap_or_default(),
            verdict: verdict(session, &profile, &generation),
        });
        before = Some((generation, outputs));
    }
    Ok((all, unreadable))
}

/// Returns the verdict of the newest validation of a generation's lock, in the project that the profile belongs to.
fn verdict(session: &Session, profile: &Profile, generation: &Generation) -> Option<Verdict> {
    let project = profile.project().map_or_else(|| session.project.directory(), Path::to_path_buf);
    let validation = validate::of(&project.join("validation"), generation.lock)?;
    let count = |outcome: Outcome| validation.checks.iter().filter(|check| check.outcome == outcome).count();
    let failed = validation.checks.iter().filter(|check| check.outcome == Outcome::Failed);
    Some(Verdict {
        device: validation.device,
        failed: failed.map(|check| FailedCheck { name: check.name.clone(), found: check.found.clone() }).collect(),
        passed: count(Outcome::Passed),
        not_run: count(Outcome::NotRun),
    })
}

/// Explains the runtimes of the lock.
fn runtimes(
    session: &Session,
    lock: Option<&Lock>,
    store: std::result::Result<&&Store, &String>,
) -> Part<Vec<(String, Part<RuntimeFacts>)>> {
    let lock = lock.ok_or("There is no lock yet: strixlock update writes it.")?;
    let store = store.map_err(String::clone)?;
    let is_runtime =
        |name: &&String| lock.outputs.get(*name).is_some_and(|output| output.recipe.is(OutputRole::Runtime));
    let names = lock.ordered().into_iter().filter(is_runtime);
    Ok(names.map(|name| (name.clone(), runtime(session, lock, store, name))).collect())
}

fn runtime(session: &Session, lock: &Lock, store: &Store, name: &str) -> Part<RuntimeFacts> {
    let recipe = lock.outputs.get(name).map(|output| &output.recipe);
    let Some(recipe @ Recipe::Runtime(_)) = recipe else { return Err(format!("{name} is not a runtime.")) };
    let parts = recipe.outputs().into_iter().map(|(_, part)| part).chain(lock.base_of(recipe.build_root()));
    for part in parts {
        let id = lock.outputs.get(part).map(|output| output.derivation);
        match id.map(|id| (store.output(id), store.output_record(id))) {
            Some((Ok(Some(_)), _)) => {}
            // Nothing is brought back for a page.
            Some((Ok(None), Ok(Some(_)))) => {
                return Err(format!(
                    "{part}, which {name} is made from, is packed away: strixlock realize brings it back."
                ));
            }
            _ => {
                return Err(format!("{part}, which {name} is made from, is not realized: strixlock realize makes it."));
            }
        }
    }
    let explained = session.realizer(lock, None).and_then(|realizer| realizer.explain(name));
    let runtime = explained.map_err(|error| format!("{name} cannot be explained: {}.", error.message()))?;
    Ok(RuntimeFacts::of(&runtime))
}
