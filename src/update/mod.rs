//! `update`: resolves every request anew, downloads new pins into the store, and returns the new lock.
//!
//! This module writes only to the store. The caller writes the lock, and only if every input succeeded. An input that
//! resolves to its locked pin keeps its block byte for byte.

mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;
use url::Url;

use run::{Found, Requests, Run, is_document};

use crate::advisories::Advisory;
use crate::error::{Error, Kind, Result};
use crate::inputs::{LockedInput, Preview, Question};
use crate::intake::Intake;
use crate::lock::{FORMAT, Lock, LockedOutput, known};
use crate::manifest::{Freeze, Manifest};
use crate::recipe::Recipe;
use crate::suggest::suggest;

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
    /// Take this version for the one input of `only`, if the manifest allows it.
    pub to: Option<String>,
    /// Accept a version that is older than the newest one that was locked.
    pub allow_downgrade: bool,
    /// Resolve frozen inputs like others.
    pub without_freezes: bool,
    /// The time in seconds since 1970, by which an abandoned index is recognized.
    pub now: i64,
    /// Do not warn of builds that AMD's host will soon delete: the caller warns of locked ones.
    pub without_leaving: bool,
    /// Pass over versions that are known to be bad, where there is a choice.
    pub skip_bad: bool,
    /// The directory to which paths in the manifest are relative.
    pub directory: PathBuf,
    /// Pins that these inputs get, whatever upstream says. Inputs that follow them are resolved for them.
    pub pins: BTreeMap<String, LockedInput>,
}

impl Options {
    /// Returns the question to upstream for one input.
    fn question<'a>(
        &'a self,
        name: &'a str,
        intake: Intake<'a>,
        followed: Option<&'a LockedInput>,
        known: &'a [Advisory],
    ) -> Question<'a> {
        let named = self.only.contains(name);
        Question {
            name,
            intake,
            named,
            accept_replaced: self.accept_replaced,
            url: self.url.as_ref().filter(|_| named),
            to: self.to.as_deref().filter(|_| named),
            allow_downgrade: self.allow_downgrade,
            now: self.now,
            without_leaving: self.without_leaving,
            skipped: if self.skip_bad { known } else { &[] },
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
    /// The inputs that were passed over because they are frozen.
    pub frozen: Vec<Frozen>,
    /// Warnings.
    pub warnings: Vec<String>,
}

/// One input that stays at its locked pin because it is frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frozen {
    /// The name of the input.
    pub input: String,
    /// The locked version.
    pub version: String,
    /// The freeze.
    #[serde(flatten)]
    pub freeze: Freeze,
    /// The locked version in the words that people use.
    #[serde(skip)]
    short: String,
}

impl Frozen {
    /// Returns the line about it: `rocm stays at 10.1.0a20260901, frozen until 2026-12-24: the reason`.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} stays at {}, {}", self.input, self.short, self.freeze)
    }
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
    fn taken(&mut self, block: &LockedInput, locked: Option<&LockedInput>, details: Vec<String>) {
        self.to = block.version();
        self.shown.1 = block.short_version();
        self.downgrade = locked.is_some_and(|locked| locked.is_newer_than(&self.to));
        self.made = block.day().map(|day| day.to_string()).or(self.made.take());
        self.bytes = Some(block.size());
        self.details.extend(details);
    }
}

/// Resolves the inputs of a manifest and returns the new lock: see the module.
pub fn update(manifest: &Manifest, old: Option<&Lock>, intake: Intake, options: &Options) -> Result<Update> {
    for name in &options.only {
        if !manifest.inputs.contains_key(name) {
            return Err(no_input(manifest, name, "update"));
        }
    }
    let (freezes, ended) = freezes(manifest, options);
    for name in &options.only {
        if let (Some(freeze), true) =
            (freezes.get(name.as_str()), old.is_some_and(|lock| lock.inputs.contains_key(name)))
        {
            return Err(Error::new(Kind::Usage, "this input is frozen, so `update` does not move it")
                .about(name)
                .fact("manifest", freeze)
                .hint(format!("`strixlock thaw {name}` lets it move again")));
        }
    }
    let found = Found { advisories: known(&BTreeMap::new()), warnings: ended, ..Found::default() };
    let mut run = Run { old, intake, options, freezes, found };
    let (documents, others): (Requests, Requests) =
        manifest.inputs.iter().partition(|(_, request)| is_document(request));
    let (following, leading) = others.into_iter().partition(|(_, request)| request.follows().is_some());
    run.resolve(&documents)?;
    run.resolve(&leading)?;
    let following = run.ready(following);
    run.resolve(&following)?;
    let Found { inputs, moves, frozen, warnings, is_open, .. } = run.found;
    if is_open {
        return Ok(Update { lock: None, moves, frozen, warnings });
    }
    // A seal is kept while the request id is the same.
    let outputs = LockedOutput::all(&inputs, &manifest.outputs, |name, ids| {
        let old = old.and_then(|lock| lock.outputs.get(name));
        old.filter(|output| output.request == ids.request).and_then(LockedOutput::seal)
    })?;
    let lock = Lock { version: FORMAT, requires: manifest.requires.clone(), inputs, outputs };
    Ok(Update { lock: Some(lock), moves, frozen, warnings })
}

/// Returns the freezes that hold, and notes on those that have ended.
fn freezes<'m>(manifest: &'m Manifest, options: &Options) -> (BTreeMap<&'m str, &'m Freeze>, Vec<String>) {
    if options.without_freezes {
        return (BTreeMap::new(), Vec::new());
    }
    let all = manifest.frozen.iter().map(|(name, freeze)| (name.as_str(), freeze));
    let (holding, ended): (BTreeMap<_, _>, BTreeMap<_, _>) = all.partition(|(_, freeze)| freeze.holds(options.now));
    let ended = ended.into_iter().map(|(name, freeze)| {
        format!("{name}: its freeze has ended ({freeze}): `strixlock thaw {name}` removes it from the manifest")
    });
    (holding, ended.collect())
}

/// Returns the error for an input that the manifest lacks. Its hint is a similar name, or the input of the output
/// `name`, for the `command` that names inputs.
pub fn no_input(manifest: &Manifest, name: &str, command: &str) -> Error {
    let error = Error::new(Kind::NotFound, format!("the manifest has no input `{name}`"));
    let used = manifest.outputs.get(name).map(Recipe::inputs).unwrap_or_default();
    error.hint(match used.first() {
        Some((_, input)) => {
            format!("`{name}` is an output, made from the input `{input}`: `strixlock {command} {input}`")
        }
        None => suggest(name, manifest.inputs.keys().map(String::as_str)),
    })
}
