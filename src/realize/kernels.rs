//! Check that a ROCm tree has the kernels that llama.cpp computes with, before half an hour is spent on building with it.

use super::{Make as _, Realizer};
use crate::error::{About as _, Result};
use crate::recipe::{Recipe, each_output};
use crate::store::StoredTree;
use crate::trim::{Mounted, demand_tables};

impl Realizer<'_> {
    /// Fails if the tree of the output `name` lacks the tables of a library that something in the lock is still to run with. Where all
    /// of that is made already it was looked at then, and a tree that nothing runs with may lack what it likes.
    pub(crate) fn demand_kernels(&self, name: &str, tree: &StoredTree) -> Result<()> {
        let mut all = Vec::new();
        for output in self.lock.outputs.values() {
            let Some(edges) = each_output!(&output.recipe, recipe => recipe.edges(self, name))? else { continue };
            if self.intake.store.output_record(output.derivation)?.is_none() {
                all.push(edges);
            }
        }
        if all.is_empty() {
            return Ok(());
        }
        let (prefix, target) = self.rocm_settings(name)?;
        let listing = tree.listing()?;
        let mounted = Mounted { dir: &tree.path, listing: &listing, prefix };
        all.iter().try_for_each(|edges| demand_tables(mounted, target, edges)).about(name)
    }

    /// Returns whether a runtime is cut out of the ROCm tree that is the output `rocm`.
    pub(crate) fn is_trimmed(&self, rocm: &str) -> bool {
        let mut outputs = self.lock.outputs.values();
        outputs.any(|output| matches!(&output.recipe, Recipe::Runtime(recipe) if recipe.rocm == rocm))
    }
}
