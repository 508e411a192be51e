//! The facts about an input in a lock.

use serde_json::Value;

use super::{ModelFile, TreePin};
use crate::gguf::Gguf;

/// The interface to the facts in a block of the lock, without network and store.
pub trait Pinned {
    /// Returns the version of the pin for users.
    fn version(&self) -> String;

    /// Returns the parts of the pin that can affect an output. They enter derivation ids, so URLs are not among them.
    fn visible(&self) -> Value;

    /// Returns the fault of the block, if it has one that `update` would never write.
    fn fault(&self) -> Option<String>;

    /// Writes the pin to REPRODUCIBLE.md, with commands by which anybody can verify it.
    fn report(&self, page: &mut String);

    /// Returns the tree of the input, if it has one.
    fn tree(&self) -> Option<&TreePin> {
        None
    }

    /// Returns the facts in the model's header, if the input is a model.
    fn gguf(&self) -> Option<&Gguf> {
        None
    }

    /// Returns the files of a model, with their paths in the tree of a `model` output; empty if the input cannot be a
    /// model.
    fn model_files(&self) -> Vec<ModelFile> {
        Vec::new()
    }
}
