//! The lock's model, format version 1.

use std::collections::BTreeMap;

use semver::VersionReq;

use super::EarlierSeal;
use super::order::in_order;
use crate::digest::{DerivationId, Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::inputs::LockedInput;
use crate::recipe::{BuildRoot, Recipe};
use crate::suggest::suggest;

/// A lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The format, [`super::FORMAT`].
    pub version: u64,
    /// The versions of strixlock that may read the lock, from the manifest.
    pub requires: VersionReq,
    /// The pins by name.
    pub inputs: BTreeMap<String, LockedInput>,
    /// The outputs by name.
    pub outputs: BTreeMap<String, LockedOutput>,
}

/// One output: its recipe, its ids and, once sealed, its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedOutput {
    /// The recipe.
    pub recipe: Recipe,
    /// The request id: the digest of the recipe with everything that it uses.
    pub request: Sha256Digest,
    /// The derivation id: the digest of the request and of everything that this program adds.
    pub derivation: DerivationId,
    /// The tree, once sealed. Always known for `rocm`, since the input's tree is the output.
    pub tree: Option<TreeDigest>,
    /// The ids in its seal, if a version of strixlock wrote them whose recipe adds something else.
    pub earlier: Option<EarlierSeal>,
}

impl Lock {
    /// Returns the output `name`. The error suggests a similar name.
    pub fn output(&self, name: &str) -> Result<&LockedOutput> {
        self.outputs.get(name).ok_or_else(|| {
            let error = Error::new(Kind::NotFound, format!("the lock has no output `{name}`"));
            let made =
                self.outputs.iter().find(|(_, output)| output.recipe.inputs().iter().any(|(_, input)| *input == name));
            error.hint(match made {
                Some((output, _)) if self.inputs.contains_key(name) => {
                    format!("`{name}` is an input, and the output `{output}` is made from it")
                }
                _ => suggest(name, self.outputs.keys().map(String::as_str)),
            })
        })
    }

    /// Returns the names of all outputs in the order in which they are made and shown everywhere: each after its parts,
    /// then by kind and by name.
    #[must_use]
    pub fn ordered(&self) -> Vec<&String> {
        in_order(self.outputs.iter().map(|(name, output)| (name, &output.recipe)))
    }

    /// Returns the default outputs of a command, in the order of [`Self::ordered`]: all except images, which contain
    /// copies of others, and root file systems that only images use.
    pub fn usual_outputs(&self) -> impl Iterator<Item = &String> {
        let usual = |name: &&String| self.outputs.get(*name).is_some_and(|output| self.is_usual(name, output));
        self.ordered().into_iter().filter(usual)
    }

    fn is_usual(&self, name: &str, output: &LockedOutput) -> bool {
        let used = |by_images: bool| {
            let users = self.outputs.values().filter(|output| output.recipe.is_image() == by_images);
            users.flat_map(|output| output.recipe.outputs()).any(|(_, used)| used == name)
        };
        let root_of_images = output.recipe.is_root() && used(true) && !used(false);
        !output.recipe.is_image() && !root_of_images
    }

    /// Returns the name of the variant that an output belongs to: `stable` for `llama.stable` beside `llama`.
    #[must_use]
    pub fn variant<'n>(&self, output: &'n str) -> Option<&'n str> {
        let (own, variant) = output.rsplit_once('.')?;
        self.outputs.contains_key(own).then_some(variant)
    }

    /// Returns the output that is the root of a sandbox, or none if there is no sandbox or it has the host's root.
    #[must_use]
    pub fn base_of(&self, root: BuildRoot<'_>) -> Option<&str> {
        let built = match root {
            BuildRoot::NoSandbox | BuildRoot::Host | BuildRoot::ProofOnly(None) => return None,
            BuildRoot::Output(name) | BuildRoot::ProofOnly(Some(name)) => name,
            BuildRoot::RootOf(built) => match self.outputs.get(built)?.recipe.build_root() {
                BuildRoot::Output(name) | BuildRoot::ProofOnly(Some(name)) => name,
                _ => return None,
            },
        };
        self.outputs.get_key_value(built).map(|(name, _)| name.as_str())
    }
}
