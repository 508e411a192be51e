//! Output `model`.

use serde_json::{Value, json};

use crate::error::Result;
use crate::lock::{Derive, Parts};
use crate::recipe::ModelRecipe;

impl Derive for ModelRecipe {
    /// Names and digests of the files are the input's.
    fn adds(&self, _: &Parts) -> Result<Value> {
        Ok(json!({}))
    }
}
