//! Restores file contents that the store has lost: from downloads and git, else by building an output again.

use std::collections::BTreeSet;

use super::Realizer;
use super::execute::Made;
use super::plan::Plan;
use crate::error::{About as _, Error, Kind, Result};
use crate::inputs::restore_model;
use crate::recipe::Origin;
use crate::store::verify::Contents;
use crate::tree::Listing;

impl Realizer<'_> {
    /// Puts undamaged files with these contents into the store, as far as an input or output of the lock has them.
    pub fn restore_contents(&self, lacking: &BTreeSet<Contents>) -> Result<()> {
        let store = self.intake.store;
        for (name, input) in &self.lock.inputs {
            let lacks = |digest| lacking.contains(&Contents { digest, executable: false });
            restore_model(self.intake, name, input, lacks).about(name)?;
            let Some(pin) = input.tree() else { continue };
            if !store.listing(pin.digest)?.is_some_and(|listing| holds_any(&listing, lacking)) {
                continue;
            }
            input.restore(self.intake, name)?;
        }
        for (name, output) in &self.lock.outputs {
            // All other outputs consist of files of inputs and outputs.
            if output.recipe.origin() != Origin::Made {
                continue;
            }
            let lacking: BTreeSet<Contents> = lacking.iter().copied().filter(|one| !store.has_whole(*one)).collect();
            let Some(record) = store.output_record(output.derivation)? else { continue };
            if store.listing(record.tree)?.is_some_and(|listing| holds_any(&listing, &lacking)) {
                self.rebuild(name, &record).about(name)?;
            }
        }
        Ok(())
    }

    /// Builds a realized output again in a staging directory, and gives its files to the store if the tree is the same.
    fn rebuild(&self, name: &str, record: &crate::store::OutputRecord) -> Result<()> {
        let (store, locked) = (self.intake.store, self.lock.output(name)?);
        if self.builds(name) {
            self.demand_sandbox(&locked.recipe)?;
        }
        self.run(&Plan::of_parts(self.lock, store, name)?)?;
        let Made::Staged(staging, listing) = self.build_again(name, locked)? else { return Ok(()) };
        if listing.digest() == record.tree {
            return store.share_all(&staging, &listing);
        }
        Err(Error::new(Kind::Damaged, "files of the output are lost, and building it again gave another tree")
            .fact("realized", record.tree)
            .fact("made", listing.digest())
            .hint(format!("`strixlock check {name}` shows the differences")))
    }
}

fn holds_any(listing: &Listing, lacking: &BTreeSet<Contents>) -> bool {
    listing.entries().iter().any(|entry| Contents::of(entry).is_some_and(|contents| lacking.contains(&contents)))
}
