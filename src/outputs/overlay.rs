//! Output `overlay`.
//!
//! ```toml
//! [outputs.patched]
//! type = "overlay"
//! base = "rocm"                # a ROCm output, or another overlay
//! layers = [
//!   { output = "hip" },        # a build, such as a patched HIP
//!   { input = "mine", at = "lib" },   # files, laid at a directory below the prefix
//! ]
//! ```

use std::fmt::Write as _;

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::error::Result;
use crate::inputs::InputKind;
use crate::lock::{Derive, Lock, LockedOutput, Parts};
use crate::manifest::{Form, FromFields};
use crate::overlay::{Hidden, Record, Repointed};
use crate::page::cell;
use crate::page::script::Script;
use crate::realize::{Made, Make, Making, Realizer};
use crate::recipe::{Layer, OutputRole, OverlayRecipe};
use crate::report::{Describe, Fact, Found, Rebuilding};
use crate::store::StoredTree;
use crate::tree::{Listing, Node, is_path};

impl FromFields for OverlayRecipe {
    fn from_fields(form: &mut Form) -> Result<Self> {
        form.fields.later(&["layers"]);
        Ok(Self { base: form.output_or("base", OutputRole::Rocm, "rocm")?, layers: layers(form)? })
    }
}

/// Reads the layers.
fn layers(form: &mut Form) -> Result<Vec<Layer>> {
    let tables = form.fields.tables("layers")?;
    if tables.is_empty() {
        return Err(form.fields.missing("layers", &[]));
    }
    let mut layers = Vec::new();
    for table in tables {
        let (output, input) = (table.text("output")?, table.text("input")?);
        let at = table.text("at")?;
        if let Some(wrong) = at.as_ref().filter(|at| !is_path(at.get_ref().as_bytes())) {
            return Err(form.source.error(
                wrong.span(),
                "invalid place of a layer: expected a path below the prefix",
                "such as \"lib\"; leave it out for the prefix itself",
            ));
        }
        let (output, input) = match (&output, &input) {
            (Some(output), None) => (Some(form.needs_output(output, OutputRole::Engine)), None),
            (None, Some(input)) => (None, Some(form.needs_input(input, InputKind::Directory))),
            (None, None) => return Err(table.missing("output", &["input"])),
            (Some(_), Some(both)) => {
                let message = "a layer is an output or an input, not both";
                return Err(form.source.error(both.span(), message, "make it a layer of its own"));
            }
        };
        let at = at.map(toml::Spanned::into_inner);
        table.finish()?;
        layers.push(Layer { output, input, at });
    }
    Ok(layers)
}

impl Derive for OverlayRecipe {
    /// Adds nothing: the rules of laying are the revision's.
    fn adds(&self, _: &Parts) -> Result<Value> {
        Ok(json!({}))
    }

    fn fault(&self) -> Option<String> {
        let wrong = self.layers.is_empty() || !self.layers.iter().all(Layer::is_valid);
        wrong.then(|| "invalid layer: expected an output or an input, and a path below the prefix".to_owned())
    }
}

impl Make for OverlayRecipe {
    fn make(&self, realizer: &Realizer, _: &LockedOutput, making: Making) -> Result<Made> {
        realizer.overlay(self, making.task)
    }

    /// Fails if the tree lacks kernels, which a build would find out only after half an hour.
    fn judge(&self, realizer: &Realizer, name: &str, tree: &StoredTree) -> Result<()> {
        realizer.demand_kernels(name, tree)
    }
}

/// Labels of the facts about a realized overlay.
const REPLACED: &str = "replaced files";
const SONAMES: &str = "sonames of two libraries";
const LINKS: &str = "links to the library that counts";
/// The arrow between a link and its target.
const ARROW: &str = " -> ";

