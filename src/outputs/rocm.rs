//! Output `rocm`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::error::Result;
use crate::inputs::InputKind;
use crate::inputs::rocm::Tools;
use crate::lock::{Derive, Lock, LockedOutput, Parts};
use crate::manifest::{Form, FromFields};
use crate::page::script::Script;
use crate::realize::{Made, Make, Making, Realizer};
use crate::recipe::RocmRecipe;
use crate::report::{Describe, Fact, Found, Rebuilding};
use crate::store::StoredTree;

impl FromFields for RocmRecipe {
    fn from_fields(form: &mut Form) -> Result<Self> {
        Ok(Self { input: form.input_or("input", InputKind::Rocm, "rocm")?, prefix: form.prefix("/opt/rocm")? })
    }
}

impl Derive for RocmRecipe {
    /// Adds nothing: the tree of the input is the output.
    fn adds(&self, _: &Parts) -> Result<Value> {
        Ok(json!({}))
    }
}

impl Make for RocmRecipe {
    fn make(&self, realizer: &Realizer, _: &LockedOutput, _: Making) -> Result<Made> {
        realizer.input_tree(&self.input).map(Made::Stored)
    }

    /// Fails if the tree lacks kernels, which a build would find out only after half an hour.
    fn judge(&self, realizer: &Realizer, name: &str, tree: &StoredTree) -> Result<()> {
        realizer.demand_kernels(name, tree)
    }
}

/// Value in place of a version.
const NOT_STATED: &str = "not stated in the tree";

impl Describe for RocmRecipe {
    const LABELS: &'static [&'static str] = &["HIP", "clang"];

    fn describe(&self, page: &mut String, _: &Lock) {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "The tree of input `{}`, to stand at `{}`.", self.input, self.prefix);
    }

    fn facts(&self, found: &Found) -> Vec<Fact> {
        let Ok(tools) = Tools::read(&found.tree.path) else { return Vec::new() };
        let values = [tools.hip, tools.clang].map(|version| version.unwrap_or_else(|| NOT_STATED.to_owned()));
        Self::LABELS.iter().zip(values).map(|(label, value)| Fact { label, values: vec![value] }).collect()
    }

    fn rebuild(&self, script: &mut Script, rebuilding: &Rebuilding) -> Result<(), String> {
        script.run(&["ln", "-s", &format!("../inputs/{}", self.input), &rebuilding.place()]);
        Ok(())
    }
}
