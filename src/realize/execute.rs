//! Carries out a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tracing::info;

use super::build::Build;
use super::compile_cache::{self, CacheUse};
use super::plan::{Action, Plan, Step, StepKind};
use super::remote::needs_sysroot;
use super::settings::{BuilderSettings, RealizeSettings};
use super::version::version;
use super::{model, sysroot};
use crate::deb::Deb;
use crate::digest::{DerivationId, TreeDigest};
use crate::error::{About, Error, Kind, Result};
use crate::inputs::LockedInput;
use crate::inputs::debs::debs;
use crate::inputs::git::GitPin;
use crate::inputs::oci::OciPin;
use crate::intake::Intake;
use crate::lock::{Lock, LockedOutput};
use crate::log::CACHE;
use crate::progress::{Doing, Silent, Task, Unit};
use crate::recipe::build::{Hip, Source};
use crate::recipe::{BuildRoot, CMakeBuild, Edge, Origin, OutputKind, Recipe, SysrootRecipe, each_output};
use crate::sandbox::Engine;
use crate::store::{Generation, GenerationOutput, OutputRecord, Profile, Staging, StoredTree};
use crate::threads::in_parallel;
use crate::tree::Listing;
use crate::upstream::debs::DebPackage;

/// Realizes a lock: carries out plans.
pub struct Realizer<'a> {
    /// The lock to realize.
    pub lock: &'a Lock,
    /// The store and the fetcher.
    pub intake: Intake<'a>,
    /// The settings.
    pub settings: RealizeSettings,
    /// The trees that were verified in this run.
    pub(super) verified: Mutex<BTreeSet<TreeDigest>>,
}

/// The result of a recipe.
pub(crate) enum Made {
    /// A tree of files that the store had.
    Stored(StoredTree),
    /// A tree in `tree/` of a staging directory, perhaps with a log beside it, and the listing of the tree.
    Staged(Staging, Listing),
}

/// The circumstances of making an output.
#[derive(Clone, Copy)]
pub(crate) struct Making<'a> {
    /// True if nothing of an earlier run is used.
    pub anew: bool,
    /// The task that it is reported as.
    pub task: &'a dyn Task,
}

/// The part of every kind of output that makes it.
pub(crate) trait Make: OutputKind {
    /// Makes the output from its parts, which are in the store.
    fn make(&self, realizer: &Realizer, locked: &LockedOutput, making: Making) -> Result<Made>;

    /// Fails if the realized output `name` is unfit to make other outputs from.
    fn judge(&self, _realizer: &Realizer, _name: &str, _tree: &StoredTree) -> Result<()> {
        Ok(())
    }

    /// Returns the edges by which the output uses the ROCm output `rocm` at run time, if it does.
    fn edges(&self, _realizer: &Realizer, _rocm: &str) -> Result<Option<Vec<Edge>>> {
        Ok(None)
    }

    /// Opens a shell in the sandbox that the output is built in, if it is built in one.
    fn shell(&self, _realizer: &Realizer) -> Option<Result<ExitStatus>> {
        None
    }
}

/// A realized output.
#[derive(Debug, Clone)]
pub struct Realized {
    /// Its derivation id.
    pub derivation: DerivationId,
    /// Its tree in the store.
    pub tree: StoredTree,
    /// Its version, for people.
    pub version: String,
    /// True if this run made it.
    pub fresh: bool,
    /// The time that this run spent on it, without downloads.
    pub time: Duration,
    /// Compilations of this run, if there was a compiler cache.
    pub compile_cache: Option<CacheUse>,
}

impl<'a> Realizer<'a> {
    /// Returns a realizer for `lock`.
    #[must_use]
    pub fn new(lock: &'a Lock, intake: Intake<'a>, settings: RealizeSettings) -> Self {
        Self { lock, intake, settings, verified: Mutex::default() }
    }
}

