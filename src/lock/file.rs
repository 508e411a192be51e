//! The lock as it stands in the file.
//!
//! An output's block holds its recipe, and once sealed the derivation id and tree that the seal is for. The derivation
//! of an unsealed output is not written: it follows from the rest, it would make every two branches that update
//! different inputs conflict, and a merge could never get it right. A seal whose derivation is no longer the output's
//! is void.

use std::collections::BTreeMap;

use semver::VersionReq;
use serde::{Deserialize, Serialize};

use super::{Lock, LockedOutput, derivations};
use crate::canonical::canonical;
use crate::digest::{DerivationId, Sha256Digest, TreeDigest};
use crate::error::Result;
use crate::inputs::LockedInput;
use crate::recipe::Recipe;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockFile {
    pub version: u64,
    pub requires: VersionReq,
    pub inputs: BTreeMap<String, LockedInput>,
    pub outputs: BTreeMap<String, OutputBlock>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutputBlock {
    pub recipe: Recipe,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Seal>,
    /// SHA-256 of the canonical text of this block without this field.
    pub entry: Sha256Digest,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seal {
    pub derivation: DerivationId,
    pub tree: TreeDigest,
}

impl OutputBlock {
    fn new(output: &LockedOutput) -> Result<Self> {
        // The tree of a ROCm output is its input's, which has its own block.
        let sealed = output.tree.filter(|_| output.recipe.published().is_none());
        let sealed = sealed.map(|tree| Seal { derivation: output.derivation, tree });
        let mut block = Self { recipe: output.recipe.clone(), sealed, entry: Sha256Digest::of(b"") };
        block.entry = block.digest()?;
        Ok(block)
    }

    /// What `entry` must be.
    pub fn digest(&self) -> Result<Sha256Digest> {
        #[derive(Serialize)]
        struct Signed<'a> {
            recipe: &'a Recipe,
            #[serde(skip_serializing_if = "Option::is_none")]
            sealed: &'a Option<Seal>,
        }
        Ok(Sha256Digest::of(canonical(&Signed { recipe: &self.recipe, sealed: &self.sealed })?.as_bytes()))
    }
}

impl Lock {
    /// The text that is written to strix.lock.
    pub fn to_text(&self) -> Result<String> {
        let outputs = self.outputs.iter().map(|(name, output)| Ok((name.clone(), OutputBlock::new(output)?)));
        canonical(&LockFile {
            version: self.version,
            requires: self.requires.clone(),
            inputs: self.inputs.clone(),
            outputs: outputs.collect::<Result<_>>()?,
        })
    }
}

impl LockFile {
    /// Computes what the file does not say.
    pub fn complete(self) -> Result<Lock> {
        let recipes = self.outputs.iter().map(|(name, block)| (name.clone(), block.recipe.clone())).collect();
        let ids = derivations(&self.inputs, &recipes)?;
        let outputs = self.outputs.into_iter().filter_map(|(name, block)| {
            let derivation = *ids.get(&name)?;
            let tree = match block.recipe.published() {
                Some(input) => self.inputs.get(input).and_then(|input| input.tree()).map(|pin| pin.digest),
                None => block.sealed.filter(|seal| seal.derivation == derivation).map(|seal| seal.tree),
            };
            Some((name, LockedOutput { recipe: block.recipe, derivation, tree }))
        });
        let outputs = outputs.collect();
        Ok(Lock { version: self.version, requires: self.requires, inputs: self.inputs, outputs })
    }
}
