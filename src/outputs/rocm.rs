//! Output `rocm`.

use serde_json::{Value, json};

use crate::error::Result;
use crate::lock::{Derive, Parts};
use crate::recipe::RocmRecipe;

impl Derive for RocmRecipe {
    /// The tree of the input is the output.
    fn adds(&self, _: &Parts) -> Result<Value> {
        Ok(json!({}))
    }
}
