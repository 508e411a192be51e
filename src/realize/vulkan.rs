//! Runs the `vulkan` recipe: collects loader, drivers and libraries from a pinned root, then proves that the engine's
//! programs run with them. Also explains why a realized runtime has each of its files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::Realizer;
use super::build_record::{ABOUT, LOG};
use super::execute::Made;
use crate::digest::{DerivationId, Sha256Digest};
use crate::drivers::{Collected, Contents, Request, collect};
use crate::error::{Error, Kind, Result};
use crate::host::processor_flags;
use crate::llama_source::Options;
use crate::lock::Lock;
use crate::progress::Task;
use crate::proof::{DriverClaim, prove_drivers};
use crate::recipe::llama::{Part, missing_flags, processor};
use crate::recipe::{OutputKind as _, Recipe, VulkanRecipe};
use crate::store::StoredTree;
use crate::tree::confined::{Root, seal_file, stored_mode};
use crate::tree::path::parent;
use crate::tree::{Entry, Listing, Node, show};
use crate::trim::Mounted;

/// A collected Vulkan runtime, with the trees that it is made from.
pub struct VulkanRuntime {
    /// The root.
    pub root: StoredTree,
    /// The engine.
    pub engine: StoredTree,
    /// The path of the engine in use.
    pub engine_prefix: String,
    /// The path of the runtime in use.
    pub prefix: String,
    /// The files that are kept, with reasons.
    pub collected: Collected,
    /// Their listing.
    pub listing: Listing,
}

impl Realizer<'_> {
    /// Computes a Vulkan runtime again from the realized trees that it is made from. Uses the lock and the store, and
    /// no network.
    pub fn explain_drivers(&self, name: &str) -> Result<VulkanRuntime> {
        let Recipe::Vulkan(recipe) = &self.lock.output(name)?.recipe else {
            return Err(Error::new(Kind::Usage, format!("`{name}` is not a Vulkan runtime"))
                .hint("name an output of type `vulkan`"));
        };
        for part in [self.root_of(recipe)?, &recipe.engine] {
            self.thaw_output(part)?;
        }
        self.collected(recipe)
    }

    /// Returns the name of the output that is the root.
    fn root_of<'r>(&'r self, recipe: &'r VulkanRecipe) -> Result<&'r str> {
        self.lock.base_of(recipe.build_root()).ok_or_else(|| {
            Error::new(Kind::Invalid, "a Vulkan runtime is taken from a pinned root, and its engine has none")
                .about(&recipe.engine)
                .hint("name an output of type `sysroot` in the engine's `sysroot`, or in that of the output")
        })
    }

    fn collected(&self, recipe: &VulkanRecipe) -> Result<VulkanRuntime> {
        let (root, engine) = (self.output_tree(self.root_of(recipe)?)?, self.output_tree(&recipe.engine)?);
        let Some(engine_prefix) = self.lock.output(&recipe.engine)?.recipe.prefix() else {
            return Err(Error::new(Kind::Invalid, format!("`{}` is not a build at a prefix", recipe.engine)));
        };
        let (root_listing, engine_listing) = (root.listing()?, engine.listing()?);
        let collected = collect(&Request {
            root: Mounted { dir: &root.path, listing: &root_listing, prefix: "" },
            engine: Mounted { dir: &engine.path, listing: &engine_listing, prefix: engine_prefix },
            drivers: &recipe.drivers,
            prefix: &recipe.prefix,
        })?;
        let listing = listing(&collected, &root_listing)?;
        let (engine_prefix, prefix) = (engine_prefix.to_owned(), recipe.prefix.clone());
        Ok(VulkanRuntime { root, engine, engine_prefix, prefix, collected, listing })
    }

    /// Collects and then proves the runtime. There is no output without the proof.
    pub(crate) fn vulkan(&self, derivation: DerivationId, recipe: &VulkanRecipe, task: &dyn Task) -> Result<Made> {
        let store = self.intake.store;
        for part in [self.root_of(recipe)?, &recipe.engine] {
            self.demand_intact(part, self.output_tree(part)?)?;
        }
        task.phase("collect");
        let runtime = self.collected(recipe)?;
        let staging = store.stage_from_blobs(&without_texts(&runtime))?;
        write_texts(&staging.path().join("tree"), &runtime.collected)?;
        task.phase("proof");
        let (work, log_path) = (staging.path().join("proof"), staging.path().join(LOG));
        fs_err::create_dir(&work)?;
        let mut log = fs_err::File::create(&log_path)?;
        let engine = &self.lock.output(&recipe.engine)?.recipe;
        let (build, is_prebuilt) = match engine {
            Recipe::Llama(build) => (Some(build), false),
            _ => (None, self.is_prebuilt(&recipe.engine)),
        };
        let pin = build.and_then(|build| self.lock.inputs.get(&build.source)).and_then(|input| input.tree());
        let lacking = match pin.and_then(|pin| store.tree(pin.digest)) {
            Some(source) => Options::lacking(&source)?,
            None if is_prebuilt => Options::lacking_in_build(&runtime.engine)?,
            None => BTreeSet::new(),
        };
        // Others chose the processor of a prebuilt engine, so that no flag excuses a program that does not run here.
        let missing = match build {
            Some(build) => {
                let built_for = processor(build.cpu.as_deref(), &self.lock.targets(engine));
                missing_flags(built_for, Part::All, &processor_flags())
            }
            None => Vec::new(),
        };
        let claim = DriverClaim {
            runtime: &staging.path().join("tree"),
            part: recipe.part(),
            collected: &runtime.collected,
            engine: &runtime.engine.path,
            engine_prefix: &runtime.engine_prefix,
            roots: &recipe.roots,
            is_known: engine.has_known_programs(),
            lacking: &lacking,
            missing: &missing,
            root: &runtime.root.path,
            limits: self.settings.limits,
            work: &work,
        };
        let proof = match prove_drivers(&claim, &mut log) {
            Ok(proof) => proof,
            // The staging directory is deleted; the log is kept.
            Err(error) => return Err(store.with_failed_log(error, derivation, &log_path)),
        };
        // Strings and numbers always serialize.
        let about = serde_json::to_vec_pretty(&json!({ "proof": proof })).unwrap_or_default();
        fs_err::write(staging.path().join(ABOUT), about)?;
        Ok(Made::Staged(staging, runtime.listing))
    }
}

