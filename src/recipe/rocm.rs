//! Recipe `rocm`: the unchanged tree of a ROCm tarball.

use serde::{Deserialize, Serialize};

use super::{Origin, OutputKind, OutputRole};
use crate::inputs::InputKind;

/// Revision of the recipe, raised with every change that can show in its result.
pub const REVISION: u32 = 1;

/// The recipe of a ROCm tree: see [`super::Recipe::Rocm`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RocmRecipe {
    /// The input with the tree.
    pub input: String,
    /// The directory at which the tree is used.
    pub prefix: String,
}

impl OutputKind for RocmRecipe {
    const NAME: &'static str = "rocm";
    const REVISION: u32 = REVISION;
    const ROLE: Option<OutputRole> = Some(OutputRole::Rocm);

    fn inputs(&self) -> Vec<(InputKind, &str)> {
        vec![(InputKind::Rocm, &self.input)]
    }

    fn prefix(&self) -> Option<&str> {
        Some(&self.prefix)
    }

    fn published(&self) -> Option<&str> {
        Some(&self.input)
    }

    fn origin(&self) -> Origin {
        Origin::Taken
    }
}
