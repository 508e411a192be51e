//! The facts about an input in a lock.

use jiff::civil::Date;
use serde_json::Value;
use url::Url;

use super::{LockedInput, ModelFile, TreePin};
use crate::gguf::Gguf;
use crate::page::script::Script;

/// The grounds for believing that pinned bytes are those that their makers published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// A signature over their digests, by the keys with these fingerprints.
    Signed(Vec<String>),
    /// A digest that upstream publishes beside them.
    Published,
    /// Nothing but the first download.
    FirstUse,
    /// A missing signature, which the manifest allows.
    Unsigned,
    /// The project itself, which has the files.
    Own,
    /// The grounds for another input, whose tree has the files.
    AsThatOf(String),
}

impl Trust {
    /// Returns the words for it.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Signed(keys) => format!("signed by {}", keys.join(", ")),
            Self::Published => "digest published by upstream".to_owned(),
            Self::FirstUse => "first use".to_owned(),
            Self::Unsigned => "not signed".to_owned(),
            Self::Own => "files of this project".to_owned(),
            Self::AsThatOf(input) => format!("as {input}"),
        }
    }
}

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

    /// Returns the address at which a person finds the pinned thing or the place that it is from. It may have any
    /// scheme.
    fn address(&self) -> Option<Url> {
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

    /// Writes the pin to REPRODUCIBLE.md, with commands by which anybody can verify it. Long lists belong to
    /// [`Self::lists`]. Commands leave files in the current directory, whose names no other pin may use.
    fn report(&self, page: &mut String);

    /// Returns the grounds for believing the pin, for the summary of REPRODUCIBLE.md.
    fn trust(&self) -> Trust {
        Trust::FirstUse
    }

    /// Returns sentences about what nobody verifies of the pin, for the page.
    fn unverified(&self) -> Vec<String> {
        Vec::new()
    }

    /// Writes long lists of the pin (packages, layers, files) for the end of the page, each below a heading of level
    /// three. `name` is that of the input.
    fn lists(&self, _name: &str, _page: &mut String) {}

    /// Adds commands to rebuild.sh that make the directory `inputs/NAME`: the pinned tree, or the pinned files. Fails
    /// with a reason if that is not possible with plain tools.
    fn rebuild(&self, _name: &str, _script: &mut Script) -> Result<(), String> {
        Err("plain tools cannot make an input of this kind".to_owned())
    }

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
