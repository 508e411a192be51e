//! Recipe `model`: the files of a model under their published names.

use serde::{Deserialize, Serialize};

use super::{Origin, OutputKind};
use crate::inputs::InputKind;

/// Revision of the recipe, raised with every change that can show in its result.
pub const REVISION: u32 = 1;

/// The recipe of a model: see [`super::Recipe::Model`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecipe {
    /// The input of type `huggingface` or `file` that is the model.
    pub input: String,
}

impl OutputKind for ModelRecipe {
    const NAME: &'static str = "model";
    const REVISION: u32 = REVISION;

    fn inputs(&self) -> Vec<(InputKind, &str)> {
        vec![(InputKind::Huggingface, &self.input)]
    }

    fn origin(&self) -> Origin {
        Origin::Taken
    }
}
