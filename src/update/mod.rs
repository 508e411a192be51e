//! `update`: asks every upstream what a request means today, takes in what is new, and gives the new lock.
//!
//! Nothing is written here but the store: the caller writes the lock, and only when every input succeeded. An input that
//! still means what the lock says keeps its block byte for byte.

mod debs;
mod file;
mod git;
mod huggingface;
mod oci;
mod rocm;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;
use url::Url;

use crate::error::{About, Error, Kind, Result};
use crate::intake::Intake;
use crate::lock::{FORMAT, Lock, LockedInput, LockedOutput, derivations};
use crate::manifest::{InputRequest, Manifest};
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

/// What one input means now.
enum Resolution {
    /// The same: the block stays.
    Same(Box<LockedInput>),
    /// Something else, to be taken in; with what can be told of it before.
    New { to: String, details: Vec<String>, take_in: TakeIn },
}

/// Takes the new thing in and gives its block, with lines worth telling.
type TakeIn = Box<dyn FnOnce(Intake) -> Result<Taken> + Send>;

struct Taken {
    block: LockedInput,
    details: Vec<String>,
    warnings: Vec<String>,
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
            return Ok((Resolution::Same(Box::new(fresh.clone())), Vec::new()));
        }
        resolve(name, request, locked, intake, options).about(name)
    })?;

    let mut warnings = Vec::new();
    let mut moves = Vec::new();
    let mut inputs = BTreeMap::new();
    let mut new = BTreeMap::new();
    for (name, (resolution, said)) in answers {
        warnings.extend(said.into_iter().map(|text| format!("{name}: {text}")));
        match resolution {
            Resolution::Same(block) => drop(inputs.insert(name, *block)),
            Resolution::New { to, details, take_in } => {
                let from = old.and_then(|lock| lock.inputs.get(&name)).map(LockedInput::version);
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
    let outputs = lock_outputs(manifest, &inputs, old)?;
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

fn resolve(
    name: &str,
    request: &InputRequest,
    locked: Option<&LockedInput>,
    intake: Intake,
    options: &Options,
) -> Result<(Resolution, Vec<String>)> {
    if options.url.is_some() && options.only.contains(name) && !matches!(request, InputRequest::Rocm(_)) {
        return Err(Error::new(Kind::Usage, "--url names a ROCm tarball, and this input is something else"));
    }
    match request {
        InputRequest::Rocm(request) => {
            let locked = if let Some(LockedInput::Rocm(block)) = locked { Some(block) } else { None };
            rocm::resolve(name, request, locked, intake, options)
        }
        InputRequest::Git(request) => {
            let locked = if let Some(LockedInput::Git(block)) = locked { Some(block) } else { None };
            git::resolve(name, request, locked, intake)
        }
        InputRequest::File(request) => {
            let locked = if let Some(LockedInput::File(block)) = locked { Some(block) } else { None };
            file::resolve(name, request, locked, intake, options)
        }
        InputRequest::Debs(request) => {
            let locked = if let Some(LockedInput::Debs(block)) = locked { Some(block) } else { None };
            debs::resolve(name, request, locked, intake, options)
        }
        InputRequest::Huggingface(request) => {
            let locked = if let Some(LockedInput::Huggingface(block)) = locked { Some(block) } else { None };
            huggingface::resolve(name, request, locked, intake, options)
        }
        InputRequest::Oci(request) => {
            let locked = if let Some(LockedInput::Oci(block)) = locked { Some(block) } else { None };
            oci::resolve(request, locked, intake)
        }
    }
}

/// The outputs of the manifest with their derivation ids. A sealed tree stays as long as the derivation does.
fn lock_outputs(
    manifest: &Manifest,
    inputs: &BTreeMap<String, LockedInput>,
    old: Option<&Lock>,
) -> Result<BTreeMap<String, LockedOutput>> {
    let ids = derivations(inputs, &manifest.outputs)?;
    let outputs = manifest.outputs.iter().filter_map(|(name, recipe)| {
        let derivation = *ids.get(name)?;
        let sealed = old.and_then(|lock| lock.outputs.get(name)).filter(|output| output.derivation == derivation);
        let tree = match recipe.published() {
            Some(input) => inputs.get(input).and_then(LockedInput::tree).map(|tree| tree.digest),
            None => sealed.and_then(|output| output.tree),
        };
        Some((name.clone(), LockedOutput { recipe: recipe.clone(), derivation, tree }))
    });
    Ok(outputs.collect())
}
