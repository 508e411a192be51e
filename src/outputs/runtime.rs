//! Output `runtime`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::fields::engine_and_roots;
use crate::error::Result;
use crate::gfx::GfxTarget;
use crate::lock::{Derive, Lock, LockedOutput, Parts};
use crate::manifest::{Form, FromFields, edges, known_edges, known_generics, rules};
use crate::page::fact;
use crate::page::script::Script;
use crate::realize::{Made, Make, Making, Realizer};
use crate::recipe::{Edge, OutputRole, RuntimeRecipe, Target};
use crate::report::{Describe, Rebuilding};

impl FromFields for RuntimeRecipe {
    fn from_fields(form: &mut Form) -> Result<Self> {
        let (engine, roots) = engine_and_roots(form)?;
        let rocm = form.output_or("rocm", OutputRole::Rocm, "rocm")?;
        Ok(Self {
            roots,
            rocm,
            llama: engine,
            edges: edges(form.source, form.fields, "edges")?,
            own_edges_only: form.fields.flag("own-edges-only")?,
        })
    }
}

impl Derive for RuntimeRecipe {
    fn adds(&self, _: &Parts) -> Result<Value> {
        let known = if self.own_edges_only { &[] } else { known_edges()? };
        // The reason of an edge does not change the output.
        let visible = |edge: &Edge| (edge.from.clone(), edge.to.clone(), edge.required);
        let edges: Vec<(String, Target, bool)> = known.iter().map(visible).collect();
        let generics: BTreeMap<&str, Vec<&str>> = known_generics()
            .iter()
            .map(|generic| (generic.name.as_str(), generic.covers.iter().map(GfxTarget::as_str).collect()))
            .collect();
        Ok(json!({ "edges": edges, "generics": generics }))
    }

    fn fault(&self) -> Option<String> {
        if self.roots.is_empty() || self.roots.iter().any(|root| !rules::is_program(root)) {
            return Some("invalid root: expected names of programs".to_owned());
        }
        let wrong = self.edges.iter().any(|edge| !rules::is_edge(edge));
        wrong.then(|| "invalid edge: expected libraries and what they need".to_owned())
    }
}

impl Make for RuntimeRecipe {
    fn make(&self, realizer: &Realizer, locked: &LockedOutput, making: Making) -> Result<Made> {
        realizer.runtime(locked.derivation, self, making.task)
    }

    fn edges(&self, _: &Realizer, rocm: &str) -> Result<Option<Vec<Edge>>> {
        Ok(if self.rocm == rocm { Some(self.all_edges(known_edges()?)) } else { None })
    }
}

impl Describe for RuntimeRecipe {
    fn rebuild(&self, _: &mut Script, _: &Rebuilding) -> Result<(), String> {
        Err("strixlock finds out which files of ROCm are needed; `strixlock why` says why each is there".to_owned())
    }

    fn describe(&self, page: &mut String, _: &Lock) {
        let _ = writeln!(
            page,
            "The files of output `{}` that {} of output `{}` need: shared libraries, kernel data and provenance, \
             where they were.",
            self.rocm,
            self.roots.iter().map(|root| format!("`{root}`")).collect::<Vec<_>>().join(", "),
            self.llama,
        );
        if !self.edges.is_empty() {
            let _ = writeln!(page, "\nWhat libraries take at run time, from the manifest:\n");
            for edge in &self.edges {
                fact(page, &edge.from, &format!("{}: {}", edge.to.name(), edge.reason));
            }
        }
    }
}
