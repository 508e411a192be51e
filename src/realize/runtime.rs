//! Runs the `runtime` recipe: trims a ROCm tree, then proves that programs run with the rest. Also explains why a
//! realized runtime has each of its files.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::Realizer;
use super::build_record::{ABOUT, LOG};
use super::execute::Made;
use super::overlay::overlay_record;
use crate::digest::DerivationId;
use crate::error::{Error, Kind, Result};
use crate::gfx::GfxTarget;
use crate::host::processor_flags;
use crate::llama_source::{Options, Role, Wish};
use crate::lock::Lock;
use crate::manifest::known_edges;
use crate::overlay::Record;
use crate::progress::Task;
use crate::proof::{Claim, Proof, prove};
use crate::recipe::llama::{Part, missing_flags, processor};
use crate::recipe::{Edge, OutputKind as _, Recipe, RuntimeRecipe, Target};
use crate::sandbox::{Limits, Root};
use crate::store::StoredTree;
use crate::tree::Listing;
use crate::trim::{self, Trimmed, trim};

/// A trimmed runtime, with the trees that it is made from.
pub struct Runtime {
    /// The name of the output.
    pub name: String,
    /// The ROCm tree.
    pub rocm: StoredTree,
    /// The listing of the ROCm tree.
    pub rocm_listing: Listing,
    /// The path of the ROCm tree in use.
    pub rocm_prefix: String,
    /// The llama.cpp build.
    pub llama: StoredTree,
    /// The listing of the build.
    pub llama_listing: Listing,
    /// The path of the build in use.
    pub llama_prefix: String,
    /// The sysroot that the build was made in, if any: the base system.
    pub sysroot: Option<StoredTree>,
    sysroot_listing: Option<Listing>,
    roots: Vec<String>,
    targets: Vec<GfxTarget>,
    edges: Vec<Edge>,
    /// Number of leading edges that come with the program.
    known_edges: usize,
    limits: Limits,
    /// Options that this version's programs do not have; empty if the sources are not in the store.
    lacking: BTreeSet<(Role, Wish)>,
    /// Instructions that the build needs, and that this machine's processor lacks.
    missing: Vec<&'static str>,
    /// Those, and instructions that a library of the build needs, which the programs choose from.
    missing_in_parts: Vec<&'static str>,
    /// The decisions about the ROCm tree, if it is one that others were laid over.
    pub overlay: Option<Record>,
    /// True if the build finds ROCm by `LD_LIBRARY_PATH` alone.
    by_search_path: bool,
    /// The files that are kept, with reasons.
    pub trimmed: Trimmed,
}

