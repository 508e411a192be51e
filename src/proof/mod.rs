//! The proof that a trimmed runtime has all that it needs, by running it where there is nothing else.
//!
//! In a sandbox whose root holds the runtime, the llama.cpp build and the base system, and not the whole ROCm tree:
//!
//! * `loader`: ld.so itself lists what it maps for every kept ELF file, and that is what trimming computed; it loads every
//!   kept library, and every name under which one is kept, with all symbols resolved at once, in a process each
//! * `programs`: the programs that were asked for say their version and devices; ROCm's own tools answer, or miss the GPU. What they
//!   open meanwhile is kept by a rule that says so, and nothing that they ask for is missing which the whole tree has (`opened`)
//! * `data`: trimming the runtime once more, from its own files, gives all of it again: each `.rocm_kpack_ref` leads to its archive,
//!   each directory of kernels has what the whole tree has for the target, and so on for everything that no loader opens
//!
//! Libraries that only newer processors load are not loaded here, where there may be none: of those it is proven that they are there,
//! as everything else that is demanded.
//!
//! The first that fails is an error that names the file, says what the loader said, and shows the chain that leads there.
//! Nothing of what is proven is changed.

mod data;
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
use crate::recipe::image::Prefixes;
use crate::sandbox::{Engine, Limits, Mount, Root, Sandbox};
use crate::tree::show;
use crate::trim::{Mounted, Processor, Request, Trimmed};
use questions::{Question, Questions, Where};

/// What is to be proven.
pub struct Claim<'a> {
    /// The output that the runtime is.
    pub name: &'a str,
    /// The runtime as it is on disk now.
    pub runtime: &'a Path,
    /// What it was trimmed from, and for what.
    pub request: Request<'a>,
    /// What trimming gave.
    pub trimmed: &'a Trimmed,
    /// The base system.
    pub base: Root,
    /// How far what runs in the sandbox may go.
    pub limits: Limits,
    /// An empty directory for what the sandbox needs and shows.
    pub work: &'a Path,
}

/// What was proven: counts, which are the same each time.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Programs and libraries whose needs ld.so could all resolve.
    pub resolved: usize,
    /// Libraries that were loaded with all their symbols resolved.
    pub loaded: usize,
    /// Libraries that were not loaded, since only newer processors than the plainest do; all others stand for each processor.
    pub newer: usize,
    /// Of those that were loaded, the libraries that find nothing by themselves and were given their directories: they live on what
    /// others bring.
    #[serde(skip_serializing_if = "is_zero")]
    pub with_others: usize,
    /// Names besides their own under which libraries were loaded.
    pub names: usize,
    /// For each program how many files it maps when it starts on the plainest processor; ld.so's own list is what was computed for the
    /// one that it ran on.
    pub mapped: BTreeMap<String, usize>,
    /// For each program how many files more it opened while it answered, each by a rule that says so.
    pub opened: BTreeMap<String, usize>,
    /// The libraries that ld.so took from the base system.
    pub base: BTreeSet<String>,
    /// What was asked of programs, and the first line of each answer.
    pub answers: BTreeMap<String, String>,
    /// Files and links that are there byte for byte because something in the runtime asks for them.
    pub demanded: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Proves a runtime; what is said in the sandbox goes to `log`.
pub fn prove(claim: &Claim, log: &mut dyn Write) -> Result<Proof> {
    let sandbox = sandbox(claim)?;
    sandbox.describe(log)?;
    let prefixes = Prefixes { rocm: Some(claim.request.rocm.prefix), llama: Some(claim.request.llama.prefix) };
    let mut questions = Questions::new(claim.trimmed.interpreter.as_deref(), prefixes.search_path());
    let any_processor = |path: &Vec<u8>| !claim.trimmed.newer.contains(path);
    let mut with_others = 0;
    for (path, kind) in claim.trimmed.elf.iter().filter(|(path, _)| any_processor(path)) {
        match claim.trimmed.alone.get(path).filter(|_| *kind == ElfKind::Shared) {
            Some(alone) if alone.whole => {
                questions.add(Question::List(alone.path.clone(), Where::Bare));
                questions.add(Question::Load(alone.path.clone()));
            }
            Some(_) => {
                with_others += 1;
                let directories = claim.trimmed.searched.get(path).into_iter().flatten().cloned().collect::<Vec<_>>();
                questions.add(Question::LoadWith(path.clone(), directories.join(&b':')));
            }
            None => questions.add(Question::List(path.clone(), Where::Bare)),
        }
    }
    for program in claim.trimmed.linked.keys() {
        if !claim.trimmed.elf.contains_key(program) {
            questions.add(Question::List(program.clone(), Where::Bare));
        }
        questions.add(Question::List(program.clone(), Where::Image));
    }
    for name in loader::other_names(claim) {
        questions.add(Question::Load(name));
    }
    for place in Where::ALL {
        for (program, arguments) in programs::questions(claim) {
            questions.add(Question::Ask(program, arguments, place));
        }
        for (program, arguments) in programs::traces(claim) {
            questions.add(Question::Trace(program, arguments, place));
        }
    }
    let answers = questions.answers(&sandbox, claim.work, log)?;
    let seen = loader::judge(claim, &answers)?;
    let said = programs::judge(claim, &answers)?;
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
    let shown = claim.work.join(questions::SHOWN);
    fs_err::create_dir(&shown)?;
    mount(questions::PLACE, &shown);
    sandbox.engine = Engine::find(&sandbox)?;
    Ok(sandbox)
}

impl<'a> Claim<'a> {
    /// Says with which search path something was asked, where it had one.
    fn where_asked(&self, error: Error, place: Where) -> Error {
        let prefixes = Prefixes { rocm: Some(self.request.rocm.prefix), llama: Some(self.request.llama.prefix) };
        match place {
            Where::Bare => error,
            Where::Image => error.fact("LD_LIBRARY_PATH", prefixes.search_path()),
        }
    }

    /// Names the files that may have crashed ld.so, where it crashed.
    fn with_flaws(&self, error: Error) -> Error {
        if self.trimmed.flaws.is_empty() {
            return error;
        }
        let flaws = self.trimmed.flaws.iter();
        let error = flaws.fold(error, |error, (path, flaw)| error.fact("damaged", format!("{}: {flaw}", show(path))));
        error.hint(
            "the files named as damaged were published like this: pin another version, and tell who publishes them",
        )
    }

    /// The same request with the runtime in place of the whole tree.
    fn again<'b>(&'b self, listing: &'b crate::tree::Listing) -> Request<'b>
    where
        'a: 'b,
    {
        Request {
            rocm: Mounted { dir: self.runtime, listing, prefix: self.request.rocm.prefix },
            llama: self.request.llama,
            roots: self.request.roots,
            target: self.request.target,
            edges: self.request.edges,
            base: self.request.base,
        }
    }
}
