//! What realizing outputs will take.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::digest::{DerivationId, TreeDigest};
use crate::error::Result;
use crate::intake::{missing_blobs, missing_debs, missing_model};
use crate::lock::{Lock, LockedInput};
use crate::recipe::Recipe;
use crate::store::Store;

/// Steps in an order in which each finds what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `input` or `output`.
    pub what: &'static str,
    /// Its name in the lock.
    pub name: String,
    /// What a person calls it.
    pub version: String,
    /// What is to be done.
    pub action: Action,
    /// The output's derivation id.
    pub derivation: Option<DerivationId>,
    /// The tree that it is, where that is known before.
    pub tree: Option<TreeDigest>,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum Action {
    /// Nothing: it is here.
    Have,
    /// Fetch so many bytes; what git will send is not known before.
    Fetch {
        /// Bytes.
        bytes: Option<u64>,
    },
    /// Bring it back from the chunks that `store pack` made of it.
    Thaw,
    /// Run the recipe.
    Build,
}

impl Plan {
    /// Plans the outputs named, or the usual ones where none is. Looks at the lock and the store only.
    pub fn new(lock: &Lock, store: &Store, names: &[String]) -> Result<Self> {
        for name in names {
            lock.output(name)?;
        }
        let mut planner = Planner { lock, store, plan: Self { steps: Vec::new() }, seen: BTreeSet::new() };
        let wanted: Vec<&String> =
            if names.is_empty() { lock.usual_outputs().collect() } else { names.iter().collect() };
        for name in wanted {
            planner.output(name)?;
        }
        Ok(planner.plan)
    }

    /// Plans what the output `name` is made from, but not itself.
    pub fn of_parts(lock: &Lock, store: &Store, name: &str) -> Result<Self> {
        let output = lock.output(name)?;
        let mut planner = Planner { lock, store, plan: Self { steps: Vec::new() }, seen: BTreeSet::new() };
        planner.parts(&output.recipe)?;
        Ok(planner.plan)
    }

    /// How many bytes are to be fetched, as far as that is known.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let bytes = |step: &Step| if let Action::Fetch { bytes: Some(bytes) } = step.action { bytes } else { 0 };
        self.steps.iter().map(bytes).fold(0, u64::saturating_add)
    }
}

struct Planner<'a> {
    lock: &'a Lock,
    store: &'a Store,
    plan: Plan,
    seen: BTreeSet<String>,
}

impl Planner<'_> {
    fn output(&mut self, name: &str) -> Result<()> {
        if !self.seen.insert(format!("output {name}")) {
            return Ok(());
        }
        // The lock was checked when it was read: names lead somewhere, and nothing goes into itself.
        let Some(output) = self.lock.outputs.get(name) else { return Ok(()) };
        let tree = match output.tree {
            Some(tree) if matches!(output.recipe, Recipe::Rocm(_)) => Some(tree),
            sealed => {
                let found = self.store.output_record(output.derivation)?.map(|record| record.tree);
                found.filter(|found| sealed.is_none_or(|sealed| sealed == *found))
            }
        };
        let action = tree.and_then(|tree| self.here(tree)).unwrap_or(Action::Build);
        if action == Action::Build {
            self.parts(&output.recipe)?;
        }
        self.plan.steps.push(Step {
            what: "output",
            name: name.to_owned(),
            version: version(self.lock, name),
            action,
            derivation: Some(output.derivation),
            tree: output.tree.or(tree),
        });
        Ok(())
    }

    /// What a recipe needs.
    fn parts(&mut self, recipe: &Recipe) -> Result<()> {
        for (_, input) in recipe.inputs() {
            self.input(input);
        }
        recipe.outputs().into_iter().try_for_each(|(_, needed)| self.output(needed))?;
        // The proof of a runtime takes place in the root that the build was made in.
        let base = if let Recipe::Runtime(recipe) = recipe { self.lock.base_of(recipe) } else { None };
        base.map_or(Ok(()), |name| self.output(name))
    }

    /// What it takes to have a tree that is in the store in some form.
    fn here(&self, tree: TreeDigest) -> Option<Action> {
        match self.store.tree(tree) {
            Some(_) => Some(Action::Have),
            None => self.store.cold(tree).map(|_| Action::Thaw),
        }
    }

    fn input(&mut self, name: &str) {
        if !self.seen.insert(format!("input {name}")) {
            return;
        }
        let Some(input) = self.lock.inputs.get(name) else { return };
        let tree = input.tree().map(|tree| tree.digest);
        let here = match input {
            LockedInput::File(block) => self.store.download(block.locked.sha256).map(|_| Action::Have),
            LockedInput::Debs(block) => {
                (missing_debs(self.store, &block.locked).next().is_none()).then_some(Action::Have)
            }
            LockedInput::Huggingface(block) => (missing_model(self.store, &block.locked) == 0).then_some(Action::Have),
            LockedInput::Oci(block) => {
                (missing_blobs(self.store, &block.locked).next().is_none()).then_some(Action::Have)
            }
            _ => tree.and_then(|tree| self.here(tree)),
        };
        let bytes = match input {
            LockedInput::Rocm(block) => Some(block.locked.size),
            LockedInput::File(block) => Some(block.locked.size),
            LockedInput::Debs(block) => {
                Some(missing_debs(self.store, &block.locked).map(|package| package.size).fold(0, u64::saturating_add))
            }
            LockedInput::Huggingface(block) => Some(missing_model(self.store, &block.locked)),
            LockedInput::Oci(block) => {
                Some(missing_blobs(self.store, &block.locked).map(|blob| blob.size).fold(0, u64::saturating_add))
            }
            LockedInput::Git(_) => None,
        };
        let action = here.unwrap_or(Action::Fetch { bytes });
        let version = input.version();
        self.plan.steps.push(Step { what: "input", name: name.to_owned(), version, action, derivation: None, tree });
    }
}

/// What a person calls an output: the versions of what it is made from.
#[must_use]
pub fn version(lock: &Lock, name: &str) -> String {
    let Some(output) = lock.outputs.get(name) else { return String::new() };
    let inputs = output.recipe.inputs().into_iter().filter_map(|(_, name)| lock.inputs.get(name));
    let inputs = inputs.map(LockedInput::version);
    let outputs = output.recipe.outputs().into_iter().map(|(_, name)| version(lock, name));
    let mut all: Vec<String> = Vec::new();
    for part in inputs.chain(outputs).flat_map(|text| text.split(" + ").map(str::to_owned).collect::<Vec<_>>()) {
        if !all.contains(&part) {
            all.push(part);
        }
    }
    all.join(" + ")
}
