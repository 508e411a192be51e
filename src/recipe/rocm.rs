//! Recipe `rocm`: the tree as it was published.

use serde::{Deserialize, Serialize};

use super::{Files, OutputKind};
use crate::inputs::InputKind;

/// Grows with every change of this recipe that can show in its result.
pub const REVISION: u32 = 1;

/// See [`super::Recipe::Rocm`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RocmRecipe {
    /// The input that is the tree.
    pub input: String,
    /// Where the tree stands when it is used.
    pub prefix: String,
}

impl OutputKind for RocmRecipe {
    const NAME: &'static str = "rocm";
    const REVISION: u32 = REVISION;

    fn inputs(&self) -> Vec<(InputKind, &str)> {
        vec![(InputKind::Rocm, &self.input)]
    }

    fn prefix(&self) -> Option<&str> {
        Some(&self.prefix)
    }

    fn published(&self) -> Option<&str> {
        Some(&self.input)
    }

    fn files(&self) -> Files {
        Files::Taken
    }
}