impl Realizer<'_> {
    /// Carries out a plan. Returns the plan's outputs by name.
    pub fn run(&self, plan: &Plan) -> Result<BTreeMap<String, Realized>> {
        for step in plan.steps.iter().filter(|step| step.action == Action::Build && self.builds(&step.name)) {
            // Checked before an hour of downloads.
            self.demand_sandbox(&self.locked(&step.name)?.recipe)?;
        }
        let fetches = plan.steps.iter().filter(|step| matches!(step.action, Action::Fetch { .. }));
        in_parallel(fetches.map(|step| (step.name.as_str(), ())), |name, ()| {
            self.input(name)?.fetch(self.intake, name)
        })?;
        for step in plan.steps.iter().filter(|step| step.action == Action::Thaw) {
            if let Some(tree) = step.tree {
                self.intake.store.thaw(tree, &step.name, self.intake.fetcher.progress()).about(&step.name)?;
            }
        }
        let mut realized = BTreeMap::new();
        for step in plan.steps.iter().filter(|step| step.what == StepKind::Output) {
            let output = self.output(step).about(&step.name)?;
            let recipe = &self.locked(&step.name)?.recipe;
            each_output!(recipe, recipe => recipe.judge(self, &step.name, &output.tree))?;
            realized.insert(step.name.clone(), output);
        }
        Ok(realized)
    }

    /// Fails if this machine has no program for the sandbox in which the output is built or proven. A remote builder
    /// has its own.
    pub(super) fn demand_sandbox(&self, recipe: &Recipe) -> Result<()> {
        match (self.lock.base_of(recipe.build_root()), self.builder_of(recipe)) {
            (Some(_), Some(_)) => Ok(()),
            (None, Some(_)) => Err(needs_sysroot()),
            (root, None) => Engine::demand(root.is_some()).map(drop),
        }
    }

    /// Returns the remote builder that builds an output, if one does.
    fn builder_of(&self, recipe: &Recipe) -> Option<&BuilderSettings> {
        self.settings.builder.as_ref().filter(|_| recipe.cmake_build().is_some())
    }

    /// Returns true if making the output needs a sandbox.
    pub(super) fn builds(&self, name: &str) -> bool {
        let output = self.lock.outputs.get(name);
        output
            .is_some_and(|output| !matches!(output.recipe.build_root(), BuildRoot::NoSandbox | BuildRoot::ProofOnly(_)))
    }

    /// Returns the pin of an input.
    pub(crate) fn input(&self, name: &str) -> Result<&LockedInput> {
        self.lock.inputs.get(name).ok_or_else(|| Error::new(Kind::Invalid, format!("the lock has no input `{name}`")))
    }

    pub(crate) fn locked(&self, name: &str) -> Result<&LockedOutput> {
        self.lock.outputs.get(name).ok_or_else(|| Error::new(Kind::Invalid, format!("the lock has no output `{name}`")))
    }

    fn output(&self, step: &Step) -> Result<Realized> {
        let (locked, begun) = (self.locked(&step.name)?, Instant::now());
        // A recorded tree that differs from the seal is not used.
        let found = self.intake.store.output(locked.derivation)?;
        let found = found.filter(|(record, _)| locked.tree.is_none_or(|sealed| sealed == record.tree));
        // The plan of a seal uses nothing that came from a compiler cache.
        let before = found.as_ref().map(|(record, _)| record.tree);
        let received = before.and_then(|tree| self.intake.store.received(locked.derivation, tree));
        let found = found.filter(|_| !self.settings.sealing || step.action != Action::Build);
        let found = match found {
            Some((_, tree)) => Some(tree),
            None => self.as_sealed(&step.name, locked)?,
        };
        let fresh = found.is_none();
        let tree = found.map_or_else(|| self.make(&step.name, locked), Ok)?;
        if let Some(sealed) = locked.tree
            && sealed != tree.digest
        {
            let is_cached = self.settings.compile_cache.is_some() && self.builds(&step.name);
            let builder = self.builder_of(&locked.recipe).filter(|_| fresh);
            return Err(not_reproducible(sealed, tree.digest, &step.name, is_cached, builder));
        }
        if fresh
            && locked.tree.is_none()
            && let Some(builder) = self.builder_of(&locked.recipe)
        {
            self.intake.fetcher.progress().note(&format!(
                "{name}: built by {}, whose word it is: the lock has no seal to compare it with; \
                 `strixlock check {name}` builds it here and compares",
                builder.service.address,
                name = step.name
            ));
        }
        if fresh && before.is_some_and(|before| before != tree.digest) {
            let how = match &received {
                Some(from) => format!("than the tree that was received from {from}, which is not used any more"),
                None => "without the compiler cache; `strixlock gc --compile-cache` removes the cache".to_owned(),
            };
            self.intake.fetcher.progress().note(&format!("{}: came out differently {how}", step.name));
        }
        Ok(Realized {
            derivation: locked.derivation,
            tree,
            version: step.version.clone(),
            fresh,
            time: begun.elapsed(),
            compile_cache: fresh.then(|| compile_cache::used(self.intake.store, locked.derivation)).flatten(),
        })
    }

    /// Returns the tree of a seal that an earlier version of strixlock wrote, whose recipe added something else, if
    /// this store made the tree by that recipe. It is recorded as the output of the current recipe too. Notes this, or
    /// that the output must be built and compared.
    ///
    /// A lock alone proves nothing: the record that is written here serves other projects with the same pins. So the
    /// seal's id must be one that this version computes from the pins (seals without a request id are compared with it
    /// when the lock is read), and the store's own record under that id must name the tree.
    fn as_sealed(&self, name: &str, locked: &LockedOutput) -> Result<Option<StoredTree>> {
        let Some((earlier, sealed)) = locked.earlier.zip(locked.tree) else { return Ok(None) };
        let (store, progress) = (self.intake.store, self.intake.fetcher.progress());
        let made_here = earlier.request.is_none()
            && store.output_record(earlier.derivation)?.is_some_and(|record| record.tree == sealed);
        let Some(tree) = store.tree(sealed).filter(|_| made_here) else {
            progress.note(&format!(
                "{name}: sealed by a version of strixlock with another recipe for it; building it with the current \
                 recipe and comparing it with the seal"
            ));
            return Ok(None);
        };
        progress.note(&format!(
            "{name}: used as sealed by a version of strixlock with another recipe for it; `strixlock check {name}` \
             compares it with a build by the current recipe"
        ));
        let record = OutputRecord { name: name.to_owned(), tree: sealed };
        let log = store.output_log(earlier.derivation);
        store.publish_output(locked.derivation, &record, log.as_deref().and_then(Path::parent))?;
        Ok(Some(tree))
    }

    fn make(&self, name: &str, locked: &LockedOutput) -> Result<StoredTree> {
        info!(target: CACHE, "output {name}: build: {}", locked.derivation);
        let task = self.begin(name, locked);
        let (tree, staging) = match self.build(locked, Making { anew: false, task: &*task })? {
            Made::Stored(tree) => (tree, None),
            Made::Staged(staging, listing) => (self.intake.store.publish_tree(&staging, &listing)?, Some(staging)),
        };
        info!(target: CACHE, "output {name}: built: its tree is {}", tree.digest);
        // A tree that differs from the seal is not recorded, so that the next run does not use it.
        if locked.tree.is_none_or(|sealed| sealed == tree.digest) {
            let record = OutputRecord { name: name.to_owned(), tree: tree.digest };
            self.intake.store.publish_output(locked.derivation, &record, staging.as_ref().map(Staging::path))?;
        }
        task.done(None);
        Ok(tree)
    }

    /// Reports that an output is made, unless it is only taken from an input.
    fn begin(&self, name: &str, locked: &LockedOutput) -> Box<dyn Task> {
        if locked.recipe.origin() == Origin::Taken {
            return Box::new(Silent);
        }
        self.intake.fetcher.progress().begin(Doing::Build, name, None, Unit::Steps)
    }

    /// Runs the recipe of a realized output again, without anything of an earlier run.
    pub(super) fn build_again(&self, name: &str, locked: &LockedOutput) -> Result<Made> {
        let task = self.begin(name, locked);
        let made = self.build(locked, Making { anew: true, task: &*task })?;
        task.done(None);
        Ok(made)
    }

    /// Runs the recipe.
    fn build(&self, locked: &LockedOutput, making: Making) -> Result<Made> {
        each_output!(&locked.recipe, recipe => recipe.make(self, locked, making))
    }

    /// Makes the tree of a model.
    pub(crate) fn model(&self, input: &str) -> Result<StoredTree> {
        model::model(self.intake.store, self.input(input)?)
    }

    /// Makes a root file system from packages or a base image.
    pub(crate) fn sysroot(&self, recipe: &SysrootRecipe) -> Result<Made> {
        let (staging, listing) = match (&recipe.image, &recipe.packages) {
            (Some(image), _) => sysroot::from_image(self.intake, image, self.image_pin(image)?)?,
            (None, Some(packages)) => sysroot::sysroot(self.intake, recipe, &self.debs(packages)?)?,
            (None, None) => return Err(Error::new(Kind::Invalid, "a sysroot needs packages or a base image")),
        };
        Ok(Made::Staged(staging, listing))
    }

    /// Returns the pin of an input that is a base image.
    pub(super) fn image_pin(&self, name: &str) -> Result<&OciPin> {
        match self.input(name)? {
            LockedInput::Oci(block) => Ok(&block.locked),
            _ => Err(Error::new(Kind::Invalid, format!("`{name}` is not a base image"))),
        }
    }

    /// Returns the packages of an input that the plan has fetched.
    fn debs(&self, name: &str) -> Result<Vec<Deb>> {
        let LockedInput::Debs(block) = self.input(name)? else {
            return Err(Error::new(Kind::Invalid, format!("`{name}` is not a set of packages")));
        };
        let packages = debs(self.intake, name, &block.locked)?;
        let deb = |(package, path): (DebPackage, _)| Deb { name: package.name, version: package.version, path };
        Ok(packages.into_iter().map(deb).collect())
    }

    /// Returns the tree of an input that the plan has fetched.
    pub(crate) fn input_tree(&self, name: &str) -> Result<StoredTree> {
        let digest = self.input(name)?.tree().map(|tree| tree.digest);
        digest.and_then(|digest| self.intake.store.tree(digest)).ok_or_else(|| {
            Error::new(Kind::Damaged, format!("the tree of input `{name}` is not in the store"))
                .hint("run the same command again")
        })
    }

    /// Returns the tree of an output that the plan has made.
    pub(crate) fn output_tree(&self, name: &str) -> Result<StoredTree> {
        let found = self.intake.store.output(self.locked(name)?.derivation)?;
        found.map(|(_, tree)| tree).ok_or_else(|| {
            Error::new(Kind::Damaged, format!("the output `{name}` is not in the store"))
                .hint("run the same command again")
        })
    }

    /// Returns prefix and target of the ROCm output `name`, also of one that is laid over another.
    pub(super) fn rocm_settings(&self, name: &str) -> Result<(&str, &crate::gfx::GfxTarget)> {
        match self.lock.published_rocm(name) {
            Some((recipe, block)) => Ok((&recipe.prefix, &block.requested.target)),
            None => Err(Error::new(Kind::Invalid, format!("`{name}` is not a ROCm tree"))),
        }
    }

    /// Opens a shell in the sandbox in which the output `name` is built.
    pub fn shell(&self, name: &str) -> Result<ExitStatus> {
        let recipe = &self.locked(name)?.recipe;
        each_output!(recipe, recipe => recipe.shell(self)).map(|ended| ended.about(name)).unwrap_or_else(|| {
            Err(Error::new(Kind::Usage, format!("`{name}` is a {}, which is not built in a sandbox", recipe.kind())))
        })
    }

    /// Returns the tree of a web UI for a build, and the directory of the sources that it is laid into; `None` if the
    /// sources have its files themselves. Fails if it is for other sources.
    fn web_ui(&self, name: &str, source: &GitPin) -> Result<Option<(StoredTree, &str)>> {
        let LockedInput::LlamaUi(block) = self.input(name)? else {
            return Err(Error::new(Kind::Invalid, format!("`{name}` is not a web UI")));
        };
        if block.locked.wanted != source.number {
            return Err(Error::new(Kind::Invalid, "the web UI in the lock is for another build than the sources")
                .about(name)
                .fact("web UI", format!("for b{}", block.locked.wanted))
                .fact("sources", format!("b{}", source.number))
                .hint(format!("run `strixlock update {name}`")));
        }
        let Some(bundle) = &block.locked.bundle else { return Ok(None) };
        Ok(Some((self.demand_intact(name, self.input_tree(name)?)?, bundle.directory.as_str())))
    }

    /// Prepares a build with CMake.
    pub(crate) fn cmake_build<'b>(&'b self, recipe: &'b dyn CMakeBuild) -> Result<Build<'b>> {
        let project = recipe.project();
        let input = self.input(project.source)?;
        let rocm = match project.rocm {
            None => None,
            Some(name) => {
                let (prefix, target) = self.rocm_settings(name)?;
                let hip = Hip::new(prefix, project.gpus, target);
                Some((hip, self.demand_intact(name, self.output_tree(name)?)?))
            }
        };
        let ui = match (recipe.web_ui(), input) {
            (Some(name), LockedInput::Git(block)) => self.web_ui(name, &block.locked)?,
            _ => None,
        };
        Ok(Build {
            intake: self.intake,
            recipe,
            ui,
            input,
            version: format!("{} {}", project.source, input.version()),
            source: Source::of(project.source, Some(input))?,
            tree: self.demand_intact(project.source, self.input_tree(project.source)?)?,
            rocm,
            sysroot: project.sysroot.map(|name| self.demand_intact(name, self.output_tree(name)?)).transpose()?,
            settings: self.settings.clone(),
        })
    }
}

