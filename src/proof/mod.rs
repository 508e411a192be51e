//! Proof that a trimmed runtime has everything that it needs, by running it where nothing else is available.
//!
//! In a sandbox with the runtime, the llama.cpp build and the base system, but without the whole ROCm tree:
//!
//! * `loader`: ld.so lists the files that it maps for every kept ELF file, and they are those that trimming computed.
//!   It loads every kept library, and every name under which one is kept, with all symbols resolved at once, each in
//!   its own process
//! * `programs`: the requested programs print their version and devices, and ROCm's own tools answer or report a
//!   missing GPU. The files that they open meanwhile are kept by a rule, and nothing that they request is missing if
//!   the whole tree has it (`opened`)
//! * `drivers`: a Vulkan runtime's loader and drivers are loaded, the programs enumerate devices with them, and nothing
//!   but the C library comes from elsewhere
//! * `data`: trimming the runtime once more, from its own files, keeps all of it: each `.rocm_kpack_ref` leads to its
//!   archive, each directory of kernels has everything that the whole tree has for the target, and so on for all files
//!   that no loader opens
//!
//! Libraries that only newer processors load are not loaded, because this machine may not be one. Their presence is
//! proven like that of all demanded files.
//!
//! The first failure is an error that names the file, quotes the loader, and shows the chain that leads there. The
//! proof changes nothing in the runtime.

mod data;
mod drivers;
mod loader;
mod opened;
mod programs;
mod questions;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::elf::ElfKind;
use crate::error::{Error, Result};
use crate::llama_source::{Role, Wish};
use crate::recipe::image::Prefixes;
use crate::sandbox::{Engine, Limits, Mount, Root, Sandbox};
use crate::tree::show;
use crate::trim::{Mounted, Processor, Request, Trimmed};
use questions::{Answer, Environment, Question, Questions};

pub use drivers::{DriverClaim, prove_drivers};

/// A runtime that is to be proven.
pub struct Claim<'a> {
    /// Name of the runtime's output.
    pub name: &'a str,
    /// The runtime's directory.
    pub runtime: &'a Path,
    /// The request that the runtime was trimmed by.
    pub request: Request<'a>,
    /// The result of trimming.
    pub trimmed: &'a Trimmed,
    /// Options that this version's programs do not have.
    pub lacking: &'a BTreeSet<(Role, Wish)>,
    /// Instructions that the build needs, and that this machine's processor lacks.
    pub missing: &'a [&'static str],
    /// Those, and instructions that only libraries need which the programs choose from.
    pub missing_in_parts: &'a [&'static str],
    /// True if the build finds ROCm by `LD_LIBRARY_PATH` alone: its files are asked with the one that images set.
    pub by_search_path: bool,
    /// The base system.
    pub base: Root,
    /// Limits for programs in the sandbox.
    pub limits: Limits,
    /// An empty directory for files of the sandbox.
    pub work: &'a Path,
}

/// Result of a proof. Its counts are reproducible.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Number of programs and libraries whose needs ld.so resolved.
    pub resolved: usize,
    /// Number of libraries that were loaded with all symbols resolved.
    pub loaded: usize,
    /// Number of libraries that were not loaded, because the plainest processor does not load them.
    pub newer: usize,
    /// Number of loaded libraries that do not find their needs by themselves, and got the directories from outside.
    #[serde(skip_serializing_if = "is_zero")]
    pub with_others: usize,
    /// Number of further names under which libraries were loaded.
    pub names: usize,
    /// Number of files that each program maps when it starts on the plainest processor. ld.so's own list was compared
    /// with the files computed for the processor that the proof ran on.
    pub mapped: BTreeMap<String, usize>,
    /// Number of further files that each program opened while it answered, each kept by a rule.
    pub opened: BTreeMap<String, usize>,
    /// Libraries that ld.so took from the base system.
    pub base: BTreeSet<String>,
    /// Questions to programs, each with the first line of the answer.
    pub answers: BTreeMap<String, String>,
    /// Libraries and questions that ended with an illegal instruction, because this machine's processor lacks
    /// instructions that the build needs: ld.so resolved them, and they did not run.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub not_run: BTreeSet<String>,
    /// Number of files and links that the runtime itself demands, each compared with the whole tree.
    pub demanded: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Proves a runtime. Output of the sandbox goes to `log`.
