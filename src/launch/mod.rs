//! Programs of a generation, and the environment that they run in outside a sandbox: `strixlock run` and `strixlock
//! env`.
//!
//! Only reads, except that packed trees are brought back. Runs nothing. `c_library` compares the C library of this
//! machine with the one that a Vulkan runtime was made with.

mod c_library;
mod environment;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::llama_source::first_commands;
use crate::lock::Lock;
use crate::progress::Progress;
use crate::recipe::{OutputRole, Recipe};
use crate::store::{Generation, Store, StoredTree};
use crate::suggest::{nearest, suggest};
use crate::tree::Node;

pub use environment::{Environment, Trees};

/// Most names of programs that an error lists.
const LISTED: usize = 20;

/// The outputs of one generation, with the lock that they were made from.
pub struct Outputs<'s> {
    /// The number of the generation.
    pub number: u64,
    store: &'s Store,
    generation: Generation,
    lock: Lock,
}

/// A program in an output.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// The output that it is taken from.
    pub output: String,
    /// The output whose environment it gets: the runtime that was named, else that of the program.
    pub runs_as: String,
    /// Its path in the output's tree.
    path: String,
    /// Other outputs, except those of variants, that have a program of this name.
    pub also_in: Vec<String>,
}

/// Returns false for the name of a library. Archives that others built have them beside the programs, and executable.
fn is_program_name(name: &str) -> bool {
    !name.split('.').skip(1).any(|part| part == "so")
}

/// The outputs that run together.
struct Parts {
    llama: Option<String>,
    rocm: Option<String>,
    vulkan: Option<String>,
    /// True if the ROCm tree is not trimmed.
    is_whole: bool,
}

impl<'s> Outputs<'s> {
    /// Returns the outputs of a generation.
    pub fn new(store: &'s Store, number: u64, generation: Generation, lock: Lock) -> Self {
        Self { number, store, generation, lock }
    }

    /// Returns the names of the outputs that can have programs: runtimes first, then builds of llama.cpp, then whole
    /// ROCm trees; of each, those of variants last, and before them those that others are laid over.
    pub fn names(&self) -> Vec<&str> {
        let is_base = |name: &str| self.lock.outputs.values().any(|output| output.recipe.base() == Some(name));
        let of = |role| {
            let realized = self.lock.ordered().into_iter().filter(|name| self.generation.outputs.contains_key(*name));
            let fitting = realized.filter(move |name| self.recipe(name).is_some_and(|recipe| recipe.is(role)));
            let mut fitting = fitting.map(String::as_str).collect::<Vec<_>>();
            fitting.sort_by_key(|name| (self.lock.variant(name).is_some(), is_base(name)));
            fitting
        };
        [OutputRole::Runtime, OutputRole::Engine, OutputRole::Rocm].into_iter().flat_map(of).collect()
    }

    fn recipe(&self, name: &str) -> Option<&Recipe> {
        self.lock.outputs.get(name).map(|output| &output.recipe)
    }

    /// Returns the output that is meant: the named one, else the first that can have programs.
    pub fn choose(&self, named: Option<&str>) -> Result<&str> {
        let names = self.names();
        let number = self.number;
        let Some(named) = named else {
            return names.first().copied().ok_or_else(|| {
                Error::new(Kind::NotFound, format!("no output of generation {number} has programs"))
                    .hint(format!("the manifest needs an output of type {} or `rocm`", OutputRole::Engine.kinds()))
            });
        };
        if let Some(name) = names.iter().find(|name| **name == named) {
            return Ok(name);
        }
        if self.generation.outputs.contains_key(named) {
            let kind = self.recipe(named).map_or("unknown", Recipe::kind);
            return Err(Error::new(Kind::Usage, format!("an output of type {kind} has no programs to run here"))
                .about(named)
                .hint(suggest(named, names.into_iter())));
        }
        Err(Error::new(Kind::NotFound, format!("generation {number} has no output `{named}`"))
            .hint(suggest(named, names.into_iter())))
    }

