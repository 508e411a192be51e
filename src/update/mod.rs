//! `update`: resolves every request anew, downloads new pins into the store, and returns the new lock.
//!
//! This module writes only to the store. The caller writes the lock, and only if every input succeeded. An input that
//! resolves to its locked pin keeps its block byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;
use tracing::{debug, info};
use url::Url;

use crate::advisories::Advisory;
use crate::error::{About, Error, Kind, Result};
use crate::inputs::{InputKind, InputRequest, LockedInput, Preview, Question, Resolution};
use crate::intake::Intake;
use crate::lock::{FORMAT, Lock, LockedOutput, known};
use crate::log::CACHE;
use crate::manifest::Manifest;
use crate::recipe::Recipe;
use crate::suggest::suggest;
use crate::threads::in_parallel;

/// The options of an update.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent choice of the caller")]
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
    /// Pass over versions that are known to be bad, where there is a choice.
    pub skip_bad: bool,
    /// The directory to which paths in the manifest are relative.
    pub directory: PathBuf,
}

impl Options {
    /// Returns the question to upstream for one input.
    fn question<'a>(&'a self, name: &'a str, intake: Intake<'a>, known: &'a [Advisory]) -> Question<'a> {
        let named = self.only.contains(name);
        Question {
            name,
            intake,
            named,
            accept_replaced: self.accept_replaced,
            url: self.url.as_ref().filter(|_| named),
            now: self.now,
            without_leaving: self.without_leaving,
            skipped: if self.skip_bad { known } else { &[] },
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
    let ask = |name: &str, request: &InputRequest, known: &[Advisory]| {
        let locked = old.and_then(|lock| lock.inputs.get(name));
        let fresh = locked.filter(|locked| locked.requested() == *request);
        let asked = options.only.is_empty() || options.only.contains(name);
        if let Some(fresh) = fresh
            && (!asked || intake.fetcher.settings().offline)
        {
            let why = if asked { "offline" } else { "it was not named" };
            info!(target: CACHE, "input {name}: have: keeping the locked pin: {why}");
            return Ok((Resolution::same(fresh.clone()), Vec::new()));
        }
        let question = options.question(name, intake, known);
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
    };
    // Documents with advisories come first: other inputs may pass over what they name.
    let is_document = |request: &InputRequest| request.kind() == InputKind::Advisories;
    let (documents, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        manifest.inputs.iter().partition(|(_, request)| is_document(request));
    let mut answers = BTreeMap::new();
    let mut read = BTreeMap::new();
    for (name, (resolution, warnings)) in in_parallel(documents, |name, request| ask(name, request, &[]))? {
        let (resolution, block) = resolution.ahead(intake).about(&name)?;
        read.insert(name.clone(), block);
        answers.insert(name, (resolution, warnings));
    }
    let known = known(&read);
    answers.extend(in_parallel(others, |name, request| ask(name, request, &known))?);

    let mut warnings = Vec::new();
    let mut moves = Vec::new();
    let mut inputs = BTreeMap::new();
    let mut new = BTreeMap::new();
    for (name, (resolution, said)) in answers {
        warnings.extend(said.into_iter().map(|text| format!("{name}: {text}")));
        match resolution {
            Resolution::Same(block) => {
                debug!(target: CACHE, "input {name}: have: {} is the locked version", block.version());
                inputs.insert(name, *block);
            }
            Resolution::New { to, details, preview, take_in } => {
                info!(target: CACHE, "input {name}: fetch: {to} is new");
                let locked = old.and_then(|lock| lock.inputs.get(&name));
                let mut moved = Move::new(name.clone(), locked, (to, details), preview);
                if !options.only.is_empty() && !options.only.contains(&name) {
                    moved.because =
                        Some(if locked.is_some() { "the manifest changed" } else { "it was not locked yet" });
                }
                moves.push(moved);
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
            moved.taken(&taken.block, taken.details);
        }
        warnings.extend(taken.warnings.into_iter().map(|text| format!("{name}: {text}")));
        inputs.insert(name, taken.block);
    }
    // A seal is kept while the request id is the same.
    let outputs = LockedOutput::all(&inputs, &manifest.outputs, |name, ids| {
        let old = old.and_then(|lock| lock.outputs.get(name));
        old.filter(|output| output.request == ids.request).and_then(LockedOutput::seal)
    })?;
    let lock = Lock { version: FORMAT, requires: manifest.requires.clone(), inputs, outputs };
    Ok(Update { lock: Some(lock), moves, warnings })
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
