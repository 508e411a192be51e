//! An output that differs between two locks or generations.

use serde::Serialize;
use serde_json::Value;

use super::Side;
use super::fields::{FieldChange, changed_fields};
use super::files::Files;
use crate::digest::{DerivationId, TreeDigest};
use crate::error::Result;
use crate::lock::Lock;
use crate::realize::{short_version, version};
use crate::recipe::Recipe;
use crate::store::Store;

/// An output that differs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OutputChange {
    /// Its name.
    pub output: String,
    /// Its kind, that of the second side if they differ; absent without a readable lock.
    #[serde(rename = "type")]
    pub kind: Option<&'static str>,
    /// Its version before; absent if only the second side has it.
    pub from: Option<String>,
    /// Its version after; absent if only the first side has it.
    pub to: Option<String>,
    /// Its versions in the words that people use, before and after.
    #[serde(skip)]
    pub short: (Option<String>, Option<String>),
    /// True if both trees are the same; absent if one of them is not known here, and it is made from other things.
    pub equal: Option<bool>,
    /// The tree before, if it is known: realized, sealed or published.
    pub from_tree: Option<TreeDigest>,
    /// The tree after.
    pub to_tree: Option<TreeDigest>,
    /// Settings of its recipe that differ.
    pub settings: Vec<FieldChange>,
    /// Inputs and outputs that it is made from, and that differ.
    pub through: Vec<String>,
    /// Files that differ.
    #[serde(flatten)]
    pub files: Files,
}

/// An output on one side.
struct State<'s> {
    recipe: Option<&'s Recipe>,
    derivation: Option<DerivationId>,
    tree: Option<TreeDigest>,
    version: String,
    short: String,
}

impl<'s> State<'s> {
    fn of(side: &Side<'s>, name: &str, store: Option<&Store>) -> Result<Option<Self>> {
        let realized = side.generation.and_then(|generation| generation.outputs.get(name));
        let locked = side.lock.and_then(|lock| lock.outputs.get(name));
        if side.generation.is_some_and(|_| realized.is_none()) || (realized.is_none() && locked.is_none()) {
            return Ok(None);
        }
        let derivation = realized.map(|output| output.derivation).or(locked.map(|output| output.derivation));
        let known = realized.map(|output| output.tree).or(locked.and_then(|output| output.tree));
        let tree = match (known, derivation, store) {
            (None, Some(id), Some(store)) => store.output_record(id)?.map(|record| record.tree),
            (known, ..) => known,
        };
        let long = |lock: &Lock| version(lock, name);
        Ok(Some(Self {
            recipe: locked.map(|output| &output.recipe),
            derivation,
            tree,
            version: realized.map(|output| output.version.clone()).or(side.lock.map(long)).unwrap_or_default(),
            short: side.lock.map(|lock| short_version(lock, name)).unwrap_or_default(),
        }))
    }
}

impl OutputChange {
    /// Compares an output of two sides.
    pub(super) fn between(name: &str, from: &Side, to: &Side, store: Option<&Store>) -> Result<Self> {
        let (before, after) = (State::of(from, name, store)?, State::of(to, name, store)?);
        let mut change = Self { output: name.to_owned(), ..Self::default() };
        change.from = before.as_ref().map(|state| state.version.clone());
        change.to = after.as_ref().map(|state| state.version.clone());
        change.short =
            (before.as_ref().map(|state| state.short.clone()), after.as_ref().map(|state| state.short.clone()));
        let recipe = |state: &Option<State<'_>>| state.as_ref().and_then(|state| state.recipe.map(Recipe::kind));
        change.kind = recipe(&after).or(recipe(&before));
        change.from_tree = before.as_ref().and_then(|state| state.tree);
        change.to_tree = after.as_ref().and_then(|state| state.tree);
        change.equal = match (&before, &after) {
            (Some(before), Some(after)) => match (before.tree, after.tree) {
                (Some(one), Some(other)) => Some(one == other),
                _ => (before.derivation == after.derivation).then_some(true),
            },
            (None, None) => Some(true),
            _ => Some(false),
        };
        if let (Some(before), Some(after)) =
            (before.as_ref().and_then(|state| state.recipe), after.as_ref().and_then(|state| state.recipe))
        {
            change.settings = changed_fields(&fields(before), &fields(after));
            change.through = through(from, to, after);
        }
        // A tree that is not known has no files to compare; an output that does not exist has none at all.
        let comparable =
            before.is_none_or(|state| state.tree.is_some()) && after.is_none_or(|state| state.tree.is_some());
        if let Some(store) = store
            && comparable
            && change.equal == Some(false)
        {
            change.files = Files::between(store, change.from_tree, change.to_tree)?;
        }
        Ok(change)
    }

    /// Returns true if there is something to tell of it.
    pub(super) fn is_worth_telling(&self) -> bool {
        self.equal != Some(true) || !self.settings.is_empty()
    }

    /// Returns the versions for a person: in words that people use, if these differ.
    #[must_use]
    pub fn versions(&self) -> (Option<&str>, Option<&str>) {
        let (from, to) = &self.short;
        let (from, to) =
            if from == to { (self.from.as_deref(), self.to.as_deref()) } else { (from.as_deref(), to.as_deref()) };
        (from.filter(|text| !text.is_empty()), to.filter(|text| !text.is_empty()))
    }
}

fn fields(recipe: &Recipe) -> Value {
    serde_json::to_value(recipe).unwrap_or_default()
}

/// Returns the parts of a recipe that are not the same on both sides.
fn through(from: &Side, to: &Side, recipe: &Recipe) -> Vec<String> {
    let input = |side: &Side, name: &str| side.lock.and_then(|lock| Some(lock.inputs.get(name)?.visible()));
    let output = |side: &Side, name: &str| side.lock.and_then(|lock| Some(lock.outputs.get(name)?.request));
    let inputs = recipe.inputs().into_iter().map(|(_, name)| name).filter(|name| input(from, name) != input(to, name));
    let outputs =
        recipe.outputs().into_iter().map(|(_, name)| name).filter(|name| output(from, name) != output(to, name));
    let mut all: Vec<String> = Vec::new();
    for name in inputs.chain(outputs) {
        if !all.iter().any(|one| one == name) {
            all.push(name.to_owned());
        }
    }
    all
}