    /// Returns the programs of an output by name, with their paths in its tree.
    pub fn programs(&self, output: &str) -> Result<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        let Some(realized) = self.generation.outputs.get(output) else { return Ok(found) };
        let whole = self.recipe(output).is_some_and(|recipe| recipe.is(OutputRole::Rocm));
        let directories = ["bin", "lib/llvm/bin"].into_iter().take(if whole { 2 } else { 1 });
        let Some(tree) = self.store.tree(realized.tree) else {
            let Some(listing) = self.store.listing(realized.tree)? else { return Err(self.lost(output)) };
            for entry in listing.entries() {
                let is_program = matches!(entry.node, Node::File { executable: true, .. } | Node::Link { .. });
                let path = std::str::from_utf8(&entry.path).ok().filter(|_| is_program);
                let Some((directory, name)) = path.and_then(|path| path.rsplit_once('/')) else { continue };
                if is_program_name(name) && directories.clone().any(|known| known == directory) {
                    found.entry(name.to_owned()).or_insert_with(|| format!("{directory}/{name}"));
                }
            }
            return Ok(found);
        };
        for directory in directories {
            let entries = match fs_err::read_dir(tree.path.join(directory)) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                other => other?,
            };
            for entry in entries {
                let path = entry?.path();
                let is_program = path.is_file() && rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).is_ok();
                let name = path.file_name().and_then(OsStr::to_str).filter(|name| is_program && is_program_name(name));
                let Some(name) = name else { continue };
                found.entry(name.to_owned()).or_insert_with(|| format!("{directory}/{name}"));
            }
        }
        Ok(found)
    }

    /// Returns the engine of a runtime, if the generation has it.
    fn engine_of(&self, runtime: &str) -> Option<&str> {
        let recipe = self.recipe(runtime).filter(|recipe| recipe.is(OutputRole::Runtime))?;
        let engine = recipe.outputs().into_iter().find(|(role, _)| *role == OutputRole::Engine)?.1;
        self.generation.outputs.contains_key(engine).then_some(engine)
    }

    /// Finds a program, in one output or in the first that has it. One of a runtime's engine runs with that runtime.
    pub fn find(&self, program: &OsStr, output: Option<&str>) -> Result<Program> {
        let first = self.choose(output)?;
        let outputs = match output {
            // A runtime has no programs of its engine, which run with it.
            Some(_) => [first].into_iter().chain(self.engine_of(first)).collect(),
            None => self.names(),
        };
        let all = outputs.into_iter().map(|name| Ok((name, self.programs(name)?))).collect::<Result<Vec<_>>>()?;
        let wanted = program.to_str().unwrap_or_default();
        let mut having = all.iter().filter_map(|(name, programs)| Some((name, programs.get(wanted)?)));
        if let Some((name, path)) = having.next() {
            let others = having.filter(|(name, _)| self.lock.variant(name).is_none());
            let also_in = others.map(|(name, _)| (*name).to_owned()).collect();
            let runs_as = output.map_or(*name, |_| first).to_owned();
            return Ok(Program { output: (*name).to_owned(), runs_as, path: path.clone(), also_in });
        }
        let of = output.map_or_else(|| format!("generation {}", self.number), |name| format!("the output `{name}`"));
        let error = Error::new(Kind::NotFound, format!("{of} has no program `{}`", program.display()));
        if output.is_some()
            && let Ok(elsewhere) = self.find(program, None)
        {
            return Err(error.hint(format!("{} has it: leave --output away", elsewhere.output)));
        }
        // Each once; llama.cpp's before those of the large ROCm tree.
        let mut names: Vec<&str> = Vec::new();
        for name in all.iter().flat_map(|(_, programs)| programs.keys()) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        if names.is_empty() {
            return Err(error.hint("it has none at all; `strixlock generations` lists the outputs"));
        }
        if let Some(near) = nearest(wanted, names.iter().copied()) {
            return Err(error.hint(format!("did you mean `{near}`?")));
        }
        let listed = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let more = names.len().saturating_sub(LISTED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        Err(error.hint(format!("there are {listed}{more}")))
    }

    /// Returns the outputs that run together with one: a build with the runtime that was made for it, else with the
    /// whole ROCm.
    fn parts(&self, output: &str) -> Parts {
        let has = |name: &String| self.generation.outputs.contains_key(name);
        match self.recipe(output) {
            Some(Recipe::Runtime(recipe)) => Parts {
                llama: Some(recipe.llama.clone()).filter(has),
                rocm: Some(output.to_owned()),
                is_whole: false,
                vulkan: None,
            },
            Some(Recipe::Vulkan(recipe)) => {
                let engine = Some(recipe.engine.clone()).filter(has);
                Parts { llama: engine, rocm: None, is_whole: false, vulkan: Some(output.to_owned()) }
            }
            Some(recipe) if recipe.is(OutputRole::Engine) => {
                let runtimes = self.names().into_iter().filter(
                    |name| matches!(self.recipe(name), Some(Recipe::Runtime(runtime)) if runtime.llama == output),
                );
                let runtime = { runtimes }.next().map(str::to_owned);
                let is_whole = runtime.is_none();
                let drivers = self
                    .names()
                    .into_iter()
                    .find(|name| matches!(self.recipe(name), Some(Recipe::Vulkan(vulkan)) if vulkan.engine == output));
                Parts {
                    llama: Some(output.to_owned()),
                    rocm: runtime.or(recipe.rocm().map(str::to_owned)),
                    is_whole,
                    vulkan: drivers.map(str::to_owned),
                }
            }
            _ => Parts { llama: None, rocm: Some(output.to_owned()), is_whole: true, vulkan: None },
        }
    }

    /// Returns the environment of an output's programs. Packed trees are brought back.
    pub fn environment(&self, output: &str, progress: &dyn Progress) -> Result<Environment> {
        let parts = self.parts(output);
        let tree = |name: Option<&String>| name.map(|name| self.tree(name, progress)).transpose();
        let (llama, rocm) = (tree(parts.llama.as_ref())?, tree(parts.rocm.as_ref())?);
        let vulkan = tree(parts.vulkan.as_ref())?;
        let drivers = match parts.vulkan.as_ref().and_then(|name| self.recipe(name)) {
            Some(Recipe::Vulkan(recipe)) => recipe.drivers.as_slice(),
            _ => &[],
        };
        if let Some(vulkan) = &vulkan {
            c_library::demand(&vulkan.path, llama.as_ref().map(|tree| tree.path.as_path()), Path::new("/"))?;
        }
        let trees = Trees {
            llama: llama.as_ref().map(|tree| tree.path.as_path()),
            rocm: rocm.as_ref().map(|tree| tree.path.as_path()),
            compilers: parts.is_whole,
            vulkan: vulkan.as_ref().map(|tree| (tree.path.as_path(), drivers)),
        };
        Environment::new(&self.store.root().join("trees"), &trees)
    }

    /// Returns the file of a program. Its tree is brought back if it is packed.
    pub fn file(&self, program: &Program, progress: &dyn Progress) -> Result<PathBuf> {
        Ok(self.tree(&program.output, progress)?.path.join(&program.path))
    }

    /// Returns the command line by which one sees that something runs, if there is a program for it.
    pub fn first_command(&self) -> Option<String> {
        let all: Vec<_> = self.names().into_iter().filter_map(|name| self.programs(name).ok()).collect();
        let is_here = |words: &&Vec<String>| {
            words.first().is_some_and(|name| all.iter().any(|programs| programs.contains_key(name)))
        };
        let words = first_commands().iter().find(is_here)?;
        Some(format!("strixlock run {}", words.join(" ")))
    }

    fn tree(&self, name: &str, progress: &dyn Progress) -> Result<StoredTree> {
        let Some(output) = self.generation.outputs.get(name) else {
            return Err(Error::new(Kind::NotFound, format!("generation {} has no output `{name}`", self.number))
                .hint("`strixlock realize` makes a generation with all outputs"));
        };
        self.store.thaw(output.tree, name, progress)?.ok_or_else(|| self.lost(name))
    }

    fn lost(&self, name: &str) -> Error {
        Error::new(Kind::Damaged, format!("generation {} is not whole: its {name} is gone", self.number))
            .hint("`strixlock realize` makes what the lock says; `strixlock generations` lists the others")
    }
}
