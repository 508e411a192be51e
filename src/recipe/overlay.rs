//! Recipe `overlay`: a ROCm tree with other files laid over it, such as a patched HIP.

use serde::{Deserialize, Serialize};

use super::{Origin, OutputKind, OutputRole};
use crate::inputs::InputKind;
use crate::tree::is_path;

/// Revision of the recipe, raised with every change that can show in its result.
pub const REVISION: u32 = 1;

/// The recipe of a tree over a tree: see [`super::Recipe::Overlay`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverlayRecipe {
    /// The ROCm output at the bottom.
    pub base: String,
    /// The trees over it, the lowest first: of two files with one path, or of two libraries with one soname in one
    /// directory, that of the later layer counts.
    pub layers: Vec<Layer>,
}

/// One tree that is laid over others: of an input or of an output, never of both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The output with the tree, such as a build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The input with the tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The directory below the prefix that the tree is laid at; absent for the prefix itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

impl Layer {
    /// Returns the layer's name in messages: the same name may be that of an input and of an output.
    #[must_use]
    pub fn called(&self) -> String {
        match (&self.output, &self.input) {
            (Some(name), _) => format!("output {name}"),
            (None, name) => format!("input {}", name.as_deref().unwrap_or_default()),
        }
    }

    /// Returns true if it names one tree, and a clean path to lay it at.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.output.is_some() != self.input.is_some() && self.at.as_deref().is_none_or(|at| is_path(at.as_bytes()))
    }
}

impl OutputKind for OverlayRecipe {
    const NAME: &'static str = "overlay";
    const REVISION: u32 = REVISION;
    const ROLE: Option<OutputRole> = Some(OutputRole::Rocm);

    fn inputs(&self) -> Vec<(InputKind, &str)> {
        self.layers.iter().filter_map(|layer| Some((InputKind::Directory, layer.input.as_deref()?))).collect()
    }

    fn outputs(&self) -> Vec<(OutputRole, &str)> {
        let layers = self.layers.iter().filter_map(|layer| Some((OutputRole::Engine, layer.output.as_deref()?)));
        std::iter::once((OutputRole::Rocm, self.base.as_str())).chain(layers).collect()
    }

    fn base(&self) -> Option<&str> {
        Some(&self.base)
    }

    fn origin(&self) -> Origin {
        Origin::Chosen
    }
}
