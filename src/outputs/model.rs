//! Output `model`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::error::Result;
use crate::inputs::InputKind;
use crate::lock::{Derive, Lock, LockedOutput, Parts};
use crate::manifest::{Form, FromFields};
use crate::page::script::Script;
use crate::realize::{Made, Make, Making, Realizer};
use crate::recipe::ModelRecipe;
use crate::report::{Describe, Rebuilding};

impl FromFields for ModelRecipe {
    fn from_fields(form: &mut Form) -> Result<Self> {
        Ok(Self { input: form.input_or("input", InputKind::Huggingface, "model")? })
    }
}

impl Derive for ModelRecipe {
    /// Adds nothing: the input has the names and digests of the files.
    fn adds(&self, _: &Parts) -> Result<Value> {
        Ok(json!({}))
    }
}

impl Make for ModelRecipe {
    fn make(&self, realizer: &Realizer, _: &LockedOutput, _: Making) -> Result<Made> {
        realizer.model(&self.input).map(Made::Stored)
    }
}

impl Describe for ModelRecipe {
    fn describe(&self, page: &mut String, _: &Lock) {
        let _ = writeln!(page, "The files of input `{}`, under their names.", self.input);
    }

    fn rebuild(&self, script: &mut Script, rebuilding: &Rebuilding) -> Result<(), String> {
        script.run(&["ln", "-s", &format!("../inputs/{}", self.input), &rebuilding.place()]);
        Ok(())
    }
}
