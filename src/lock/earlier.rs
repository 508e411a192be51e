//! The derivation ids that strixlock wrote into seals before seals held a request id.
//!
//! In format `strix-derivation-1` a number stood for the recipe of the program. The numbers, and the digest of the
//! edges that came with the program, are those of the last version that wrote this format, and never change. A seal
//! with such an id is for the same request as now, so the lock still promises its tree.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::labels;
use super::order::in_order;
use crate::canonical::canonical;
use crate::digest::{DerivationId, Sha256Digest};
use crate::error::Result;
use crate::inputs::LockedInput;
use crate::oci::Compressor;
use crate::recipe::Recipe;

/// The digest of the edges that came with the program.
const EDGES: &str = "sha256:aa457ccafa54cc0b9b923c77dcde48c8b57c7a24649e799bf1d4c401325603f8";

#[derive(Serialize)]
struct Derivation<'a> {
    format: &'static str,
    recipe: &'a Recipe,
    revision: u32,
    inputs: BTreeMap<&'a str, Value>,
    outputs: BTreeMap<&'a str, DerivationId>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compressor: Option<Compressor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edges: Option<&'static str>,
}

/// Computes the earlier ids of outputs whose kinds and parts had one.
pub(super) fn derivations<'l>(
    inputs: &BTreeMap<String, LockedInput>,
    recipes: &'l BTreeMap<String, Recipe>,
) -> Result<BTreeMap<&'l str, DerivationId>> {
    let mut ids = BTreeMap::new();
    for name in in_order(recipes.iter()) {
        if let Some((name, recipe)) = recipes.get_key_value(name)
            && let Some(derivation) = describe(recipe, inputs, recipes, &ids)
        {
            ids.insert(name.as_str(), DerivationId(Sha256Digest::of(canonical(&derivation)?.as_bytes())));
        }
    }
    Ok(ids)
}

fn describe<'l>(
    recipe: &'l Recipe,
    inputs: &BTreeMap<String, LockedInput>,
    recipes: &'l BTreeMap<String, Recipe>,
    ids: &BTreeMap<&str, DerivationId>,
) -> Option<Derivation<'l>> {
    let revision = match recipe.kind() {
        "rocm" | "sysroot" | "model" => 1,
        "llama" => 2,
        "image" => 3,
        "runtime" => 4,
        // Kinds that came later.
        _ => return None,
    };
    let (labels, compressor) = match recipe {
        Recipe::Image(recipe) => {
            (labels(recipe, inputs, |name| recipes.get(name)), Some(recipe.compression.compressor()))
        }
        _ => (BTreeMap::new(), None),
    };
    Some(Derivation {
        format: "strix-derivation-1",
        recipe,
        revision,
        inputs: recipe
            .inputs()
            .into_iter()
            .map(|(_, name)| Some((name, inputs.get(name)?.visible())))
            .collect::<Option<_>>()?,
        outputs: recipe.outputs().into_iter().map(|(_, name)| Some((name, *ids.get(name)?))).collect::<Option<_>>()?,
        labels,
        compressor,
        edges: matches!(recipe, Recipe::Runtime(recipe) if !recipe.own_edges_only).then_some(EDGES),
    })
}
