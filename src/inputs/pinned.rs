//! Facts that a lock has of an input.

use serde_json::Value;

use super::{ModelFile, TreePin};
use crate::gguf::Gguf;

/// A block of the lock, told without network and store.
pub trait Pinned {
    /// Returns the name that a person gives to the pinned thing.
    fn version(&self) -> String;

    /// Returns what of the pin can show in an output that is made from it. It enters derivation ids, so URLs are not part of it.
    fn visible(&self) -> Value;

    /// Returns what is wrong with the block, if it is one that no update would write.
    fn fault(&self) -> Option<String>;

    /// Writes the pin to REPRODUCIBLE.md, with the commands by which a stranger verifies it.
    fn report(&self, page: &mut String);

    /// Returns the tree that the input is, if it is one.
    fn tree(&self) -> Option<&TreePin> {
        None
    }

    /// Returns the facts that a model file states, if the input is a model.
    fn gguf(&self) -> Option<&Gguf> {
        None
    }

    /// Returns the files of a model, as they stand in the tree of a `model` output; none if the input cannot be a model.
    fn model_files(&self) -> Vec<ModelFile> {
        Vec::new()
    }
}
