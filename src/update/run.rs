//! One run of an update: inputs are resolved side by side, in stages, since some look-ups need the pins of others.

use std::collections::BTreeMap;

use tracing::{debug, info};

use super::{Frozen, Move, Options};
use crate::advisories::Advisory;
use crate::error::{About, Error, Kind, Result};
use crate::inputs::{InputKind, InputRequest, LockedInput, Resolution};
use crate::intake::Intake;
use crate::lock::{Lock, known};
use crate::log::CACHE;
use crate::manifest::Freeze;
use crate::threads::in_parallel;

/// The inputs of a manifest with their names.
pub(super) type Requests<'m> = BTreeMap<&'m String, &'m InputRequest>;

/// An update while it runs.
pub(super) struct Run<'a> {
    pub old: Option<&'a Lock>,
    pub intake: Intake<'a>,
    pub options: &'a Options,
    /// The freezes that hold, by the names of their inputs.
    pub freezes: BTreeMap<&'a str, &'a Freeze>,
    pub found: Found,
}

/// The pins that were resolved so far.
#[derive(Default)]
pub(super) struct Found {
    pub inputs: BTreeMap<String, LockedInput>,
    pub moves: Vec<Move>,
    pub frozen: Vec<Frozen>,
    pub warnings: Vec<String>,
    /// True if something new was not taken in, because this is a dry run.
    pub is_open: bool,
    /// Advisories of the documents among the inputs, and of the program.
    pub advisories: Vec<Advisory>,
}

/// Returns true for a document with advisories. Those come first: other inputs may pass over what they name.
pub(super) fn is_document(request: &InputRequest) -> bool {
    request.kind() == InputKind::Advisories
}

impl Run<'_> {
    fn locked(&self, name: &str) -> Option<&LockedInput> {
        self.old.and_then(|lock| lock.inputs.get(name))
    }

    /// Returns the requests whose followed input is resolved. In a dry run, one that would move is not.
    pub fn ready<'m>(&mut self, mut following: Requests<'m>) -> Requests<'m> {
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

    /// Records the frozen inputs that would have been resolved. Fails if one cannot stay, since the manifest changed.
    fn pass_over_frozen(&mut self, requests: &Requests<'_>) -> Result<()> {
        for (name, request) in requests {
            let (Some(freeze), Some(locked)) = (self.freezes.get(name.as_str()), self.locked(name)) else { continue };
            if locked.requested() != **request {
                return Err(Error::new(
                    Kind::Invalid,
                    "this input is frozen, and the manifest asks for something else now",
                )
                .about(*name)
                .fact("manifest", freeze)
                .fact("locked", locked.version())
                .hint(format!("`strixlock thaw {name}` lets it move; `strixlock status` says what differs")));
            }
            if self.is_asked(name, request) {
                let (version, short) = (locked.version(), locked.short_version());
                let freeze = Freeze::clone(freeze);
                self.found.frozen.push(Frozen { input: (*name).clone(), version, freeze, short });
            }
        }
        Ok(())
    }

    /// Resolves inputs side by side and takes in those that are new.
    pub fn resolve(&mut self, requests: &Requests<'_>) -> Result<()> {
        let Self { options, intake, .. } = *self;
        self.pass_over_frozen(requests)?;
        let answers = in_parallel(requests, |name, request| {
            if let Some(pin) = options.pins.get(name) {
                return Ok((Resolution::same(pin.clone()), Vec::new()));
            }
            let locked = self.locked(name);
            let fresh = locked.filter(|locked| locked.requested() == **request);
            let asked = self.is_asked(name, request);
            let followed = request.follows().and_then(|followed| self.found.inputs.get(followed));
            // Offline, an input is resolved anew only if it has to be.
            let is_kept = intake.fetcher.settings().offline
                && request.follows().is_none_or(|followed| self.locked(followed) == self.found.inputs.get(followed));
            let frozen = self.freezes.contains_key(name);
            if let Some(fresh) = fresh
                && (!asked || is_kept || frozen)
            {
                let why = if frozen {
                    "it is frozen"
                } else if asked {
                    "offline"
                } else {
                    "it was not named"
                };
                info!(target: CACHE, "input {name}: have: keeping the locked pin: {why}");
                return Ok((Resolution::same(fresh.clone()), Vec::new()));
            }
            let question = options.question(name, intake, followed, &self.found.advisories);
            for (given, option) in [(question.url.is_some(), "--url"), (question.to.is_some(), "--to")] {
                if given && request.kind() != InputKind::Rocm {
                    let what = format!("{option} is for ROCm tarballs only, and this input has another type");
                    return Err(Error::new(Kind::Usage, what).about(name));
                }
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
        let mut documents = BTreeMap::new();
        for (name, (mut resolution, said)) in answers {
            if requests.get(&name).is_some_and(|request| is_document(request)) {
                let (same, block) = resolution.ahead(intake).about(&name)?;
                resolution = same;
                documents.insert(name.clone(), block);
            }
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
        if !documents.is_empty() {
            self.found.advisories = known(&documents);
        }
        if options.dry_run && !new.is_empty() {
            self.found.is_open = true;
            return Ok(());
        }
        let taken = in_parallel(new, |name, take_in| take_in(intake).about(name))?;
        for (name, taken) in taken {
            let locked = self.old.and_then(|lock| lock.inputs.get(&name));
            if let Some(moved) = self.found.moves.iter_mut().find(|moved| moved.input == name) {
                moved.taken(&taken.block, locked, taken.details);
            }
            self.found.warnings.extend(taken.warnings.into_iter().map(|text| format!("{name}: {text}")));
            self.found.inputs.insert(name, taken.block);
        }
        Ok(())
    }
}
