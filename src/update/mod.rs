//! `update`: resolves every request anew, downloads new pins into the store, and returns the new lock.
//!
//! This module writes only to the store. The caller writes the lock, and only if every input succeeded. An input that
//! resolves to its locked pin keeps its block byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;
use tracing::{debug, info};
use url::Url;

use crate::error::{About, Error, Kind, Result};
use crate::inputs::{InputKind, InputRequest, LockedInput, Preview, Question, Resolution};
use crate::intake::Intake;
use crate::lock::{FORMAT, Lock, LockedOutput};
use crate::log::CACHE;
use crate::manifest::Manifest;
use crate::recipe::Recipe;
use crate::suggest::suggest;
use crate::threads::in_parallel;

/// The options of an update.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The inputs to resolve; all if empty. Inputs for which the lock is stale are always resolved.
    pub only: BTreeSet<String>,
    /// Resolve inputs, but download nothing.
    pub dry_run: bool,
    /// Accept that upstream replaced a locked file with other bytes.
    pub accept_replaced: bool,
    /// Use this tarball for the one input of `only`, whatever the indexes list.
    pub url: Option<Url>,
    /// The time in seconds since 1970, by which an abandoned index is recognized.
    pub now: i64,
    /// Do not warn of builds that AMD's host will soon delete: the caller warns of locked ones.
    pub without_leaving: bool,
    /// The directory to which paths in the manifest are relative.
    pub directory: PathBuf,
}

impl Options {
    /// Returns the question to upstream for one input.
    fn question<'a>(&'a self, name: &'a str, intake: Intake<'a>, followed: Option<&'a LockedInput>) -> Question<'a> {
        let named = self.only.contains(name);
        Question {
            name,
            intake,
            named,
            accept_replaced: self.accept_replaced,
            url: self.url.as_ref().filter(|_| named),
            now: self.now,
            without_leaving: self.without_leaving,
            followed,
            directory: &self.directory,
        }
    }
}

/// The result of an update.
#[derive(Debug)]
pub struct Update {
    /// The new lock. With `dry_run`, only if no input would change.
    pub lock: Option<Lock>,
    /// The changes, made or (with `dry_run`) to be made.
    pub moves: Vec<Move>,
    /// Warnings.
    pub warnings: Vec<String>,
}

/// One input that resolves to another pin now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Move {
    /// The name of the input.
    pub input: String,
    /// The locked version, if there is one.
    pub from: Option<String>,
    /// The new version.
    pub to: String,
    /// Details, one per line: sizes, dates, subjects of commits.
    pub details: Vec<String>,
    /// The versions in the words that people use, old and new.
    #[serde(skip)]
    shown: (Option<String>, String),
    /// The reason why an input moved that was not named.
    pub because: Option<&'static str>,
    /// True if the new version is older than the locked one.
    pub downgrade: bool,
    /// The day on which upstream made the new pin, as `2026-11-20`.
    pub made: Option<String>,
    /// The distance from the locked pin, such as `31 builds`.
    pub distance: Option<String>,
    /// The size of the download in bytes.
    pub bytes: Option<u64>,
}

impl Move {
    fn new(name: String, locked: Option<&LockedInput>, (to, details): (String, Vec<String>), preview: Preview) -> Self {
        Self {
            input: name,
            from: locked.map(|input| input.version()),
            shown: (locked.map(|input| input.short_version()), preview.short.unwrap_or_else(|| to.clone())),
            because: None,
            downgrade: locked.is_some_and(|input| input.is_newer_than(&to)),
            made: preview.made.map(|day| day.to_string()),
            distance: preview.distance,
            bytes: preview.bytes,
            to,
            details,
        }
    }

    /// Returns the old and the new version for a person: in words that people use, if these differ.
    #[must_use]
    pub fn versions(&self) -> (Option<&str>, &str) {
        let (from, to) = &self.shown;
        if from.as_ref() == Some(to) { (self.from.as_deref(), &self.to) } else { (from.as_deref(), to) }
    }

    /// Adds what is known once the input was taken in.
    fn taken(&mut self, block: &LockedInput, details: Vec<String>) {
        self.to = block.version();
        self.shown.1 = block.short_version();
        self.made = block.day().map(|day| day.to_string()).or(self.made.take());
        self.bytes = Some(block.size());
        self.details.extend(details);
    }
}

/// Resolves the inputs of a manifest and returns the new lock: see the module.
pub fn update(manifest: &Manifest, old: Option<&Lock>, intake: Intake, options: &Options) -> Result<Update> {
    for name in &options.only {
        if !manifest.inputs.contains_key(name) {
            return Err(no_input(manifest, name));
        }
    }
    let mut run = Run { old, intake, options, found: Found::default() };
    let (following, leading) = manifest.inputs.iter().partition(|(_, request)| request.follows().is_some());
    run.resolve(&leading)?;
    let following = run.ready(following);
    run.resolve(&following)?;
    let Found { inputs, moves, warnings, is_open } = run.found;
    if is_open {
        return Ok(Update { lock: None, moves, warnings });
    }
    // A seal is kept while the request id is the same.
    let outputs = LockedOutput::all(&inputs, &manifest.outputs, |name, ids| {
        let old = old.and_then(|lock| lock.outputs.get(name));
        old.filter(|output| output.request == ids.request).and_then(LockedOutput::seal)
    })?;
    let lock = Lock { version: FORMAT, requires: manifest.requires.clone(), inputs, outputs };
    Ok(Update { lock: Some(lock), moves, warnings })
}

