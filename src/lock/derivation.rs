//! The two ids of every output.
//!
//! Both are digests of canonical JSON. The request id covers what a lock asks for: the recipe, and the parts of the
//! inputs that can show in the output (not their URLs). It is the same for every strixlock that knows the recipe. The
//! derivation id covers the request and everything that the recipe of this program adds ([`Derive::adds`]): variables,
//! environment, commands, tables, and a revision for rules that are not data. The store keeps outputs by derivation id.
//! A seal has both ids.
//!
//! Neither covers decisions that are made while an output is built from pinned sources: whether a source declares a
//! CMake variable, which libraries a loader asks for. The same sources give the same decisions, by rules that the
//! revision covers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::order::in_order;
use super::rocm::published_rocm;
use crate::canonical::canonical;
use crate::digest::{DerivationId, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::gfx::GfxTarget;
use crate::inputs::{InputKind, LockedInput};
use crate::recipe::build::{self, Hip, Source};
use crate::recipe::{CMakeBuild, OutputKind, Recipe, each_output, fits};

/// The part of every kind of output that determines its ids and validates its recipe in a lock.
pub trait Derive: OutputKind {
    /// Returns, as data, everything besides the recipe and its parts that can show in the output. It is hashed into the
    /// derivation id. [`OutputKind::REVISION`] covers rules that are not data.
    fn adds(&self, parts: &Parts) -> Result<Value>;

    /// Returns the fault of a recipe that no manifest could have given, if any.
    fn fault(&self) -> Option<String> {
        None
    }
}

/// All inputs and recipes of a lock, among which an output finds its parts.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'l> {
    /// The pins by name.
    pub inputs: &'l BTreeMap<String, LockedInput>,
    /// The recipes of all outputs by name.
    pub recipes: &'l BTreeMap<String, Recipe>,
}

/// The ids of one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// The request id: the digest of what the lock asks for.
    pub request: Sha256Digest,
    /// The derivation id: the digest of the request and of everything that this program adds.
    pub derivation: DerivationId,
}

/// The text that is hashed into a request id.
#[derive(Serialize)]
struct Request<'a> {
    /// The name of this format.
    format: &'static str,
    recipe: &'a Recipe,
    /// The parts of the inputs that can show in the output.
    inputs: BTreeMap<&'a str, Value>,
    /// The request ids of the outputs that it is made from.
    outputs: BTreeMap<&'a str, Sha256Digest>,
}

/// The text that is hashed into a derivation id.
#[derive(Serialize)]
struct Derivation<'a> {
    /// The name of this format.
    format: &'static str,
    request: Sha256Digest,
    /// See [`OutputKind::REVISION`].
    revision: u32,
    /// See [`Derive::adds`].
    adds: Value,
    /// The derivation ids of the outputs that it is made from.
    outputs: BTreeMap<&'a str, DerivationId>,
}

/// Computes the ids of all outputs. Fails if an input or output that a recipe names is missing or of another kind, or
/// if an output is made from itself.
pub fn derivations<'l>(
    inputs: &'l BTreeMap<String, LockedInput>,
    recipes: &'l BTreeMap<String, Recipe>,
) -> Result<BTreeMap<&'l str, (&'l Recipe, Ids)>> {
    let parts = Parts { inputs, recipes };
    let mut all = BTreeMap::new();
    for name in in_order(recipes.iter()) {
        let Some(recipe) = parts.recipe(name) else { continue };
        let ids = parts.ids(recipe, &all).map_err(|error| error.about(format!("output `{name}`")))?;
        all.insert(name.as_str(), (recipe, ids));
    }
    Ok(all)
}

