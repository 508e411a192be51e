//! Checks that a ROCm tree has the kernels that llama.cpp computes with, before a build spends half an hour.

use super::{Make as _, Realizer};
use crate::error::{About as _, Result};
use crate::recipe::{Recipe, each_output};
use crate::store::StoredTree;
use crate::trim::{Mounted, demand_tables};

impl Realizer<'_> {
    /// Fails if the tree of the ROCm output `name` lacks kernel tables of a library that an output of the lock needs.
    /// Outputs that are realized already were checked then, and a tree that nothing runs with is not checked.
    pub(crate) fn demand_kernels(&self, name: &str, tree: &StoredTree) -> Result<()> {
        let mut all = Vec::new();
        for output in self.lock.outputs.values() {
            let Some(edges) = each_output!(&output.recipe, recipe => recipe.edges(self, name))? else { continue };
            if self.intake.store.output_record(output.derivation)?.is_none() {
                all.push((self.lock.targets(&output.recipe), edges));
            }
        }
        if all.is_empty() {
            return Ok(());
        }
        let (prefix, _) = self.rocm_settings(name)?;
        let listing = tree.listing()?;
        let mounted = Mounted { dir: &tree.path, listing: &listing, prefix };
        all.iter().try_for_each(|(targets, edges)| demand_tables(mounted, targets, edges)).about(name)
    }

    /// Returns true if an output of the lock is a runtime trimmed from the ROCm output `rocm`.
    pub(crate) fn is_trimmed(&self, rocm: &str) -> bool {
        let mut outputs = self.lock.outputs.values();
        outputs.any(|output| matches!(&output.recipe, Recipe::Runtime(recipe) if recipe.rocm == rocm))
    }
}