/// Makes a generation of realized outputs in a profile and switches to it. Other outputs of the lock stay as they are
/// in the current generation.
pub fn switch(profile: &Profile, lock: &Lock, realized: &BTreeMap<String, Realized>) -> Result<(u64, bool)> {
    let text = lock.to_text()?;
    profile.add(&generation(profile, lock, &text, realized)?, text.as_bytes())
}

/// Makes a generation of realized outputs, like [`switch`], and leaves the current one as it is. Returns its number.
pub fn keep(profile: &Profile, lock: &Lock, realized: &BTreeMap<String, Realized>) -> Result<u64> {
    let text = lock.to_text()?;
    profile.keep(&generation(profile, lock, &text, realized)?, text.as_bytes())
}

/// Returns the record of a generation: realized outputs, and others of the current generation that the lock still has.
fn generation(profile: &Profile, lock: &Lock, text: &str, realized: &BTreeMap<String, Realized>) -> Result<Generation> {
    let mut outputs = match profile.current()? {
        Some(number) => profile.generation(number)?.outputs,
        None => BTreeMap::new(),
    };
    outputs.retain(|name, _| lock.outputs.contains_key(name));
    for (name, realized) in realized {
        let output = GenerationOutput {
            derivation: realized.derivation,
            tree: realized.tree.digest,
            version: version(lock, name),
        };
        outputs.insert(name.clone(), output);
    }
    Ok(Generation { lock: crate::digest::Sha256Digest::of(text.as_bytes()), outputs })
}

