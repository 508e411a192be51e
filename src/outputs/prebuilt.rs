//! Output `prebuilt`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::error::Result;
use crate::inputs::{InputKind, LockedInput};
use crate::lock::{Derive, Lock, LockedOutput, Parts};
use crate::manifest::{Form, FromFields, known_edges};
use crate::page::fact;
use crate::realize::{Made, Make, Making, Realizer};
use crate::recipe::{Edge, OutputRole, PrebuiltRecipe};
use crate::report::Describe;

impl FromFields for PrebuiltRecipe {
    fn from_fields(form: &mut Form) -> Result<Self> {
        Ok(Self {
            input: form.input_or("input", InputKind::Release, "llama-release")?,
            rocm: form.output("rocm", OutputRole::Rocm)?,
            sysroot: form.output("sysroot", OutputRole::Sysroot)?,
            prefix: form.prefix("/opt/llama")?,
        })
    }
}

impl Derive for PrebuiltRecipe {
    /// Adds nothing: the files are those of the input, and a revision stands for the rules of their places.
    fn adds(&self, _: &Parts) -> Result<Value> {
        Ok(json!({}))
    }
}

impl Make for PrebuiltRecipe {
    fn make(&self, realizer: &Realizer, locked: &LockedOutput, _: Making) -> Result<Made> {
        realizer.prebuilt(locked.derivation, self)
    }

    /// Returns the known edges, unless a runtime is trimmed from that tree, which has edges of its own.
    fn edges(&self, realizer: &Realizer, rocm: &str) -> Result<Option<Vec<Edge>>> {
        let runs = self.rocm.as_deref() == Some(rocm) && !realizer.is_trimmed(rocm);
        Ok(if runs { Some(known_edges()?.to_vec()) } else { None })
    }
}

impl Describe for PrebuiltRecipe {
    fn describe(&self, page: &mut String, lock: &Lock) {
        let _ = writeln!(
            page,
            "The files of input `{}`, to stand at `{}`, built by its publisher and not here: nobody has compared them \
             with the sources. A directory around everything is removed, and the programs are put into `bin`.\n",
            self.input, self.prefix
        );
        if let Some(LockedInput::Release(block)) = lock.inputs.get(&self.input) {
            fact(page, "release", &format!("{} of {}", block.locked.names(), block.requested.url));
            fact(page, "commit, as its publisher says", &block.locked.commit);
            if let Some(series) = &block.locked.rocm {
                fact(page, "made for ROCm", &series.to_string());
            }
        }
        match &self.rocm {
            Some(rocm) => {
                fact(
                    page,
                    "ROCm",
                    &format!("output {rocm}, found by LD_LIBRARY_PATH; every needed library was looked up in it"),
                );
            }
            None => fact(page, "ROCm", "not used"),
        }
        match &self.sysroot {
            Some(sysroot) => fact(page, "proven in", &format!("the root of output {sysroot}")),
            None => fact(page, "proven in", "the host's own /usr, which is not pinned"),
        }
    }
}