pub fn prove(claim: &Claim, log: &mut dyn Write) -> Result<Proof> {
    let sandbox = sandbox(claim)?;
    sandbox.describe(log)?;
    let prefixes =
        Prefixes { rocm: Some(claim.request.rocm.prefix), llama: Some(claim.request.llama.prefix), vulkan: None };
    let mut questions = Questions::new(claim.trimmed.interpreter.as_deref(), prefixes.search_path());
    let any_processor = |path: &Vec<u8>| !claim.trimmed.newer.contains(path);
    let mut with_others = 0;
    for (path, kind) in claim.trimmed.elf.iter().filter(|(path, _)| any_processor(path)) {
        match claim.trimmed.standalone.get(path).filter(|_| *kind == ElfKind::Shared) {
            Some(library) if library.complete => {
                questions.add(Question::List(library.path.clone(), claim.own_environment(path)));
                questions.add(claim.load(path, library.path.clone()));
            }
            Some(_) => {
                with_others += 1;
                let directories = claim.trimmed.searched.get(path).into_iter().flatten().cloned().collect::<Vec<_>>();
                questions.add(Question::LoadWith(path.clone(), directories.join(&b':')));
            }
            None => questions.add(Question::List(path.clone(), claim.own_environment(path))),
        }
    }
    for program in claim.trimmed.linked.keys() {
        let own = claim.own_environment(program);
        if !claim.trimmed.elf.contains_key(program) {
            questions.add(Question::List(program.clone(), own));
        }
        if own == Environment::Bare {
            questions.add(Question::List(program.clone(), Environment::Image));
        }
    }
    for name in loader::other_names(claim) {
        questions.add(claim.load(&name, name.clone()));
    }
    for environment in Environment::ALL {
        let fits =
            |program: &Vec<u8>| environment == Environment::Image || claim.own_environment(program) == environment;
        for (program, arguments) in programs::questions(claim).into_iter().filter(|(program, _)| fits(program)) {
            questions.add(Question::Ask(program, arguments, environment));
        }
        for (program, arguments) in programs::traces(claim).into_iter().filter(|(program, _)| fits(program)) {
            questions.add(Question::Trace(program, arguments, environment));
        }
    }
    let answers = questions.answers(&sandbox, claim.work, log)?;
    let mut not_run = BTreeSet::new();
    let seen = loader::judge(claim, &answers, &mut not_run)?;
    let said = programs::judge(claim, &answers, &mut not_run)?;
    let opened = opened::judge(claim, &answers)?;
    let demanded = data::judge(claim)?;
    let path = |path: &[u8]| show(path);
    let shared = claim.trimmed.elf.iter().filter(|(_, kind)| **kind == ElfKind::Shared);
    let plain = |files: &BTreeMap<Processor, BTreeSet<_>>| files.get(&Processor::PLAIN).map_or(0, BTreeSet::len);
    Ok(Proof {
        resolved: claim.trimmed.elf.len() - claim.trimmed.newer.len(),
        loaded: shared.filter(|(path, _)| any_processor(path)).count(),
        newer: claim.trimmed.newer.len(),
        with_others,
        names: loader::other_names(claim).len(),
        mapped: claim.trimmed.linked.iter().map(|(program, files)| (path(program), plain(files))).collect(),
        opened,
        base: seen,
        answers: said,
        not_run,
        demanded,
    })
}