impl<'l> Parts<'l> {
    /// Returns the recipe of an output.
    #[must_use]
    pub fn recipe(&self, name: &str) -> Option<&'l Recipe> {
        self.recipes.get(name)
    }

    /// Returns prefix and GPU of the ROCm output `name`, also of one that is laid over another.
    pub fn rocm(&self, name: &str) -> Result<(&'l str, &'l GfxTarget)> {
        match published_rocm(self.inputs, |name| self.recipe(name), name) {
            Some((recipe, block)) => Ok((&recipe.prefix, &block.requested.target)),
            None => Err(Error::new(Kind::Invalid, format!("`{name}` is not a ROCm tree"))),
        }
    }

    /// Returns everything that a build with CMake adds to its recipe.
    pub fn cmake_build(&self, recipe: &dyn CMakeBuild) -> Result<Value> {
        let project = recipe.project();
        let source = Source::of(project.source, self.inputs.get(project.source))?;
        let hip = match project.rocm {
            None => None,
            Some(name) => {
                let (prefix, target) = self.rocm(name)?;
                Some(Hip::new(prefix, project.gpus, target))
            }
        };
        Ok(build::adds(recipe, &source, hip.as_ref()))
    }

    /// Computes the ids of an output from the known ids of its parts.
    fn ids(&self, recipe: &Recipe, known: &BTreeMap<&str, (&Recipe, Ids)>) -> Result<Ids> {
        let missing = |what: &str, kinds: &str, name: &str| {
            Error::new(Kind::Invalid, format!("the {what} `{name}` of type {kinds} that it needs is not in the lock"))
                .hint("restore the lock from version control, or run `strixlock update`")
        };
        let mut used = BTreeMap::new();
        for (kind, name) in recipe.inputs() {
            let is_archive = |pin: &LockedInput| recipe.takes_archives() && pin.kind() == InputKind::File;
            let pin = self.inputs.get(name).filter(|pin| fits(kind, pin.kind()) || is_archive(pin));
            used.insert(name, pin.ok_or_else(|| missing("input", &format!("`{}`", kind.name()), name))?.visible());
        }
        let (mut requests, mut built) = (BTreeMap::new(), BTreeMap::new());
        for (role, name) in recipe.outputs() {
            if self.recipe(name).is_none_or(|recipe| !recipe.is(role)) {
                return Err(missing("output", &role.kinds(), name));
            }
            let (_, ids) = known.get(name).ok_or_else(|| {
                Error::new(Kind::Invalid, format!("circular: it is made from `{name}`, which is made from it"))
            })?;
            requests.insert(name, ids.request);
            built.insert(name, ids.derivation);
        }
        let request = Request { format: "strix-request-1", recipe, inputs: used, outputs: requests };
        let request = Sha256Digest::of(canonical(&request)?.as_bytes());
        let adds = each_output!(recipe, recipe => recipe.adds(self))?;
        let format = "strix-derivation-2";
        let derivation = Derivation { format, request, revision: recipe.revision(), adds, outputs: built };
        Ok(Ids { request, derivation: DerivationId(Sha256Digest::of(canonical(&derivation)?.as_bytes())) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Compression;

    fn adds(recipe: &Value) -> Value {
        let recipe: Recipe = serde_json::from_value(recipe.clone()).unwrap();
        let parts = Parts { inputs: &BTreeMap::new(), recipes: &BTreeMap::new() };
        each_output!(&recipe, recipe => recipe.adds(&parts)).unwrap()
    }

    #[test]
    fn level_and_library_of_the_compression_are_part_of_an_image() {
        for (compression, name) in [(Compression::Zstd, "zstd"), (Compression::Gzip, "gzip")] {
            let added = adds(&serde_json::json!({ "type": "image", "name": "server", "compression": name }));
            assert_eq!(added["compressor"], serde_json::to_value(compression.compressor()).unwrap());
        }
    }

    #[test]
    fn known_edges_are_part_of_a_runtime_that_takes_them() {
        let runtime = |own: bool| {
            adds(&serde_json::json!({
                "type": "runtime", "rocm": "rocm", "llama": "llama", "roots": ["llama-cli"], "own-edges-only": own,
            }))
        };
        assert!(!runtime(false)["edges"].as_array().unwrap().is_empty());
        assert!(runtime(true)["edges"].as_array().unwrap().is_empty());
    }
}
