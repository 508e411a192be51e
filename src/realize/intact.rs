//! Checks that trees are undamaged before they are used.
//!
//! A disk, or a write through a hard link, may have damaged a tree in the store. A build from a damaged tree would give
//! another output, which `check` would report as not reproducible. So each tree is read once before it is used. That
//! takes seconds, and a build takes minutes.

use super::Realizer;
use crate::error::{Error, Kind, Result};
use crate::store::StoredTree;
use crate::store::verify::{Modes, verify};

/// Number of damaged files that an error names.
const NAMED: usize = 5;

impl Realizer<'_> {
    /// Fails if `name`'s tree is damaged. Checks each tree at most once per run.
    pub(super) fn demand_intact(&self, name: &str, tree: StoredTree) -> Result<StoredTree> {
        if self.verified.lock().is_ok_and(|verified| verified.contains(&tree.digest)) {
            return Ok(tree);
        }
        let damages = verify(name, &tree.path, &tree.listing()?, Modes::Store, self.intake.fetcher.progress())?;
        if damages.is_empty() {
            if let Ok(mut verified) = self.verified.lock() {
                verified.insert(tree.digest);
            }
            return Ok(tree);
        }
        let mut error = Error::new(Kind::Damaged, format!("the tree of `{name}` in the store is damaged"));
        error = error.fact("tree", tree.digest);
        for damage in damages.iter().take(NAMED) {
            error = error.fact(damage.fault.label(), damage.display());
        }
        if damages.len() > NAMED {
            error = error.fact("and", format!("{} more", damages.len() - NAMED));
        }
        Err(error.hint("`strixlock verify --repair` repairs it"))
    }
}
