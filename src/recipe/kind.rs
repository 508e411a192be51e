//! The interface that every kind of output has towards the lock and the plan: its name, its parts, and how it is treated.
//!
//! Pure: a kind answers from its recipe alone. How an output is read from a manifest, made, and described on the audit page are
//! further interfaces, each in its room, which a kind implements too (see docs/adding-an-output-kind.md).

use crate::inputs::InputKind;

/// A kind of output. The list of kinds is in [`super::Recipe`].
pub trait OutputKind {
    /// The `type` field.
    const NAME: &'static str;

    /// The revision of those rules that `lock::derivation` cannot describe: unpacking, trimming, what is decided from a
    /// source once it is there. Raised with every change of them that can show in a tree; tests/golden fails until it is.
    const REVISION: u32;

    /// Returns the inputs that go into the output: kind and name.
    fn inputs(&self) -> Vec<(InputKind, &str)>;

    /// Returns the other outputs that go into it: kind and name.
    fn outputs(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }

    /// Returns the directory that the output stands at when it is used, if it has a place of its own.
    fn prefix(&self) -> Option<&str> {
        None
    }

    /// Returns the input whose tree is the output, unchanged, if the output is nothing else. The lock then knows its tree
    /// without a seal.
    fn published(&self) -> Option<&str> {
        None
    }

    /// Returns where the output's files come from.
    fn files(&self) -> Files {
        Files::Made
    }

    /// Returns the root of the sandbox that the output is built or proven in.
    fn build_root(&self) -> BuildRoot<'_> {
        BuildRoot::NoSandbox
    }

    /// Returns true for an image of other outputs, which is made only when it is named.
    fn is_image(&self) -> bool {
        false
    }

    /// Returns true for a root file system, which is not made for the sake of images alone.
    fn is_root(&self) -> bool {
        false
    }
}

/// The origin of an output's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// From an input, each as it was published.
    Taken,
    /// From other outputs.
    Chosen,
    /// From the recipe: the store has them of nothing else.
    Made,
}

/// The root of the sandbox that an output is made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildRoot<'a> {
    /// No sandbox is needed.
    NoSandbox,
    /// The host's own `/usr`.
    Host,
    /// The tree of an output.
    Output(&'a str),
    /// Proven in the root that another output was built in.
    RootOf(&'a str),
}
