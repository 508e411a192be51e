//! The derivation ids of outputs.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::labels;
use super::order::in_order;
use crate::canonical::canonical;
use crate::digest::{DerivationId, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::inputs::LockedInput;
use crate::manifest::known_edges;
use crate::oci::Compressor;
use crate::recipe::{Edge, Recipe, Target, fits};

#[derive(Serialize)]
struct Derivation<'a> {
    /// Names this format.
    format: &'static str,
    recipe: &'a Recipe,
    /// How the recipe of this type is carried out; grows with every change that can show in the result.
    revision: u32,
    /// What of the inputs can show in the result: not their URLs.
    inputs: BTreeMap<&'a str, Value>,
    /// The derivation ids of the outputs that go into it.
    outputs: BTreeMap<&'a str, DerivationId>,
    /// What an image says of itself, which is in it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    /// With what an image's layers are compressed: method, level, library.
    #[serde(skip_serializing_if = "Option::is_none")]
    compressor: Option<Compressor>,
    /// The digest of the edges that come with the program, where the recipe takes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    edges: Option<Sha256Digest>,
}

/// Computes the derivation ids of all outputs. Every input and output that a recipe names must be there and of the kind
/// that is needed, so that nothing goes into itself.
pub fn derivations(
    inputs: &BTreeMap<String, LockedInput>,
    recipes: &BTreeMap<String, Recipe>,
) -> Result<BTreeMap<String, DerivationId>> {
    let mut ids = BTreeMap::new();
    for name in in_order(recipes.iter()) {
        let recipe = &recipes[name];
        let text = describe(recipe, inputs, recipes, &ids).map_err(|error| error.about(format!("output `{name}`")))?;
        ids.insert(name.clone(), DerivationId(Sha256Digest::of(text.as_bytes())));
    }
    Ok(ids)
}

/// The canonical JSON that a derivation id is the digest of.
fn describe(
    recipe: &Recipe,
    inputs: &BTreeMap<String, LockedInput>,
    recipes: &BTreeMap<String, Recipe>,
    ids: &BTreeMap<String, DerivationId>,
) -> Result<String> {
    let missing = |what: &str, kind: &str, name: &str| {
        Error::new(Kind::Invalid, format!("it needs the {kind} {what} `{name}`, which is not in the lock"))
            .hint("restore the lock from version control, or run `strixlock update`")
    };
    let mut used = BTreeMap::new();
    for (kind, name) in recipe.inputs() {
        let pin =
            inputs.get(name).filter(|pin| fits(kind, pin.kind().name())).ok_or_else(|| missing("input", kind, name))?;
        used.insert(name, pin.visible());
    }
    let mut built = BTreeMap::new();
    for (kind, name) in recipe.outputs() {
        let fits = recipes.get(name).is_some_and(|recipe| recipe.kind() == kind);
        let id = ids.get(name).filter(|_| fits).ok_or_else(|| missing("output", kind, name))?;
        built.insert(name, *id);
    }
    let revision = recipe.revision();
    let (labels, compressor) = match recipe {
        Recipe::Image(recipe) => {
            (labels(recipe, inputs, |name| recipes.get(name)), Some(recipe.compression.compressor()))
        }
        _ => (BTreeMap::new(), None),
    };
    let edges = match recipe {
        Recipe::Runtime(recipe) if !recipe.own_edges_only => Some(edges_digest(known_edges()?)?),
        _ => None,
    };
    let format = "strix-derivation-1";
    canonical(&Derivation { format, recipe, revision, inputs: used, outputs: built, labels, compressor, edges })
}

/// The digest of what of the known edges can show in a result: not their reasons.
fn edges_digest(edges: &[Edge]) -> Result<Sha256Digest> {
    let visible: Vec<(&str, &Target, bool)> =
        edges.iter().map(|edge| (edge.from.as_str(), &edge.to, edge.required)).collect();
    Ok(Sha256Digest::of(canonical(&visible)?.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Compression;

    #[test]
    fn level_and_library_of_the_compression_are_part_of_an_image() {
        for (compression, name) in [(Compression::Zstd, "zstd"), (Compression::Gzip, "gzip")] {
            let recipe = serde_json::json!({ "type": "image", "name": "server", "compression": name });
            let recipe: Recipe = serde_json::from_value(recipe).unwrap();
            let text = describe(&recipe, &BTreeMap::new(), &BTreeMap::new(), &BTreeMap::new()).unwrap();
            let text: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(text["compressor"], serde_json::to_value(compression.compressor()).unwrap());
        }
    }
}