fn sandbox(claim: &Claim) -> Result<Sandbox> {
    let mut sandbox = Sandbox {
        root: claim.base.clone(),
        directory: "/tmp".to_owned(),
        scratch: claim.work.to_path_buf(),
        limits: claim.limits,
        ..Sandbox::default()
    };
    sandbox.demand_programs(&[("sh", "dash")])?;
    for (name, value) in [("PATH", "/usr/bin:/bin"), ("HOME", "/homeless"), ("LC_ALL", "C"), ("TZ", "UTC")] {
        sandbox.environment.insert(name.to_owned(), value.to_owned());
    }
    let mut mount = |inside: &str, from: &Path| {
        sandbox.mounts.insert(inside.to_owned(), Mount { from: from.to_path_buf(), writable: false });
    };
    mount(claim.request.rocm.prefix, claim.runtime);
    mount(claim.request.llama.prefix, claim.request.llama.dir);
    let source = claim.work.join(questions::SOURCE);
    fs_err::create_dir(&source)?;
    mount(questions::DIRECTORY, &source);
    sandbox.engine = Engine::find(&sandbox)?;
    Ok(sandbox)
}

impl<'a> Claim<'a> {
    /// Returns the environment in which a file finds its libraries: with the search path of images, if it is of a build
    /// that cannot know where ROCm stands.
    fn own_environment(&self, path: &[u8]) -> Environment {
        let is_by_path = self.by_search_path && loader::is_llama(self, path);
        if is_by_path { Environment::Image } else { Environment::Bare }
    }

    /// Returns the question that loads a library under a name, in the environment of its file.
    fn load(&self, path: &[u8], name: Vec<u8>) -> Question {
        if self.own_environment(path) == Environment::Bare {
            return Question::Load(name);
        }
        let prefixes =
            Prefixes { rocm: Some(self.request.rocm.prefix), llama: Some(self.request.llama.prefix), vulkan: None };
        Question::LoadWith(name, prefixes.search_path().into_bytes())
    }

    /// Adds the search path of the environment to an error, if it has one.
    fn with_environment(&self, error: Error, environment: Environment) -> Error {
        let prefixes =
            Prefixes { rocm: Some(self.request.rocm.prefix), llama: Some(self.request.llama.prefix), vulkan: None };
        match environment {
            Environment::Bare => error,
            Environment::Image => error.fact("LD_LIBRARY_PATH", prefixes.search_path()),
        }
    }

    /// Returns true if this machine's processor is the reason for an answer: it ended with an illegal instruction, and
    /// the processor lacks some that the build needs.
    fn needs_processor(&self, answer: &Answer) -> bool {
        is_excused(answer.code, self.missing)
    }

    /// Like [`Self::needs_processor`], for a library that was loaded by itself. The programs may never load it here.
    fn part_needs_processor(&self, answer: &Answer) -> bool {
        is_excused(answer.code, self.missing_in_parts)
    }

    /// Adds the files that may have crashed ld.so to the error for a crash.
    fn with_flaws(&self, error: Error) -> Error {
        if self.trimmed.flaws.is_empty() {
            return error;
        }
        let flaws = self.trimmed.flaws.iter();
        let error = flaws.fold(error, |error, (path, flaw)| error.fact("damaged", format!("{}: {flaw}", show(path))));
        error.hint("the damaged files were published like this: pin another version, and report them to the publisher")
    }

    /// Returns the request with the runtime in place of the whole tree.
    fn again<'b>(&'b self, listing: &'b crate::tree::Listing) -> Request<'b>
    where
        'a: 'b,
    {
        Request {
            rocm: Mounted { dir: self.runtime, listing, prefix: self.request.rocm.prefix },
            llama: self.request.llama,
            roots: self.request.roots,
            targets: self.request.targets,
            edges: self.request.edges,
            base: self.request.base,
        }
    }
}

/// Returns true for the exit code of an illegal instruction, on a processor that lacks some.
fn is_excused(code: i32, missing: &[&str]) -> bool {
    const ILLEGAL_INSTRUCTION: i32 = 128 + 4;
    code == ILLEGAL_INSTRUCTION && !missing.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lacking_processor_excuses_an_illegal_instruction() {
        assert!(is_excused(132, &["avx512f"]));
        assert!(!is_excused(132, &[]), "this machine has all that the build needs");
        assert!(!is_excused(139, &["avx512f"]) && !is_excused(0, &["avx512f"]));
    }
}
