//! Whether what goes into a build is what it should be.
//!
//! A tree in the store may have been damaged by a disk, or by a write through a hard link. A build of it would give
//! another output, and `check` would call that one not reproducible. So trees are read once before they are used, which takes
//! seconds where a build takes minutes.

use super::Realizer;
use crate::error::{Error, Kind, Result};
use crate::store::StoredTree;
use crate::store::verify::{Modes, verify};

/// How many damaged files an error names.
const NAMED: usize = 5;

impl Realizer<'_> {
    /// Fails if the tree that `name` is has been damaged. Each tree is looked at once.
    pub(super) fn whole(&self, name: &str, tree: StoredTree) -> Result<StoredTree> {
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
        Err(error.hint("`strixlock verify --repair` puts it right"))
    }
}