/// The inputs of a manifest with their names.
type Requests<'m> = BTreeMap<&'m String, &'m InputRequest>;

/// An update while it runs.
struct Run<'a> {
    old: Option<&'a Lock>,
    intake: Intake<'a>,
    options: &'a Options,
    found: Found,
}

/// The pins that were resolved so far.
#[derive(Default)]
struct Found {
    inputs: BTreeMap<String, LockedInput>,
    moves: Vec<Move>,
    warnings: Vec<String>,
    /// True if something new was not taken in, because this is a dry run.
    is_open: bool,
}

impl Run<'_> {
    fn locked(&self, name: &str) -> Option<&LockedInput> {
        self.old.and_then(|lock| lock.inputs.get(name))
    }

    /// Returns the requests whose followed input is resolved. In a dry run, one that would move is not.
    fn ready<'m>(&mut self, mut following: Requests<'m>) -> Requests<'m> {
        following.retain(|name, request| {
            let followed = request.follows().unwrap_or_default();
            let is_known = self.found.inputs.contains_key(followed);
            if let Some(moved) = self.found.moves.iter_mut().find(|moved| !is_known && moved.input == followed) {
                moved.details.push(format!("{name} follows"));
            }
            is_known
        });
        following
    }

    /// Returns true if an input must be resolved: it was named, or the input that it follows has another pin now.
    fn is_asked(&self, name: &str, request: &InputRequest) -> bool {
        let followed = request.follows();
        let has_moved = followed.is_some_and(|followed| self.found.inputs.get(followed) != self.locked(followed));
        self.options.only.is_empty() || self.options.only.contains(name) || has_moved
    }

    /// Returns the reason why an input moves that was not named.
    fn because(&self, name: &str, request: &InputRequest) -> Option<&'static str> {
        if self.options.only.is_empty() || self.options.only.contains(name) {
            return None;
        }
        Some(match self.locked(name) {
            None => "it was not locked yet",
            Some(locked) if locked.requested() == *request => "the input that it follows changed",
            Some(_) => "the manifest changed",
        })
    }

    /// Resolves inputs side by side and takes in those that are new.
    fn resolve(&mut self, requests: &Requests<'_>) -> Result<()> {
        let Self { options, intake, .. } = *self;
        let answers = in_parallel(requests, |name, request| {
            let locked = self.locked(name);
            let fresh = locked.filter(|locked| locked.requested() == **request);
            let asked = self.is_asked(name, request);
            let followed = request.follows().and_then(|followed| self.found.inputs.get(followed));
            // Offline, an input is resolved anew only if it has to be.
            let is_kept = intake.fetcher.settings().offline
                && request.follows().is_none_or(|followed| self.locked(followed) == self.found.inputs.get(followed));
            if let Some(fresh) = fresh
                && (!asked || is_kept)
            {
                let why = if asked { "offline" } else { "it was not named" };
                info!(target: CACHE, "input {name}: have: keeping the locked pin: {why}");
                return Ok((Resolution::same(fresh.clone()), Vec::new()));
            }
            let question = options.question(name, intake, followed);
            if question.url.is_some() && request.kind() != InputKind::Rocm {
                let error = Error::new(Kind::Usage, "--url is for ROCm tarballs only, and this input has another type");
                return Err(error.about(name));
            }
            let why = match (locked, fresh) {
                (None, _) => "it is not locked yet",
                (Some(_), None) => "the lock is stale",
                (Some(_), Some(_)) => "there may be something newer",
            };
            info!(target: CACHE, "input {name}: asking upstream: {why}");
            request.resolve(locked, question).about(name)
        })?;
        let mut new = BTreeMap::new();
        for (name, (resolution, said)) in answers {
            self.found.warnings.extend(said.into_iter().map(|text| format!("{name}: {text}")));
            match resolution {
                Resolution::Same(block) => {
                    debug!(target: CACHE, "input {name}: have: {} is the locked version", block.version());
                    self.found.inputs.insert(name, *block);
                }
                Resolution::New { to, details, preview, take_in } => {
                    info!(target: CACHE, "input {name}: fetch: {to} is new");
                    let locked = self.locked(&name);
                    let mut moved = Move::new(name.clone(), locked, (to, details), preview);
                    moved.because = requests.get(&name).and_then(|request| self.because(&name, request));
                    self.found.moves.push(moved);
                    new.insert(name, take_in);
                }
            }
        }
        if options.dry_run && !new.is_empty() {
            self.found.is_open = true;
            return Ok(());
        }
        let taken = in_parallel(new, |name, take_in| take_in(intake).about(name))?;
        for (name, taken) in taken {
            if let Some(moved) = self.found.moves.iter_mut().find(|moved| moved.input == name) {
                moved.taken(&taken.block, taken.details);
            }
            self.found.warnings.extend(taken.warnings.into_iter().map(|text| format!("{name}: {text}")));
            self.found.inputs.insert(name, taken.block);
        }
        Ok(())
    }
}

/// Returns the error for an input that the manifest lacks. Its hint is a similar name, or the input of the output
/// `name`.
fn no_input(manifest: &Manifest, name: &str) -> Error {
    let error = Error::new(Kind::NotFound, format!("the manifest has no input `{name}`"));
    let used = manifest.outputs.get(name).map(Recipe::inputs).unwrap_or_default();
    error.hint(match used.first() {
        Some((_, input)) => format!("`{name}` is an output, made from the input `{input}`: `strixlock update {input}`"),
        None => suggest(name, manifest.inputs.keys().map(String::as_str)),
    })
}
