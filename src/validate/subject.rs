//! The subject of a validation: the outputs of a lock that run, and a model for them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Check, Model};
use crate::elf::Elf;
use crate::error::{Error, Kind, Result};
use crate::gfx::GfxTarget;
use crate::host::processor_flags;
use crate::intake::Intake;
use crate::llama_source::Role;
use crate::lock::Lock;
use crate::overlay::Record;
use crate::realize::overlay_record;
use crate::recipe::image::Prefixes;
use crate::recipe::llama::Part;
use crate::recipe::{Backend, OutputKind as _, OutputRole, Recipe, RuntimeRecipe, VulkanRecipe, llama};
use crate::store::StoredTree;
use crate::suggest::suggest;

/// The directory of models in the sandbox.
pub(super) const MODELS: &str = "/models";

/// The outputs and the model of a validation.
pub(super) struct Subject {
    /// The output that is the build of llama.cpp.
    pub engine: String,
    /// Its tree.
    pub llama: StoredTree,
    /// The directory of the build in use.
    pub prefix: String,
    /// The processor that it was built for, and whether it computes on an AMD GPU; without ROCm it cannot.
    kind: EngineKind,
    /// The ROCm tree that it runs with: the runtime if the lock has one, else the complete tree.
    pub rocm: Option<Rocm>,
    /// The Vulkan runtime that it runs with, if the lock has one.
    pub vulkan: Option<Vulkan>,
    /// The GPUs that the build is for; none without ROCm.
    pub targets: Vec<GfxTarget>,
    /// The version of ROCm.
    pub rocm_version: Option<String>,
    /// The decisions about the ROCm tree, if it is one that others were laid over.
    pub overlay: Option<Record>,
    /// The complete ROCm tree, which has the tools, if it is in the store.
    pub complete: Option<StoredTree>,
    /// The base system: the root of the build, else the host's.
    pub base: Option<StoredTree>,
    /// The model.
    pub model: ModelFiles,
}

/// A build as the manifest knows it.
enum EngineKind {
    /// Made from sources, for this processor if one was named.
    Built { backend: Backend, cpu: Option<String> },
    /// Made by others: it decides by the processor at run time, or was made for an unknown one.
    Prebuilt { with_rocm: bool },
}

impl EngineKind {
    fn is_prebuilt(&self) -> bool {
        matches!(self, Self::Prebuilt { .. })
    }
}

/// A ROCm tree and its prefix in the sandbox.
pub(super) struct Rocm {
    pub prefix: String,
    pub tree: StoredTree,
}

/// A Vulkan runtime and its place in the sandbox.
pub(super) struct Vulkan {
    pub recipe: VulkanRecipe,
    pub tree: StoredTree,
}

/// A model and its files.
#[derive(Clone)]
pub(super) struct ModelFiles {
    pub about: Model,
    /// Name and path in the store of each file, in order.
    pub files: Vec<(String, PathBuf)>,
}

impl Subject {
    /// Finds the outputs in the store. Downloads the model if it is missing.
    pub fn find(lock: &Lock, intake: Intake, model: Option<&str>) -> Result<Self> {
        Self::of(lock, intake, || find_model(lock, intake, model))
    }

    /// Finds the outputs in the store, and then a model.
    pub fn of(lock: &Lock, intake: Intake, model: impl FnOnce() -> Result<ModelFiles>) -> Result<Self> {
        Self::of_parts(lock, intake, runs(lock)?, model)
    }

    /// Finds a runtime or a build by its name, and what it runs with.
    pub fn of_output(
        lock: &Lock,
        intake: Intake,
        name: &str,
        model: impl FnOnce() -> Result<ModelFiles>,
    ) -> Result<Self> {
        Self::of_parts(lock, intake, parts_of(lock, name)?, model)
    }

