//! Recipe `model`: the files of a model, under their names.

use serde::{Deserialize, Serialize};

use super::{Files, OutputKind};
use crate::inputs::InputKind;

/// Grows with every change of this recipe that can show in its result.
pub const REVISION: u32 = 1;

/// See [`super::Recipe::Model`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecipe {
    /// The input that is the model: of type `huggingface` or `file`.
    pub input: String,
}

impl OutputKind for ModelRecipe {
    const NAME: &'static str = "model";
    const REVISION: u32 = REVISION;

    fn inputs(&self) -> Vec<(InputKind, &str)> {
        vec![(InputKind::Huggingface, &self.input)]
    }

    fn files(&self) -> Files {
        Files::Taken
    }
}
