//! `update`: asks every upstream what a request means today, takes in what is new, and gives the new lock.
//!
//! Nothing is written here but the store: the caller writes the lock, and only when every input succeeded. An input that
//! still means what the lock says keeps its block byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;
use tracing::{debug, info};
use url::Url;

use crate::error::{About, Error, Kind, Result};
use crate::inputs::{InputKind, Question, Resolution};
use crate::intake::Intake;
use crate::lock::{FORMAT, Lock, LockedOutput};
use crate::log::CACHE;
use crate::manifest::Manifest;
use crate::recipe::Recipe;
use crate::suggest::suggest;
use crate::threads::in_parallel;

/// What to update and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The inputs to ask for; all where it is empty. Inputs that the lock does not answer are asked for in any case.
    pub only: BTreeSet<String>,
    /// Find out, but take nothing in.
    pub dry_run: bool,
    /// Accept that upstream put other bytes under a name that is locked.
    pub accept_replaced: bool,
    /// Take this tarball for the one input of `only`, whatever the indexes list.
    pub url: Option<Url>,
    /// The time, in seconds since 1970: to tell an index that nobody updates any more.
    pub now: i64,
    /// Say nothing of builds that leave AMD's host soon: the caller says it of what is locked.
    pub without_leaving: bool,
    /// The directory that paths in the manifest are relative to.
    pub directory: PathBuf,
}

impl Options {
    /// Returns what is asked of upstream for one input.
    fn question<'a>(&'a self, name: &'a str, intake: Intake<'a>) -> Question<'a> {
        let named = self.only.contains(name);
        Question {
            name,
            intake,
            named,
            accept_replaced: self.accept_replaced,
            url: self.url.as_ref().filter(|_| named),
            now: self.now,
            without_leaving: self.without_leaving,
            directory: &self.directory,
        }
    }
}

/// What an update found.
#[derive(Debug)]
pub struct Update {
    /// The new lock; with `dry_run` only where it would be the old one.
    pub lock: Option<Lock>,
    /// What would change, or did.
    pub moves: Vec<Move>,
    /// Worth saying, but no failure.
    pub warnings: Vec<String>,
}

/// One input that means something else now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Move {
    /// Its name.
    pub input: String,
    /// What the lock says; absent where it says nothing.
    pub from: Option<String>,
    /// What upstream says.
    pub to: String,
    /// More of it, a line each: sizes, dates, subjects of commits.
    pub details: Vec<String>,
}

/// Updates: see the module.
pub fn update(manifest: &Manifest, old: Option<&Lock>, intake: Intake, options: &Options) -> Result<Update> {
    for name in &options.only {
        if !manifest.inputs.contains_key(name) {
            return Err(no_input(manifest, name));
        }
    }
    let answers = in_parallel(&manifest.inputs, |name, request| {
        let locked = old.and_then(|lock| lock.inputs.get(name));
        let fresh = locked.filter(|locked| locked.requested() == *request);
        let asked = options.only.is_empty() || options.only.contains(name);
        if let Some(fresh) = fresh
            && (!asked || intake.fetcher.settings().offline)
        {
            let why = if asked { "the network is not to be used" } else { "it was not named" };
            info!(target: CACHE, "input {name}: have: what the lock pins stays: {why}");
            return Ok((Resolution::same(fresh.clone()), Vec::new()));
        }
        let question = options.question(name, intake);
        if question.url.is_some() && request.kind() != InputKind::Rocm {
            let error = Error::new(Kind::Usage, "--url names a ROCm tarball, and this input is something else");
            return Err(error.about(name));
        }
        let why = match (locked, fresh) {
            (None, _) => "it is not locked yet",
            (Some(_), None) => "the manifest asks for something else than the lock answers",
            (Some(_), Some(_)) => "there may be something newer",
        };
        info!(target: CACHE, "input {name}: upstream is asked: {why}");
        request.resolve(locked, question).about(name)
    })?;

    let mut warnings = Vec::new();
    let mut moves = Vec::new();
    let mut inputs = BTreeMap::new();
    let mut new = BTreeMap::new();
    for (name, (resolution, said)) in answers {
        warnings.extend(said.into_iter().map(|text| format!("{name}: {text}")));
        match resolution {
            Resolution::Same(block) => {
                debug!(target: CACHE, "input {name}: have: {} is what the lock pins", block.version());
                inputs.insert(name, *block);
            }
            Resolution::New { to, details, take_in } => {
                info!(target: CACHE, "input {name}: fetch: {to} is new");
                let from = old.and_then(|lock| lock.inputs.get(&name)).map(|input| input.version());
                moves.push(Move { input: name.clone(), from, to, details });
                new.insert(name, take_in);
            }
        }
    }
    if options.dry_run && !new.is_empty() {
        return Ok(Update { lock: None, moves, warnings });
    }
    let taken = in_parallel(new, |name, take_in| take_in(intake).about(name))?;
    for (name, taken) in taken {
        if let Some(moved) = moves.iter_mut().find(|moved| moved.input == name) {
            moved.to = taken.block.version();
            moved.details.extend(taken.details);
        }
        warnings.extend(taken.warnings.into_iter().map(|text| format!("{name}: {text}")));
        inputs.insert(name, taken.block);
    }
    // A seal stays as long as it is for what is asked.
    let outputs = LockedOutput::all(&inputs, &manifest.outputs, |name, ids| {
        let old = old.and_then(|lock| lock.outputs.get(name));
        old.filter(|output| output.request == ids.request).and_then(LockedOutput::seal)
    })?;
    let lock = Lock { version: FORMAT, requires: manifest.requires.clone(), inputs, outputs };
    Ok(Update { lock: Some(lock), moves, warnings })
}

/// Describes an input that the manifest does not have: the near name, or what the output of that name is made from.
fn no_input(manifest: &Manifest, name: &str) -> Error {
    let error = Error::new(Kind::NotFound, format!("the manifest has no input `{name}`"));
    let used = manifest.outputs.get(name).map(Recipe::inputs).unwrap_or_default();
    error.hint(match used.first() {
        Some((_, input)) => format!("`{name}` is an output, made from the input `{input}`: `strixlock update {input}`"),
        None => suggest(name, manifest.inputs.keys().map(String::as_str)),
    })
}
