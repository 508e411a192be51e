//! The pinned ROCm under an output, also under one that is laid over others; and the GPUs that an engine is for.

use std::collections::BTreeMap;

use super::Lock;
use crate::gfx::GfxTarget;
use crate::inputs::{Block, LockedInput};
use crate::recipe::{OutputRole, Recipe, RocmRecipe};
use crate::upstream::rocm::RocmRequest;

/// Returns the recipe and the pin at the bottom of a ROCm output; `output` finds the recipe of an output.
pub(super) fn published_rocm<'i, 'l>(
    inputs: &'i BTreeMap<String, LockedInput>,
    output: impl Fn(&str) -> Option<&'l Recipe>,
    name: &str,
) -> Option<(&'l RocmRecipe, &'i Block<RocmRequest>)> {
    let Recipe::Rocm(recipe) = output(name)?.bottom(&output) else { return None };
    let LockedInput::Rocm(block) = inputs.get(&recipe.input)? else { return None };
    Some((recipe, block))
}

/// Returns the GPUs that an output is for: those that an engine's recipe names, else that of its ROCm tree; those of a
/// runtime's engine. None without ROCm.
fn targets<'l>(
    inputs: &BTreeMap<String, LockedInput>,
    output: impl Fn(&str) -> Option<&'l Recipe>,
    recipe: &Recipe,
) -> Vec<GfxTarget> {
    let engine = |name: &str| output(name).filter(|recipe| recipe.is(OutputRole::Engine));
    let served = recipe.outputs().into_iter().filter(|(role, _)| *role == OutputRole::Engine);
    let named = { served }.find_map(|(_, name)| engine(name).map(Recipe::gpus));
    let named = if recipe.is(OutputRole::Runtime) { named.unwrap_or_default() } else { recipe.gpus() };
    if !named.is_empty() {
        return named.to_vec();
    }
    let pinned = recipe.rocm().and_then(|rocm| published_rocm(inputs, &output, rocm));
    pinned.map(|(_, block)| block.requested.target.clone()).into_iter().collect()
}

impl Lock {
    /// Returns the recipe of an output.
    #[must_use]
    pub fn recipe(&self, name: &str) -> Option<&Recipe> {
        self.outputs.get(name).map(|output| &output.recipe)
    }

    /// Returns the recipe and the pin at the bottom of a ROCm output.
    #[must_use]
    pub fn published_rocm(&self, name: &str) -> Option<(&RocmRecipe, &Block<RocmRequest>)> {
        published_rocm(&self.inputs, |name| self.recipe(name), name)
    }

    /// Returns the GPUs that an output is for. None without ROCm.
    #[must_use]
    pub fn targets(&self, recipe: &Recipe) -> Vec<GfxTarget> {
        targets(&self.inputs, |name| self.recipe(name), recipe)
    }

    /// Returns the directory at which an output is used: its own, or that of the output which it is laid over.
    #[must_use]
    pub fn prefix_of(&self, name: &str) -> Option<&str> {
        self.recipe(name)?.bottom(|name| self.recipe(name)).prefix()
    }
}
