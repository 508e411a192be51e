//! The file format of the lock.
//!
//! The block of an output has its recipe and, once sealed, the ids and the tree of the seal. The ids of an unsealed
//! output are not written. They follow from the rest, any two branches that update different inputs would conflict, and
//! a merge could not get them right. The module `seal` describes when a seal holds.

use std::collections::BTreeMap;

use semver::VersionReq;
use serde::{Deserialize, Serialize};

use super::seal::{Seal, foreign};
use super::{Lock, LockedOutput};
use crate::canonical::canonical;
use crate::digest::Sha256Digest;
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

impl OutputBlock {
    fn new(output: &LockedOutput) -> Result<Self> {
        let mut block = Self { recipe: output.recipe.clone(), sealed: output.seal(), entry: Sha256Digest::of(b"") };
        block.entry = block.digest()?;
        Ok(block)
    }

    /// Computes the digest that `entry` must have.
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
    /// Returns the text of strix.lock.
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
    /// Computes the ids, which the file does not have. Returns the lock without seals that were written for another
    /// request, and the names of their outputs.
    pub fn complete(self) -> Result<(Lock, Vec<String>)> {
        let (mut recipes, mut seals) = (BTreeMap::new(), BTreeMap::new());
        for (name, block) in &self.outputs {
            recipes.insert(name.clone(), block.recipe.clone());
            seals.extend(block.sealed.map(|seal| (name.as_str(), seal)));
        }
        let foreign = foreign(&self.inputs, &recipes, &seals)?;
        seals.retain(|name, _| !foreign.iter().any(|foreign| foreign == name));
        let outputs = LockedOutput::all(&self.inputs, &recipes, |name, _| seals.get(name).copied())?;
        Ok((Lock { version: self.version, requires: self.requires, inputs: self.inputs, outputs }, foreign))
    }
}