    fn of_parts(
        lock: &Lock,
        intake: Intake,
        Runs { runtime, engine: name }: Runs,
        model: impl FnOnce() -> Result<ModelFiles>,
    ) -> Result<Self> {
        let recipe = &lock.output(name)?.recipe;
        let kind = match recipe {
            Recipe::Llama(recipe) => EngineKind::Built { backend: recipe.backend, cpu: recipe.cpu.clone() },
            Recipe::Prebuilt(recipe) => EngineKind::Prebuilt { with_rocm: recipe.rocm.is_some() },
            _ => return Err(Error::new(Kind::Invalid, format!("output `{name}` is not a build of llama.cpp"))),
        };
        let here = |name: &str| realized(lock, intake, name);
        let vulkan = match runtime.and_then(|name| lock.recipe(name)) {
            Some(Recipe::Vulkan(recipe)) => Some(recipe),
            _ => None,
        };
        let runtime_root = vulkan.and_then(|recipe| lock.base_of(recipe.build_root()));
        let trimmed = runtime.filter(|_| vulkan.is_none());
        let mut rocm = None;
        if let Some(whole) = recipe.rocm() {
            let prefix = lock.prefix_of(whole).unwrap_or("/opt/rocm").to_owned();
            let tree = here(trimmed.unwrap_or(whole))?;
            rocm = Some(Rocm { prefix, tree });
        }
        Ok(Self {
            llama: here(name)?,
            rocm,
            vulkan: match vulkan.zip(runtime) {
                Some((recipe, name)) => Some(Vulkan { recipe: recipe.clone(), tree: here(name)? }),
                None => None,
            },
            targets: lock.targets(recipe),
            rocm_version: recipe.rocm().and_then(|name| rocm_version(lock, name)),
            overlay: recipe.rocm().and_then(|name| overlay_record(lock, intake.store, name)),
            complete: recipe.rocm().and_then(|name| here(name).ok()),
            base: runtime_root.or(lock.base_of(recipe.build_root())).map(here).transpose()?,
            prefix: recipe.prefix().unwrap_or("/opt/llama").to_owned(),
            engine: name.to_owned(),
            kind,
            model: model()?,
        })
    }

    /// Returns the GPU that the build is for, if it is for one alone.
    pub fn target(&self) -> Option<&GfxTarget> {
        if let [target] = self.targets.as_slice() { Some(target) } else { None }
    }

    /// Checks that this machine's processor has the instructions that the build uses.
    pub fn processor(&self) -> Check {
        const NAME: &str = "processor";
        let EngineKind::Built { cpu, .. } = &self.kind else {
            return Check::not_run(NAME, "a prebuilt engine does not say for which processor it was built");
        };
        let processor = llama::processor(cpu.as_deref(), &self.targets);
        let missing = llama::missing_flags(processor, Part::All, &processor_flags());
        let lacks = if missing.is_empty() { String::new() } else { format!("; this one lacks {}", missing.join(", ")) };
        Check::judged(NAME, missing.is_empty(), format!("built for {processor}{lacks}"))
    }

    /// Returns the context length of the model, in tokens.
    pub fn context(&self) -> Option<u64> {
        self.model.about.gguf.as_ref()?.context
    }