impl Realizer<'_> {
    /// Computes a runtime again from the realized trees that it is made from. Uses the lock and the store, and no
    /// network.
    pub fn explain(&self, name: &str) -> Result<Runtime> {
        let Recipe::Runtime(recipe) = &self.lock.output(name)?.recipe else {
            return Err(Error::new(Kind::Usage, format!("`{name}` is not a trimmed runtime"))
                .hint("name an output of type `runtime`"));
        };
        for part in [recipe.rocm.as_str(), &recipe.llama].into_iter().chain(self.lock.base_of(recipe.build_root())) {
            self.thaw_output(part)?;
        }
        self.trimmed(name, recipe)
    }

    /// Thaws a realized output if the store has only its cold copy. Fails if it is not realized.
    pub(super) fn thaw_output(&self, name: &str) -> Result<()> {
        let store = self.intake.store;
        let record = store.output_record(self.lock.output(name)?.derivation)?;
        let tree = match record {
            Some(record) => store.thaw(record.tree, name, self.intake.fetcher.progress())?,
            None => None,
        };
        tree.map(drop).ok_or_else(|| {
            Error::new(Kind::NotFound, format!("the output `{name}` is not realized: its files are unknown"))
                .hint("`strixlock realize` builds it")
        })
    }

    /// Trims the realized trees that a recipe names.
    pub(super) fn trimmed(&self, name: &str, recipe: &RuntimeRecipe) -> Result<Runtime> {
        let (rocm, llama) = (self.output_tree(&recipe.rocm)?, self.output_tree(&recipe.llama)?);
        let (rocm_prefix, _) = self.rocm_settings(&recipe.rocm)?;
        let targets = self.lock.targets(&Recipe::Runtime(recipe.clone()));
        let Some(llama_prefix) = self.lock.output(&recipe.llama)?.recipe.prefix() else {
            return Err(Error::new(Kind::Invalid, format!("`{}` is not a build at a prefix", recipe.llama)));
        };
        let sysroot = self.lock.base_of(recipe.build_root()).map(|name| self.output_tree(name)).transpose()?;
        let build = match &self.lock.output(&recipe.llama)?.recipe {
            Recipe::Llama(build) => Some(build),
            _ => None,
        };
        let prebuilt = self.is_prebuilt(&recipe.llama);
        let processor = processor(build.and_then(|build| build.cpu.as_deref()), &targets);
        let pin = build.and_then(|build| self.lock.inputs.get(&build.source)).and_then(|input| input.tree());
        let source = pin.and_then(|pin| self.intake.store.tree(pin.digest));
        let (rocm_listing, llama_listing) = (rocm.listing()?, llama.listing()?);
        let sysroot_listing = sysroot.as_ref().map(StoredTree::listing).transpose()?;
        let edges = recipe.all_edges(known_edges()?);
        let roots = self.roots(&recipe.llama, &llama, &llama_listing, &recipe.roots)?;
        let trimmed = trim(&trim::Request {
            rocm: trim::Mounted { dir: &rocm.path, listing: &rocm_listing, prefix: rocm_prefix },
            llama: trim::Mounted { dir: &llama.path, listing: &llama_listing, prefix: llama_prefix },
            roots: &roots,
            targets: &targets,
            edges: &edges,
            base: base(sysroot.as_ref(), sysroot_listing.as_ref()),
        })
        .map_err(|error| self.with_series_of(error, &recipe.rocm, &recipe.llama))?;
        let lacking = match &source {
            Some(source) => Options::lacking(source)?,
            None if prebuilt => Options::lacking_in_build(&llama)?,
            None => BTreeSet::new(),
        };
        Ok(Runtime {
            name: name.to_owned(),
            rocm_prefix: rocm_prefix.to_owned(),
            llama_prefix: llama_prefix.to_owned(),
            roots,
            targets,
            rocm,
            rocm_listing,
            llama,
            llama_listing,
            sysroot,
            sysroot_listing,
            known_edges: edges.len() - recipe.edges.len(),
            edges,
            limits: self.settings.limits,
            // Others chose the processor, so that no flag excuses a program that does not run here.
            missing: if prebuilt { Vec::new() } else { missing_flags(processor, Part::All, &processor_flags()) },
            missing_in_parts: if prebuilt {
                Vec::new()
            } else {
                missing_flags(processor, Part::Any, &processor_flags())
            },
            by_search_path: prebuilt,
            lacking,
            overlay: overlay_record(self.lock, self.intake.store, &recipe.rocm),
            trimmed,
        })
    }

    /// Trims and then proves the runtime. There is no output without the proof.
    pub(crate) fn runtime(&self, derivation: DerivationId, recipe: &RuntimeRecipe, task: &dyn Task) -> Result<Made> {
        let store = self.intake.store;
        for part in [recipe.rocm.as_str(), &recipe.llama].into_iter().chain(self.lock.base_of(recipe.build_root())) {
            self.demand_intact(part, self.output_tree(part)?)?;
        }
        let mut named = self.lock.outputs.iter().filter(|(_, output)| output.derivation == derivation);
        let name = named.next().map_or("runtime", |(name, _)| name);
        task.phase("trim");
        let runtime = self.trimmed(name, recipe)?;
        for note in runtime.idle_edges() {
            self.intake.fetcher.progress().note(&format!("{name}: {note}"));
        }
        let listing = runtime.trimmed.listing().clone();
        let staging = store.stage_from_blobs(&listing)?;
        task.phase("proof");
        let (work, log_path) = (staging.path().join("proof"), staging.path().join(LOG));
        fs_err::create_dir(&work)?;
        let mut log = fs_err::File::create(&log_path)?;
        let proof = match runtime.prove(&staging.path().join("tree"), &work, &mut log) {
            Ok(proof) => proof,
            // The staging directory is deleted; the log is kept.
            Err(error) => return Err(store.with_failed_log(error, derivation, &log_path)),
        };
        if !proof.not_run.is_empty() {
            self.intake.fetcher.progress().note(&format!(
                "{name}: resolved by ld.so and not run, because this machine's processor lacks {}: {}",
                runtime.missing_in_parts.join(", "),
                proof.not_run.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            ));
        }
        // Strings and numbers always serialize.
        let about = serde_json::to_vec_pretty(&json!({ "proof": proof })).unwrap_or_default();
        fs_err::write(staging.path().join(ABOUT), about)?;
        Ok(Made::Staged(staging, listing))
    }
}

