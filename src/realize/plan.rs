//! The plan: what the store has, what must be fetched and what must be built to realize outputs.

use std::collections::BTreeSet;

use serde::Serialize;
use tracing::info;

use super::compile_cache::is_from_cache;
use super::version::{short_version, version};
use crate::digest::{DerivationId, TreeDigest};
use crate::error::Result;
use crate::inputs::{LockedInput, Presence};
use crate::lock::Lock;
use crate::log::CACHE;
use crate::recipe::Recipe;
use crate::store::Store;

/// Steps, each after those whose results it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
}

/// One input or output of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Input or output.
    pub what: StepKind,
    /// The name in the lock.
    pub name: String,
    /// The version with all of its parts.
    pub version: String,
    /// The version in the words that people use.
    pub short: String,
    /// The work to do.
    pub action: Action,
    /// The output's derivation id.
    pub derivation: Option<DerivationId>,
    /// Its tree, if known beforehand.
    pub tree: Option<TreeDigest>,
}

/// The kind of thing that a step brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// Something from outside.
    Input,
    /// Something that a recipe makes.
    Output,
}

impl StepKind {
    /// Returns the word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// The work of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum Action {
    /// Nothing: the store has it.
    Have,
    /// Fetch it.
    Fetch {
        /// Size of the download; unknown for git.
        bytes: Option<u64>,
    },
    /// Unpack its cold copy, which `store pack` made.
    Thaw,
    /// Run the recipe.
    Build,
}

impl Action {
    /// Returns the word for the action in the log.
    fn word(self) -> &'static str {
        match self {
            Self::Have => "have",
            Self::Fetch { .. } => "fetch",
            Self::Thaw => "thaw",
            Self::Build => "build",
        }
    }
}

impl Plan {
    /// Plans the named outputs, or the usual ones if none is named. Reads the lock and the store only.
    pub fn new(lock: &Lock, store: &Store, names: &[String]) -> Result<Self> {
        Self::of_outputs(lock, store, names, false)
    }

    /// Plans like [`Self::new`], for results that are to be sealed: what a compiler cache had a part in is made again, and
    /// what was received and not made here, too.
    pub fn to_seal(lock: &Lock, store: &Store, names: &[String]) -> Result<Self> {
        Self::of_outputs(lock, store, names, true)
    }

    fn of_outputs(lock: &Lock, store: &Store, names: &[String], sealing: bool) -> Result<Self> {
        for name in names {
            lock.output(name)?;
        }
        let mut planner = Planner { lock, store, sealing, plan: Self { steps: Vec::new() }, seen: BTreeSet::new() };
        let wanted: Vec<&String> =
            if names.is_empty() { lock.usual_outputs().collect() } else { names.iter().collect() };
        for name in wanted {
            planner.output(name)?;
        }
        Ok(planner.plan.in_order(lock))
    }

    /// Plans everything that the output `name` is made from, without the output.
    pub fn of_parts(lock: &Lock, store: &Store, name: &str) -> Result<Self> {
        let output = lock.output(name)?;
        let plan = Self { steps: Vec::new() };
        let mut planner = Planner { lock, store, sealing: false, plan, seen: BTreeSet::new() };
        planner.parts(&output.recipe)?;
        Ok(planner.plan.in_order(lock))
    }

    /// Sorts outputs into their usual order ([`Lock::ordered`]), with each input before the first output that uses it.
    fn in_order(mut self, lock: &Lock) -> Self {
        let mut steps = Vec::new();
        let mut take = |what: StepKind, name: &str| {
            let at = self.steps.iter().position(|step| step.what == what && step.name == name);
            steps.extend(at.map(|at| self.steps.remove(at)));
        };
        for name in lock.ordered() {
            let inputs = lock.outputs.get(name).map(|output| output.recipe.inputs()).unwrap_or_default();
            for (_, input) in inputs {
                take(StepKind::Input, input);
            }
            take(StepKind::Output, name);
        }
        Self { steps }
    }

    /// Returns the number of bytes to fetch, as far as it is known.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let bytes = |step: &Step| if let Action::Fetch { bytes: Some(bytes) } = step.action { bytes } else { 0 };
        self.steps.iter().map(bytes).fold(0, u64::saturating_add)
    }
}