/// Returns the facts in the record of an overlay.
fn facts(record: &Record, listing: &Listing) -> Vec<Fact> {
    let replaced = record.replaced.iter().map(|one| format!("{}: of {}, by {}", one.path, one.from, one.by));
    let list = |all: &[Hidden]| all.iter().map(|one| format!("{} of {}", one.path, one.from)).collect::<Vec<_>>();
    let sonames = record.sonames.iter().map(|one| {
        let not = list(&one.over).into_iter().map(|hidden| format!(", not {hidden}"));
        let also = list(&one.elsewhere).into_iter().map(|other| format!("; also {other}"));
        let (soname, path, by) = (&one.soname, &one.path, &one.by);
        format!("{soname}: {path} of {by}{}", not.chain(also).collect::<String>())
    });
    // A later layer may have replaced a link once more.
    let is_there = |link: &&Repointed| {
        let node = listing.get(link.path.as_bytes()).map(|entry| &entry.node);
        matches!(node, Some(Node::Link { target }) if *target == link.after.as_bytes())
    };
    let links = record.sonames.iter().flat_map(|one| &one.links).filter(is_there);
    let links = links.map(|link| format!("{}{ARROW}{}", link.path, link.after));
    vec![
        Fact { label: REPLACED, values: replaced.collect() },
        Fact { label: SONAMES, values: sonames.collect() },
        Fact { label: LINKS, values: links.collect() },
    ]
}

impl Describe for OverlayRecipe {
    const LABELS: &'static [&'static str] = &[REPLACED, SONAMES, LINKS];

    fn describe(&self, page: &mut String, lock: &Lock) {
        // Writing to a String cannot fail.
        let prefix = lock.prefix_of(&self.base).unwrap_or_default();
        let _ = writeln!(
            page,
            "Output `{}` with other trees laid over it, to stand at `{prefix}`. Of two files with one path, that of the \
             later layer counts. Of two libraries with one soname in one directory, links lead to that of the later \
             layer.\n\n| layer | tree | laid at |\n| --- | --- | --- |\n| output {} | the lowest | `{prefix}` |",
            self.base,
            cell(&self.base)
        );
        for layer in &self.layers {
            let tree = match (&layer.output, &layer.input) {
                (Some(name), _) => lock.outputs.get(name).and_then(|output| output.tree),
                (None, name) => {
                    let input = name.as_ref().and_then(|name| lock.inputs.get(name));
                    input.and_then(|input| input.tree()).map(|tree| tree.digest)
                }
            };
            let tree = tree.map_or_else(|| "not sealed".to_owned(), |tree| format!("`{tree}`"));
            let at = layer.at.iter().fold(prefix.to_owned(), |prefix, at| format!("{prefix}/{at}"));
            let _ = writeln!(page, "| {} | {tree} | `{at}` |", cell(&layer.called()));
        }
    }

    fn facts(&self, found: &Found) -> Vec<Fact> {
        let record = found.about.and_then(|about| Record::deserialize(about.get("overlay")?).ok());
        let listing = found.tree.listing().ok();
        record.zip(listing).map(|(record, listing)| facts(&record, &listing)).unwrap_or_default()
    }

    fn rebuild(&self, script: &mut Script, rebuilding: &Rebuilding) -> Result<(), String> {
        let links = rebuilding.fact(LINKS).ok_or("its libraries decide what counts: run `strixlock realize` first")?;
        let place = rebuilding.place();
        script.run(&["mkdir", &place]);
        script.run(&["cp", "-a", &format!("outputs/{}/.", self.base), &place]);
        for layer in &self.layers {
            let from = match (&layer.output, &layer.input) {
                (Some(name), _) => format!("outputs/{name}/."),
                (None, name) => format!("inputs/{}/.", name.as_deref().unwrap_or_default()),
            };
            let at = layer.at.iter().fold(place.clone(), |place, at| format!("{place}/{at}"));
            script.run(&["mkdir", "-p", &at]);
            script.run(&["cp", "-a", "--remove-destination", &from, &at]);
        }
        for (path, target) in links.iter().filter_map(|link| link.split_once(ARROW)) {
            script.run(&["ln", "-sfn", "--", target, &format!("{place}/{path}")]);
        }
        Ok(())
    }
}
