//! Output `runtime`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::error::Result;
use crate::gfx::GfxTarget;
use crate::lock::{Derive, Parts};
use crate::manifest::{known_edges, known_generics, rules};
use crate::recipe::{Edge, RuntimeRecipe, Target};

impl Derive for RuntimeRecipe {
    fn adds(&self, _: &Parts) -> Result<Value> {
        let known = if self.own_edges_only { &[] } else { known_edges()? };
        // Of an edge its reason shows in no output.
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
            return Some("its roots are not names of programs".to_owned());
        }
        let wrong = self.edges.iter().any(|edge| !rules::is_edge(edge));
        wrong.then(|| "its edges are not libraries and what they take".to_owned())
    }
}