    /// Returns the variables of images by which the parts find each other, as far as the build needs them: the
    /// `LD_LIBRARY_PATH` of one that finds ROCm by that alone, and all of a Vulkan runtime.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let rocm = self.rocm.as_ref().map(|rocm| rocm.prefix.as_str());
        let vulkan = self.vulkan.as_ref().map(|vulkan| vulkan.recipe.part());
        let prefixes = Prefixes { rocm, llama: Some(self.prefix.as_str()), vulkan };
        let path = || BTreeMap::from([("LD_LIBRARY_PATH".to_owned(), prefixes.search_path())]);
        match (self.kind.is_prebuilt(), vulkan) {
            (_, Some(_)) => prefixes.variables(false),
            (true, None) => path(),
            (false, None) => BTreeMap::new(),
        }
    }

    /// Returns the trees that the build runs with besides its own, each with its prefix.
    pub fn runtimes(&self) -> impl Iterator<Item = (&str, &StoredTree)> {
        let rocm = self.rocm.iter().map(|rocm| (rocm.prefix.as_str(), &rocm.tree));
        rocm.chain(self.vulkan.iter().map(|vulkan| (vulkan.recipe.prefix.as_str(), &vulkan.tree)))
    }

    /// Returns whether the build can compute on an AMD GPU.
    pub fn has_gpu_backend(&self) -> bool {
        match self.kind {
            EngineKind::Built { backend, .. } => backend != Backend::Cpu,
            EngineKind::Prebuilt { with_rocm } => with_rocm,
        }
    }

    /// Returns the word by which llama.cpp calls GPUs of the build's backend: `ROCm0`, `Vulkan0`.
    pub fn gpu_name(&self) -> &'static str {
        match self.kind {
            EngineKind::Built { backend: Backend::Vulkan, .. } => "Vulkan",
            _ => "ROCm",
        }
    }

    /// Returns the backend of the recipe; a prebuilt engine has that which its archive was built with.
    pub fn backend(&self) -> &'static str {
        match self.kind {
            EngineKind::Built { backend, .. } => backend.name(),
            EngineKind::Prebuilt { .. } => "prebuilt",
        }
    }

    /// Returns the path of the model's first file in the sandbox. llama.cpp finds further parts beside it.
    pub fn model_path(&self) -> String {
        self.model.files.first().map(|(name, _)| format!("{MODELS}/{name}")).unwrap_or_default()
    }

    /// Returns whether a program of the build is an ELF file that needs no loader.
    pub fn is_static(&self, name: &str) -> Result<bool> {
        let program = Elf::open(&self.llama.path.join("bin").join(name))?;
        Ok(matches!(program, Some(Elf::Native(file)) if file.interpreter.is_none()))
    }

    /// Returns name and path of the build's program for a role, if it has one.
    pub fn program_for(&self, role: Role) -> Option<(&'static str, String)> {
        role.names().iter().find_map(|name| Some((name.as_str(), self.program(name)?)))
    }

    /// Returns the path of a program of the build in the sandbox, if the build has it.
    pub fn program(&self, name: &str) -> Option<String> {
        let there = self.llama.path.join("bin").join(name).is_file();
        there.then(|| format!("{}/bin/{name}", self.prefix))
    }
}

/// The outputs that run together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runs<'l> {
    /// The runtime of the build, if the lock has one.
    pub runtime: Option<&'l str>,
    /// The build.
    pub engine: &'l str,
}

impl<'l> Runs<'l> {
    /// Returns the output that is named for all: the runtime, else the build.
    pub fn name(self) -> &'l str {
        self.runtime.unwrap_or(self.engine)
    }
}

/// Returns true for a build of llama.cpp. Other engines have no llama-bench and read no prompt.
fn is_llama(lock: &Lock, name: &str) -> bool {
    let recipe = lock.outputs.get(name).map(|output| &output.recipe);
    recipe.is_some_and(|recipe| recipe.is(OutputRole::Engine) && recipe.has_known_programs())
}

/// Returns the runtimes of builds of llama.cpp.
fn runtimes(lock: &Lock) -> impl Iterator<Item = Runs<'_>> {
    lock.outputs.iter().filter_map(|(name, output)| match &output.recipe {
        Recipe::Runtime(RuntimeRecipe { llama, .. }) if is_llama(lock, llama) => {
            Some(Runs { runtime: Some(name), engine: llama })
        }
        Recipe::Vulkan(VulkanRecipe { engine, .. }) if is_llama(lock, engine) => {
            Some(Runs { runtime: Some(name), engine })
        }
        _ => None,
    })
}

/// Returns all outputs that run: runtimes with their builds, and builds without a runtime. Those of variants are last.
pub(super) fn all_runs(lock: &Lock) -> Vec<Runs<'_>> {
    let mut all: Vec<Runs> = runtimes(lock).collect();
    let alone = lock.outputs.keys().filter(|name| is_llama(lock, name));
    let alone: Vec<&String> = alone.filter(|name| !all.iter().any(|runs| runs.engine == **name)).collect();
    all.extend(alone.into_iter().map(|engine| Runs { runtime: None, engine }));
    all.sort_by_key(|runs| lock.variant(runs.name()).is_some());
    all
}

