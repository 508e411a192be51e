//! Check that a ROCm tree has the kernels that llama.cpp computes with, before half an hour is spent on building with it.

use super::Realizer;
use crate::error::{About as _, Result};
use crate::manifest::known_edges;
use crate::recipe::Recipe;
use crate::store::StoredTree;
use crate::trim::{Mounted, demand_tables};

impl Realizer<'_> {
    /// Fails if the tree of the output `name` lacks the tables of a library that something in the lock is still to run with. Where all
    /// of that is made already it was looked at then, and a tree that nothing runs with may lack what it likes.
    pub(super) fn demand_kernels(&self, name: &str, tree: &StoredTree) -> Result<()> {
        let mut all = Vec::new();
        for output in self.lock.outputs.values() {
            let edges = match &output.recipe {
                Recipe::Runtime(recipe) if recipe.rocm == name => recipe.all_edges(known_edges()?),
                // Where there is a runtime of it, that one's edges say more.
                Recipe::Llama(recipe) if recipe.rocm.as_deref() == Some(name) && !self.is_trimmed(name) => {
                    known_edges()?.to_vec()
                }
                _ => continue,
            };
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

    fn is_trimmed(&self, rocm: &str) -> bool {
        let mut outputs = self.lock.outputs.values();
        outputs.any(|output| matches!(&output.recipe, Recipe::Runtime(recipe) if recipe.rocm == rocm))
    }
}