impl Runtime {
    /// Proves that `tree` on disk is this runtime and runs. `work` is an empty directory. Output goes to `log`.
    pub fn prove(&self, tree: &Path, work: &Path, log: &mut dyn std::io::Write) -> Result<Proof> {
        let request = trim::Request {
            rocm: trim::Mounted { dir: &self.rocm.path, listing: &self.rocm_listing, prefix: &self.rocm_prefix },
            llama: trim::Mounted { dir: &self.llama.path, listing: &self.llama_listing, prefix: &self.llama_prefix },
            roots: &self.roots,
            targets: &self.targets,
            edges: &self.edges,
            base: base(self.sysroot.as_ref(), self.sysroot_listing.as_ref()),
        };
        let base = self.sysroot.as_ref().map_or(Root::Host, |tree| Root::Tree(tree.path.clone()));
        let claim = Claim {
            name: &self.name,
            runtime: tree,
            request,
            trimmed: &self.trimmed,
            base,
            lacking: &self.lacking,
            missing: &self.missing,
            missing_in_parts: &self.missing_in_parts,
            by_search_path: self.by_search_path,
            limits: self.limits,
            work,
        };
        prove(&claim, log)
    }

    /// Returns a sentence for each edge of the manifest that leads nowhere.
    #[must_use]
    pub fn idle_edges(&self) -> Vec<String> {
        let idle = self.trimmed.idle.iter().filter(|(number, _)| **number >= self.known_edges);
        let told = |(number, taken): (&usize, &bool)| {
            let edge = &self.edges[*number];
            let why = match (taken, &edge.to) {
                (false, _) => format!("no kept file is named `{}`", edge.from),
                (true, Target::Library(_)) => "the ROCm tree has no library of that name for this processor".to_owned(),
                (true, _) => "the ROCm tree has no such path".to_owned(),
            };
            format!("the edge from `{}` to `{}` keeps nothing: {why}", edge.from, edge.to.name())
        };
        idle.map(told).collect()
    }
}

/// Returns the base system in the form that trimming takes.
fn base<'a>(sysroot: Option<&'a StoredTree>, listing: Option<&'a Listing>) -> Option<trim::Mounted<'a>> {
    Some(trim::Mounted { dir: &sysroot?.path, listing: listing?, prefix: "" })
}

/// Returns the named output, or the only one of type `runtime` in the lock that is not of a variant.
pub fn runtime_output(lock: &Lock, named: Option<&str>) -> Result<String> {
    if let Some(name) = named {
        return lock.output(name).map(|_| name.to_owned());
    }
    let is_own = |name: &str| lock.variant(name).is_none();
    let runtimes = lock.outputs.iter().filter(|(_, output)| matches!(output.recipe, Recipe::Runtime(_)));
    let mut all = runtimes.filter(|(name, _)| is_own(name));
    match (all.next(), all.next()) {
        (Some((name, _)), None) => Ok(name.clone()),
        (None, _) => Err(Error::new(Kind::NotFound, "the lock has no trimmed runtime")
            .hint("add an output of type `runtime` to the manifest, then `strixlock update`")),
        (Some((first, _)), Some((second, _))) => {
            Err(Error::new(Kind::Usage, "the lock has more than one trimmed runtime")
                .hint(format!("name one with --output, such as `{first}` or `{second}`")))
        }
    }
}