/// Makes a generation of exactly these outputs in a profile that is nobody's usual one. Returns its number.
pub fn add_aside(profile: &Profile, lock: &Lock, realized: &BTreeMap<String, Realized>) -> Result<u64> {
    let text = lock.to_text()?;
    let output = |(name, realized): (&String, &Realized)| {
        let (derivation, tree) = (realized.derivation, realized.tree.digest);
        (name.clone(), GenerationOutput { derivation, tree, version: version(lock, name) })
    };
    let outputs = realized.iter().map(output).collect();
    let generation = Generation { lock: crate::digest::Sha256Digest::of(text.as_bytes()), outputs };
    profile.add_aside(&generation, text.as_bytes())
}

fn not_reproducible(
    sealed: TreeDigest,
    found: TreeDigest,
    name: &str,
    is_cached: bool,
    builder: Option<&BuilderSettings>,
) -> Error {
    let error = Error::new(Kind::NotReproducible, "the output differs from the seal in strix.lock")
        .fact("sealed", sealed)
        .fact("made", found);
    let log = format!("`strixlock log {name}` shows the build");
    let accept = format!("to accept the new tree, run `strixlock realize {name} --seal`");
    match builder {
        Some(builder) => error.fact("builder", &builder.service.address).hint(format!(
            "its workers, or its cache, may be wrong: `strixlock realize {name} --builder local` builds it here; {log}"
        )),
        None if is_cached => error.hint(format!(
            "an object in the compiler cache may be wrong: `strixlock gc --compile-cache` removes the cache; {log}; \
             {accept}"
        )),
        None => error.hint(format!("{log}; {accept}")),
    }
}