/// Returns a runtime with its build, or a build with its runtime if the lock has one.
pub(super) fn parts_of<'l>(lock: &'l Lock, name: &str) -> Result<Runs<'l>> {
    let all = all_runs(lock);
    let is_named = |runs: &&Runs| runs.runtime == Some(name) || runs.engine == name;
    all.iter().find(is_named).copied().ok_or_else(|| {
        let names = || all.iter().map(|runs| runs.name());
        match lock.output(name) {
            Err(_) => Error::new(Kind::NotFound, format!("the lock has no output or variant `{name}`")),
            Ok(output) => Error::new(
                Kind::Usage,
                format!("`{name}` is an output of type {}, which runs no llama-bench", output.recipe.kind()),
            ),
        }
        .hint(suggest(name, names()))
    })
}

/// Returns the outputs that are meant where none is named: a runtime with its build if the lock has one, else a build
/// alone.
pub(super) fn runs(lock: &Lock) -> Result<Runs<'_>> {
    if let Some(first) = all_runs(lock).first() {
        return Ok(*first);
    }
    let engines = lock.outputs.iter().filter(|(_, output)| output.recipe.is(OutputRole::Engine));
    let engines: Vec<String> =
        engines.map(|(name, output)| format!("{name} of type {}", output.recipe.kind())).collect();
    let error = Error::new(Kind::NotFound, "the lock has no build of llama.cpp to validate");
    Err(if engines.is_empty() {
        error.hint("add an output of type `llama` or `prebuilt` to the manifest, then `strixlock update`")
    } else {
        error.fact("it has", engines.join(", ")).hint(
            "the checks are llama.cpp's: its programs, a prompt, llama-bench. `strixlock check` proves that the other \
             engine builds the same again, and `strixlock run` starts its programs",
        )
    })
}

/// Returns the version of the published ROCm tree that an output is or lies over.
fn rocm_version(lock: &Lock, output: &str) -> Option<String> {
    let (recipe, _) = lock.published_rocm(output)?;
    Some(lock.inputs.get(&recipe.input)?.version())
}

/// The hint for an output that is not realized.
pub(super) const REALIZE_FIRST: &str = "run `strixlock realize` first";

/// Returns the tree of a realized output; fails if it is not in the store.
fn realized(lock: &Lock, intake: Intake, name: &str) -> Result<StoredTree> {
    let output = lock.output(name)?;
    let found = intake.store.hot_output(output.derivation, name, intake.fetcher.progress())?;
    found
        .map(|(_, tree)| tree)
        .ok_or_else(|| Error::new(Kind::NotFound, format!("output `{name}` is not realized")).hint(REALIZE_FIRST))
}

/// Finds the model: the one that the user asked for, else the only one in the lock.
pub(super) fn find_model(lock: &Lock, intake: Intake, asked: Option<&str>) -> Result<ModelFiles> {
    let models: Vec<&String> =
        lock.inputs.iter().filter(|(_, input)| input.gguf().is_some()).map(|(name, _)| name).collect();
    let listed = models.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    let name = match (asked, models.as_slice()) {
        (_, []) => {
            let none = Error::new(Kind::NotFound, "the lock has no model to validate with");
            let none = asked.into_iter().fold(none, |error, name| error.fact("asked for", name));
            return Err(none.hint(
                "add an input of type `huggingface`, or `file` for a GGUF file, to the manifest, then run \
                 `strixlock update`",
            ));
        }
        (Some(name), _) => name,
        (None, [one]) => one.as_str(),
        (None, _) => {
            return Err(
                Error::new(Kind::Usage, "the lock has several models").hint(format!("name one with --model: {listed}"))
            );
        }
    };
    let input = lock.inputs.get(name).filter(|input| input.gguf().is_some()).ok_or_else(|| {
        let error = if lock.inputs.contains_key(name) {
            Error::new(Kind::Usage, format!("input `{name}` is not a model"))
        } else {
            Error::new(Kind::NotFound, format!("the lock has no model `{name}`"))
        };
        error.hint(format!("name one with --model: {listed}"))
    })?;
    let paths = input.model(intake, name)?;
    let files = input.model_files();
    let sha256 = files.first().map(|file| file.sha256);
    let sha256 = sha256.ok_or_else(|| Error::new(Kind::Invalid, format!("model `{name}` has no files")))?;
    Ok(ModelFiles {
        about: Model { input: name.to_owned(), version: input.version(), sha256, gguf: input.gguf().cloned() },
        files: files.into_iter().map(|file| file.path).zip(paths).collect(),
    })
}
