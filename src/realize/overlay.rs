//! Runs the `overlay` recipe: lays trees over a tree, by hard links, without copying.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::json;

use super::Realizer;
use super::build_record::{ABOUT, LOG};
use super::execute::Made;
use crate::digest::DerivationId;
use crate::error::{Error, Kind, Result};
use crate::lock::Lock;
use crate::overlay::{self, Record, lay};
use crate::progress::Task;
use crate::recipe::{Layer, OverlayRecipe};
use crate::store::{Store, StoredTree};
use crate::tree::Listing;

/// The part of `about.json` that an overlay has.
#[derive(Deserialize)]
struct About {
    overlay: Record,
}

impl Realizer<'_> {
    /// Lays the trees of the layers over the base.
    pub(crate) fn overlay(&self, recipe: &OverlayRecipe, task: &dyn Task) -> Result<Made> {
        let (store, progress) = (self.intake.store, self.intake.fetcher.progress());
        let Some(prefix) = self.lock.prefix_of(&recipe.base) else {
            return Err(Error::new(Kind::Invalid, format!("`{}` is not a ROCm tree", recipe.base)));
        };
        task.phase("overlay");
        let mut trees: Vec<(String, &str, StoredTree, Listing)> = Vec::new();
        let lowest = Layer { output: Some(recipe.base.clone()), ..Layer::default() };
        for layer in std::iter::once(&lowest).chain(&recipe.layers) {
            let (name, tree) = match (&layer.output, &layer.input) {
                (Some(name), _) => (name, self.output_tree(name)?),
                (None, Some(name)) if self.input(name)?.tree().is_none() => {
                    return Err(Error::new(Kind::Invalid, format!("input `{name}` is one file, and no tree to lay"))
                        .hint("an archive becomes a tree with `unpack = true`"));
                }
                (None, Some(name)) => (name, self.input_tree(name)?),
                (None, None) => return Err(Error::new(Kind::Invalid, "a layer names no tree")),
            };
            let tree = self.demand_intact(name, tree)?;
            let listing = tree.listing()?;
            trees.push((layer.called(), layer.at.as_deref().unwrap_or_default(), tree, listing));
        }
        let layers: Vec<overlay::Layer> = trees
            .iter()
            .map(|(name, at, tree, listing)| overlay::Layer { name, directory: &tree.path, listing, at })
            .collect();
        let (listing, mut record) = lay(prefix, &layers)?;
        for (name, ..) in trees.iter().skip(1).filter(|(name, ..)| !record.files.values().any(|layer| layer == name)) {
            progress.note(&format!("{name} changes nothing in the overlay: all of its files are there without it"));
        }
        if let Some(lower) = overlay_record(self.lock, store, &recipe.base) {
            record.add_below(lower);
        }
        let staging = store.stage_from_blobs(&listing)?;
        fs_err::write(staging.path().join(LOG), log(&record))?;
        // Strings always serialize.
        let about = serde_json::to_vec_pretty(&json!({ "overlay": record })).unwrap_or_default();
        fs_err::write(staging.path().join(ABOUT), about)?;
        Ok(Made::Staged(staging, listing))
    }
}

/// Returns the log: every decision.
fn log(record: &Record) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for layer in &record.layers {
        let files = record.files.values().filter(|of| *of == layer).count();
        let _ = match record.layers.first() {
            Some(first) if first == layer => writeln!(text, "laid {layer}"),
            _ => writeln!(text, "laid {layer} over it: {files} files and links"),
        };
    }
    for one in &record.replaced {
        let _ = writeln!(text, "replaced {} of {} by that of {}", one.path, one.from, one.by);
    }
    for one in &record.sonames {
        for hidden in &one.over {
            let _ = writeln!(
                text,
                "soname {}: {} of {} counts, and not {} of {}",
                one.soname, one.path, one.by, hidden.path, hidden.from
            );
        }
        for link in &one.links {
            let before = link.before.as_deref().map(|before| format!(" in place of {before}")).unwrap_or_default();
            let _ = writeln!(text, "soname {}: {} leads to {}{before}", one.soname, link.path, link.after);
        }
        for other in &one.elsewhere {
            let _ = writeln!(text, "soname {}: {} of {} has it too", one.soname, other.path, other.from);
        }
    }
    text
}

/// Returns the record of an overlay that this store made. `None` for other outputs.
#[must_use]
pub fn overlay_record(lock: &Lock, store: &Store, name: &str) -> Option<Record> {
    let output = lock.outputs.get(name).filter(|output| output.recipe.base().is_some())?;
    recorded(store, output.derivation)
}

fn recorded(store: &Store, derivation: DerivationId) -> Option<Record> {
    let text = fs_err::read(store.output_about(derivation)?).ok()?;
    serde_json::from_slice::<About>(&text).ok().map(|about| about.overlay)
}
