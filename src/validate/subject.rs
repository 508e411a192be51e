//! The subject of a validation: the outputs of a lock that run, and a model for them.

use std::path::PathBuf;

use super::{Check, Model};
use crate::elf::Elf;
use crate::error::{Error, Kind, Result};
use crate::gfx::GfxTarget;
use crate::host::processor_flags;
use crate::inputs::LockedInput;
use crate::intake::Intake;
use crate::llama_source::Role;
use crate::lock::Lock;
use crate::recipe::{Backend, LlamaRecipe, Recipe, RuntimeRecipe, llama};
use crate::store::StoredTree;

/// The directory of models in the sandbox.
pub(super) const MODELS: &str = "/models";

/// The outputs and the model of a validation.
pub(super) struct Subject {
    /// The build of llama.cpp.
    pub llama: StoredTree,
    /// The recipe of the build.
    pub recipe: LlamaRecipe,
    /// The ROCm tree that it runs with: the runtime if the lock has one, else the complete tree.
    pub rocm: Option<Rocm>,
    /// The GPU that the build is for; absent without ROCm.
    pub target: Option<GfxTarget>,
    /// The version of ROCm.
    pub rocm_version: Option<String>,
    /// The complete ROCm tree, which has the tools, if it is in the store.
    pub complete: Option<StoredTree>,
    /// The base system: the root of the build, else the host's.
    pub base: Option<StoredTree>,
    /// The model.
    pub model: ModelFiles,
}

/// A ROCm tree and its prefix in the sandbox.
pub(super) struct Rocm {
    pub prefix: String,
    pub tree: StoredTree,
}

/// A model and its files.
pub(super) struct ModelFiles {
    pub about: Model,
    /// Name and path in the store of each file, in order.
    pub files: Vec<(String, PathBuf)>,
}

impl Subject {
    /// Finds the outputs in the store. Downloads the model if it is missing.
    pub fn find(lock: &Lock, intake: Intake, model: Option<&str>) -> Result<Self> {
        let (runtime, name) = runs(lock)?;
        let Recipe::Llama(recipe) = &lock.output(name)?.recipe else {
            return Err(Error::new(Kind::Invalid, format!("output `{name}` is not a build of llama.cpp")));
        };
        let here = |name: &str| realized(lock, intake, name);
        let (mut rocm, mut target, mut rocm_version) = (None, None, None);
        if let Some(whole) = &recipe.rocm {
            let prefix = lock.output(whole)?.recipe.prefix().unwrap_or("/opt/rocm").to_owned();
            let tree = here(runtime.map_or(whole.as_str(), |(name, _)| name))?;
            rocm = Some(Rocm { prefix, tree });
            (target, rocm_version) = rocm_of(lock, whole).unzip();
        }
        Ok(Self {
            llama: here(name)?,
            rocm,
            target,
            rocm_version,
            complete: recipe.rocm.as_deref().and_then(|name| here(name).ok()),
            base: recipe.sysroot.as_deref().map(here).transpose()?,
            recipe: recipe.clone(),
            model: find_model(lock, intake, model)?,
        })
    }

    /// Checks that this machine's processor has the instructions that the build uses.
    pub fn processor(&self) -> Check {
        let processor = llama::processor(self.recipe.cpu.as_deref(), self.target.as_ref());
        let missing = llama::missing_flags(processor, &processor_flags());
        let lacks = if missing.is_empty() { String::new() } else { format!("; this one lacks {}", missing.join(", ")) };
        Check::judged("processor", missing.is_empty(), format!("built for {processor}{lacks}"))
    }

    /// Returns the context length of the model, in tokens.
    pub fn context(&self) -> Option<u64> {
        self.model.about.gguf.as_ref()?.context
    }

    /// Returns whether the build can compute on an AMD GPU.
    pub fn has_gpu_backend(&self) -> bool {
        self.recipe.backend == Backend::Hip
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
        there.then(|| format!("{}/bin/{name}", self.recipe.prefix))
    }
}

/// Returns the outputs that run: a runtime with its build if the lock has one, else a build alone.
fn runs(lock: &Lock) -> Result<(Option<(&String, &RuntimeRecipe)>, &str)> {
    let runtimes = lock.outputs.iter().filter_map(|(name, output)| match &output.recipe {
        Recipe::Runtime(recipe) => Some((name, recipe)),
        _ => None,
    });
    if let Some((name, recipe)) = { runtimes }.next() {
        return Ok((Some((name, recipe)), &recipe.llama));
    }
    let build = lock.outputs.iter().find(|(_, output)| matches!(output.recipe, Recipe::Llama(_)));
    build.map(|(name, _)| (None, name.as_str())).ok_or_else(|| {
        Error::new(Kind::NotFound, "the lock has no build of llama.cpp to validate")
            .hint("add an output of type `llama` to the manifest, then `strixlock update`")
    })
}

/// Returns the GPU that a ROCm tree of the lock is for, and its version.
fn rocm_of(lock: &Lock, output: &str) -> Option<(GfxTarget, String)> {
    let Recipe::Rocm(recipe) = &lock.outputs.get(output)?.recipe else { return None };
    let input = lock.inputs.get(&recipe.input)?;
    let LockedInput::Rocm(block) = input else { return None };
    Some((block.requested.target.clone(), input.version()))
}

/// Returns the tree of a realized output; fails if it is not in the store.
fn realized(lock: &Lock, intake: Intake, name: &str) -> Result<StoredTree> {
    let output = lock.output(name)?;
    let found = intake.store.hot_output(output.derivation, name, intake.fetcher.progress())?;
    found.map(|(_, tree)| tree).ok_or_else(|| {
        Error::new(Kind::NotFound, format!("output `{name}` is not realized")).hint("run `strixlock realize` first")
    })
}

/// Finds the model: the one that the user asked for, else the only one in the lock.
fn find_model(lock: &Lock, intake: Intake, asked: Option<&str>) -> Result<ModelFiles> {
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