struct Planner<'a> {
    lock: &'a Lock,
    store: &'a Store,
    /// True if nothing may come from a compiler cache.
    sealing: bool,
    plan: Plan,
    seen: BTreeSet<(StepKind, String)>,
}

impl Planner<'_> {
    fn output(&mut self, name: &str) -> Result<()> {
        if !self.seen.insert((StepKind::Output, name.to_owned())) {
            return Ok(());
        }
        // Reading the lock checked that all names exist and that no output is made from itself.
        let Some(output) = self.lock.outputs.get(name) else { return Ok(()) };
        let tree = match output.tree {
            Some(tree) if output.recipe.published().is_some() => Some(tree),
            sealed => {
                let found = self.store.output_record(output.derivation)?.map(|record| record.tree);
                let found = found.filter(|found| sealed.is_none_or(|sealed| sealed == *found));
                // An earlier recipe's seal promises this tree too.
                found.or(sealed.filter(|_| output.earlier.is_some()))
            }
        };
        let is_cached = self.sealing && is_from_cache(self.lock, self.store, name);
        // A seal is the word of whoever writes it, and not somebody else's.
        let received = tree.filter(|_| self.sealing && output.tree.is_none());
        let received = received.and_then(|tree| self.store.received(output.derivation, tree));
        let is_cached = is_cached || received.is_some();
        let action = tree.filter(|_| !is_cached).and_then(|tree| stored(self.store, tree)).unwrap_or(Action::Build);
        let why = match (action, tree) {
            _ if received.is_some() => "it was received, and a seal is for what was made here".to_owned(),
            _ if is_cached => "a compiler cache had a part in it".to_owned(),
            (Action::Have | Action::Thaw, Some(tree)) => format!("its tree is {tree}"),
            (_, Some(tree)) => format!("its tree {tree} is not in the store"),
            (_, None) => format!("the store has no output that fits the lock for {}", output.derivation),
        };
        info!(target: CACHE, "output {name}: {}: {why}", action.word());
        if action == Action::Build {
            self.parts(&output.recipe)?;
        }
        self.plan.steps.push(Step {
            what: StepKind::Output,
            name: name.to_owned(),
            version: version(self.lock, name),
            short: short_version(self.lock, name),
            action,
            derivation: Some(output.derivation),
            tree: output.tree.or(tree.filter(|_| !is_cached)),
        });
        Ok(())
    }

    /// Plans the parts of a recipe.
    fn parts(&mut self, recipe: &Recipe) -> Result<()> {
        for (_, input) in recipe.inputs() {
            self.input(input);
        }
        recipe.outputs().into_iter().try_for_each(|(_, needed)| self.output(needed))?;
        // A proof runs in the root that another output was built in.
        self.lock.base_of(recipe.build_root()).map_or(Ok(()), |name| self.output(name))
    }

    fn input(&mut self, name: &str) {
        if !self.seen.insert((StepKind::Input, name.to_owned())) {
            return;
        }
        let Some(input) = self.lock.inputs.get(name) else { return };
        let tree = input.tree().map(|tree| tree.digest);
        let action = input_action(self.store, input);
        let (version, short) = (input.version(), input.short_version());
        info!(target: CACHE, "input {name}: {}: {version}", action.word());
        self.plan.steps.push(Step {
            what: StepKind::Input,
            name: name.to_owned(),
            version,
            short,
            action,
            derivation: None,
            tree,
        });
    }
}

/// Returns the cheapest way to get a tree that the store holds: `Have` it, or `Thaw` its cold copy.
fn stored(store: &Store, tree: TreeDigest) -> Option<Action> {
    match store.tree(tree) {
        Some(_) => Some(Action::Have),
        None => store.cold(tree).map(|_| Action::Thaw),
    }
}

/// Returns the action that an input needs. Reads the store only.
#[must_use]
pub fn input_action(store: &Store, input: &LockedInput) -> Action {
    match input.presence(store) {
        Presence::Here => Action::Have,
        Presence::Cold => Action::Thaw,
        Presence::Missing { bytes } => Action::Fetch { bytes },
    }
}
