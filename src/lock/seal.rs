//! Seals: the promise that an output is the same tree on every machine.
//!
//! A seal has the request id and the derivation id that it was written for. It holds while the output has this request
//! id, also if another version of strixlock has another recipe for the output and so another derivation id. Otherwise
//! the seal was written for other pins or another recipe, as after a merge of two branches, and no longer holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::derivation::{Ids, derivations};
use super::{LockedOutput, earlier};
use crate::digest::{DerivationId, Sha256Digest, TreeDigest};
use crate::error::Result;
use crate::inputs::LockedInput;
use crate::recipe::Recipe;

/// A seal in the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// The derivation id with which the tree was made.
    pub derivation: DerivationId,
    /// The request id. Seals of strixlock 0.1.0 and before have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Sha256Digest>,
    /// The tree.
    pub tree: TreeDigest,
}

/// The ids in a seal that another version of strixlock wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarlierSeal {
    /// The derivation id with which that version made the tree.
    pub derivation: DerivationId,
    /// The request id, if it wrote one.
    pub request: Option<Sha256Digest>,
}

impl LockedOutput {
    /// Locks every recipe: computes its ids, and sets the tree of its input or of the seal that `seal` returns.
    pub fn all(
        inputs: &BTreeMap<String, LockedInput>,
        recipes: &BTreeMap<String, Recipe>,
        seal: impl Fn(&str, &Ids) -> Option<Seal>,
    ) -> Result<BTreeMap<String, Self>> {
        let locked = derivations(inputs, recipes)?.into_iter().map(|(name, (recipe, ids))| {
            let Ids { request, derivation } = ids;
            let mut output = Self { recipe: recipe.clone(), request, derivation, tree: None, earlier: None };
            match recipe.published() {
                Some(input) => output.tree = inputs.get(input).and_then(|input| input.tree()).map(|tree| tree.digest),
                None => {
                    if let Some(Seal { derivation, request, tree }) = seal(name, &ids) {
                        output.tree = Some(tree);
                        output.earlier =
                            (derivation != output.derivation).then_some(EarlierSeal { derivation, request });
                    }
                }
            }
            (name.to_owned(), output)
        });
        Ok(locked.collect())
    }

    /// Returns the seal for the lock; none if the tree is an input's, which has a block of its own.
    #[must_use]
    pub fn seal(&self) -> Option<Seal> {
        let tree = self.tree.filter(|_| self.recipe.published().is_none())?;
        let own = EarlierSeal { derivation: self.derivation, request: Some(self.request) };
        let EarlierSeal { derivation, request } = self.earlier.unwrap_or(own);
        Some(Seal { derivation, request, tree })
    }

    /// Seals the output with the tree that this version of strixlock made.
    pub fn set_seal(&mut self, tree: TreeDigest) {
        (self.tree, self.earlier) = (Some(tree), None);
    }

    /// Removes the seal. The tree of an input stays.
    pub fn remove_seal(&mut self) {
        if self.recipe.published().is_none() {
            (self.tree, self.earlier) = (None, None);
        }
    }
}

/// Returns the names of outputs whose seals were written for another request.
pub(super) fn foreign(
    inputs: &BTreeMap<String, LockedInput>,
    recipes: &BTreeMap<String, Recipe>,
    seals: &BTreeMap<&str, Seal>,
) -> Result<Vec<String>> {
    let ids = derivations(inputs, recipes)?;
    // Computed only if a seal needs them.
    let is_asked = seals.values().any(|seal| seal.request.is_none());
    let before = if is_asked { earlier::derivations(inputs, recipes)? } else { BTreeMap::new() };
    let holds = |name: &str, seal: &Seal| match seal.request {
        Some(request) => ids.get(name).is_some_and(|(_, ids)| ids.request == request),
        None => before.get(name) == Some(&seal.derivation),
    };
    Ok(seals.iter().filter(|(name, seal)| !holds(name, seal)).map(|(name, _)| (*name).to_owned()).collect())
}
