//! The derivation id of an output.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{LockedInput, LockedOutput, canonical};
use crate::digest::{DerivationId, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::recipe::{Recipe, llama, rocm};

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
}

/// Computes the derivation id of the output `name`.
pub fn derivation(
    name: &str,
    inputs: &BTreeMap<String, LockedInput>,
    outputs: &BTreeMap<String, LockedOutput>,
) -> Result<DerivationId> {
    derive(name, inputs, outputs, 0)
}

fn derive(
    name: &str,
    inputs: &BTreeMap<String, LockedInput>,
    outputs: &BTreeMap<String, LockedOutput>,
    depth: usize,
) -> Result<DerivationId> {
    let missing = |what: &str, which: &str| {
        Error::new(Kind::Invalid, format!("output `{name}` needs the {what} `{which}`, which is not in the lock"))
            .hint("restore the lock from version control, or run `strixlock update`")
    };
    if depth > outputs.len() {
        return Err(Error::new(Kind::Invalid, format!("output `{name}` goes into itself")));
    }
    let output = outputs.get(name).ok_or_else(|| missing("output", name))?;
    let mut used = BTreeMap::new();
    for input in output.recipe.inputs() {
        let pin = inputs.get(input).ok_or_else(|| missing("input", input))?;
        used.insert(input, visible(pin));
    }
    let mut built = BTreeMap::new();
    for needed in output.recipe.outputs() {
        built.insert(
            needed,
            derive(needed, inputs, outputs, depth + 1)
                .map_err(|error| if outputs.contains_key(needed) { error } else { missing("output", needed) })?,
        );
    }
    let revision = match &output.recipe {
        Recipe::Rocm(_) => rocm::REVISION,
        Recipe::Llama(_) => llama::REVISION,
        Recipe::Runtime(_) => crate::recipe::RUNTIME_REVISION,
    };
    let text = canonical(&Derivation {
        format: "strix-derivation-1",
        recipe: &output.recipe,
        revision,
        inputs: used,
        outputs: built,
    })?;
    Ok(DerivationId(Sha256Digest::of(text.as_bytes())))
}

/// The part of a pin that can show in what is made from it.
fn visible(pin: &LockedInput) -> Value {
    match pin {
        LockedInput::Rocm(block) => serde_json::json!({
            "tree": block.locked.tree.digest,
            "version": block.locked.version,
            "target": block.requested.target,
        }),
        LockedInput::Git(block) => serde_json::json!({
            "content": block.locked.content.digest,
            "commit": block.locked.commit,
            "number": block.locked.number,
            "time": block.locked.time,
        }),
        LockedInput::File(block) => serde_json::json!({ "sha256": block.locked.sha256 }),
    }
}