/// Returns the listing of the collected files and of the directories above them.
fn listing(collected: &Collected, root: &Listing) -> Result<Listing> {
    let mut entries: BTreeMap<Vec<u8>, Node> = BTreeMap::new();
    for (path, kept) in &collected.kept {
        let node = match &kept.contents {
            Contents::Text(text) => {
                Node::File { executable: false, size: text.len() as u64, digest: Sha256Digest::of(text) }
            }
            Contents::Link(target) => Node::Link { target: target.clone() },
            Contents::File(real) => {
                let entry = root.get(real.strip_prefix(b"/").unwrap_or(real));
                let entry = entry
                    .filter(|entry| matches!(entry.node, Node::File { .. }))
                    .ok_or_else(|| Error::failure("the root lacks a collected file").fact("file", show(real)))?;
                entry.node.clone()
            }
        };
        entries.insert(path.clone(), node);
        let mut above = parent(path);
        while !above.is_empty() {
            entries.insert(above.to_vec(), Node::Directory);
            above = parent(above);
        }
    }
    Ok(Listing::new(entries.into_iter().map(|(path, node)| Entry { path, node }).collect()))
}

/// Returns the part of the listing whose files the store has.
fn without_texts(runtime: &VulkanRuntime) -> Listing {
    let is_text =
        |path: &[u8]| runtime.collected.kept.get(path).is_some_and(|kept| matches!(kept.contents, Contents::Text(_)));
    Listing::new(runtime.listing.entries().iter().filter(|entry| !is_text(&entry.path)).cloned().collect())
}

fn write_texts(tree: &std::path::Path, collected: &Collected) -> Result<()> {
    let root = Root::open(tree)?;
    for (path, kept) in &collected.kept {
        if let Contents::Text(text) = &kept.contents {
            let mut file = root.create_file(path)?;
            std::io::Write::write_all(&mut file, text)?;
            seal_file(&file, stored_mode(false))?;
        }
    }
    Ok(())
}

/// Returns the named output if it is a Vulkan runtime. Without a name: the only one of the lock that is not of a
/// variant, if the lock has no trimmed ROCm.
pub fn driver_output(lock: &Lock, named: Option<&str>) -> Option<String> {
    let is_vulkan = |name: &str| matches!(lock.recipe(name), Some(Recipe::Vulkan(_)));
    if let Some(name) = named {
        return is_vulkan(name).then(|| name.to_owned());
    }
    if lock.outputs.values().any(|output| matches!(output.recipe, Recipe::Runtime(_))) {
        return None;
    }
    let mut all = lock.outputs.keys().filter(|name| is_vulkan(name) && lock.variant(name).is_none());
    all.next().filter(|_| all.next().is_none()).cloned()
}
