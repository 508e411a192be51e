//! The facts about an input in a lock.

use jiff::civil::Date;
use serde_json::Value;

use super::{LockedInput, ModelFile, TreePin};
use crate::gguf::Gguf;

/// The interface to the facts in a block of the lock, without network and store.
pub trait Pinned {
    /// Returns the version of the pin for users.
    fn version(&self) -> String;

    /// Returns the version in the words that people use for it, without digests.
    fn short_version(&self) -> String {
        self.version()
    }

    /// Returns where the pinned thing comes from, without its version, if that can be told apart: whoever can write there
    /// can change what a later look-up finds.
    fn origin(&self) -> Option<String> {
        None
    }

    /// Returns the day on which upstream made the pinned thing, if it is known.
    fn day(&self) -> Option<Date> {
        None
    }

    /// Returns the bytes of the pinned thing: of its download, or of the files of a git commit.
    fn size(&self) -> u64;

    /// Returns true if `version` is known to be older than the pinned version.
    fn is_newer_than(&self, _version: &str) -> bool {
        false
    }

    /// Returns what changed since another pin of this input, one line each, besides its version.
    fn changes_since(&self, _old: &LockedInput) -> Vec<String> {
        Vec::new()
    }

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
