//! Proves a Vulkan runtime: ld.so loads each library of it, the programs list their devices with its loader and drivers,
//! and nothing but the C library comes from elsewhere.
//!
//! The root has the same libraries as the runtime, so that a missing one would be found there. The list of the files
//! that ld.so maps or initialises shows it: each must be a file of the runtime or of the engine, or of the C library.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde::Serialize;

use super::is_excused;
use super::loader::{lost, mapped, said};
use super::opened::Trace;
use super::programs::{Demand, ended, fits, of_llama};
use super::questions::{self, Answer, Answers, Environment, Question, Questions};
use crate::drivers::{Collected, Contents, is_libc};
use crate::elf::Elf;
use crate::error::{Error, Kind, Result};
use crate::llama_source::{Role, Wish};
use crate::recipe::image::Prefixes;
use crate::recipe::vulkan::VulkanPart;
use crate::sandbox::{Engine, Limits, Mount, Root, Sandbox};
use crate::text::visible;
use crate::tree::path::file_name;
use crate::tree::show;

/// A Vulkan runtime that is to be proven.
pub struct DriverClaim<'a> {
    /// The runtime's directory on disk.
    pub runtime: &'a Path,
    /// The runtime at its place in the system.
    pub part: VulkanPart<'a>,
    /// The files that it was collected with.
    pub collected: &'a Collected,
    /// The engine's directory on disk.
    pub engine: &'a Path,
    /// The path of the engine in the system.
    pub engine_prefix: &'a str,
    /// Names of the programs in the engine's `bin` that must run.
    pub roots: &'a [String],
    /// True for an engine whose programs are known: they are asked for their devices.
    pub is_known: bool,
    /// Options that this version's programs do not have.
    pub lacking: &'a BTreeSet<(Role, Wish)>,
    /// Instructions that the build needs, and that this machine's processor lacks.
    pub missing: &'a [&'static str],
    /// The root.
    pub root: &'a Path,
    /// Limits for programs in the sandbox.
    pub limits: Limits,
    /// An empty directory for files of the sandbox.
    pub work: &'a Path,
}

/// Result of a proof. It is reproducible.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct DriverProof {
    /// Number of libraries that were loaded with all symbols resolved.
    pub loaded: usize,
    /// The drivers, each with the programs that opened it when they listed their devices.
    pub drivers: BTreeMap<String, BTreeSet<String>>,
    /// Libraries of the C library that came from the root.
    pub base: BTreeSet<String>,
    /// Questions to programs, each with the first lines of the answer.
    pub answers: BTreeMap<String, String>,
    /// Questions that ended with an illegal instruction, because this machine's processor lacks some that the build
    /// needs.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub not_run: BTreeSet<String>,
}

/// Proves a Vulkan runtime. Output of the sandbox goes to `log`.
pub fn prove_drivers(claim: &DriverClaim, log: &mut dyn Write) -> Result<DriverProof> {
    let sandbox = claim.sandbox()?;
    sandbox.describe(log)?;
    let mut questions = Questions::new(None, claim.prefixes().search_path());
    for path in claim.libraries() {
        questions.add(Question::List(path.clone(), Environment::Bare));
        questions.add(Question::Load(path));
    }
    for root in claim.roots {
        let program = claim.program(root)?;
        questions.add(Question::List(program.clone(), Environment::Bare));
        let asked = of_llama(claim.lacking, root);
        for (arguments, _) in &asked {
            questions.add(Question::Ask(program.clone(), arguments, Environment::Bare));
        }
        if let Some((arguments, _)) = asked.last() {
            questions.add(Question::Trace(program, arguments, Environment::Bare));
        }
    }
    let answers = questions.answers(&sandbox, claim.work, log)?;
    claim.judge(&answers)
}

impl DriverClaim<'_> {
    fn prefixes(&self) -> Prefixes<'_> {
        Prefixes { rocm: None, llama: Some(self.engine_prefix), vulkan: Some(self.part) }
    }

    /// Returns the paths in the system of the runtime's libraries, each once.
    fn libraries(&self) -> Vec<Vec<u8>> {
        let is_file = |path: &&[u8]| {
            self.collected.kept.get(*path).is_some_and(|kept| matches!(kept.contents, Contents::File(_)))
        };
        self.collected.libraries().filter(is_file).map(|path| self.collected.installed(path)).collect()
    }

    fn program(&self, root: &str) -> Result<Vec<u8>> {
        if self.engine.join("bin").join(root).is_file() {
            return Ok(format!("{}/bin/{root}", self.engine_prefix).into_bytes());
        }
        Err(Error::new(Kind::NotFound, format!("the build has no program `{root}`"))
            .fact("path", format!("{}/bin/{root}", self.engine_prefix))
            .hint("name its programs in the output's `roots`"))
    }

    fn sandbox(&self) -> Result<Sandbox> {
        let mut sandbox = Sandbox {
            root: Root::Tree(self.root.to_path_buf()),
            directory: "/tmp".to_owned(),
            scratch: self.work.to_path_buf(),
            limits: self.limits,
            ..Sandbox::default()
        };
        sandbox.demand_programs(&[("sh", "dash")])?;
        for (name, value) in [("PATH", "/usr/bin:/bin"), ("HOME", "/homeless"), ("LC_ALL", "C"), ("TZ", "UTC")] {
            sandbox.environment.insert(name.to_owned(), value.to_owned());
        }
        sandbox.environment.extend(self.prefixes().variables(false));
        let source = self.work.join(questions::SOURCE);
        fs_err::create_dir(&source)?;
        for (inside, from) in
            [(self.part.prefix, self.runtime), (self.engine_prefix, self.engine), (questions::DIRECTORY, &source)]
        {
            sandbox.mounts.insert(inside.to_owned(), Mount { from: from.to_path_buf(), writable: false });
        }
        sandbox.engine = Engine::find(&sandbox)?;
        Ok(sandbox)
    }

    /// Fails at the first file that does not load, that comes from elsewhere, or at a program that does not answer.
    fn judge(&self, answers: &Answers) -> Result<DriverProof> {
        let (mut base, mut said_by, mut not_run) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        let mut drivers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for driver in &self.collected.drivers {
            drivers.insert(show(file_name(driver)), BTreeSet::new());
        }
        for (question, answer) in answers {
            match question {
                Question::List(path, _) => base.extend(self.listed(path, answer)?),
                Question::Load(path) | Question::LoadWith(path, _) => self.loaded(path, answer)?,
                Question::Ask(program, arguments, _) => {
                    let asked = format!("{} {arguments}", show(program));
                    if is_excused(answer.code, self.missing) {
                        not_run.insert(asked);
                    } else {
                        said_by.insert(asked, self.answered(program, arguments, answer)?);
                    }
                }
                Question::Trace(program, ..) => {
                    for path in Trace::read(answer).initialised {
                        self.demand_own(program, path.as_bytes(), "opens")?;
                        let name = show(file_name(path.as_bytes()));
                        if let Some(programs) = drivers.get_mut(&name) {
                            programs.insert(show(file_name(program)));
                        }
                    }
                }
            }
        }
        let unopened = drivers.iter().find(|(_, programs)| programs.is_empty());
        if let Some((driver, _)) = unopened.filter(|_| self.is_known && not_run.is_empty()) {
            return Err(Error::failure("no program opened a Vulkan driver when it listed its devices")
                .fact("driver", format!("{}/lib/{driver}", self.part.prefix))
                .hint("`strixlock log` of the output shows what the programs said"));
        }
        Ok(DriverProof { loaded: self.libraries().len(), drivers, base, answers: said_by, not_run })
    }

    /// Returns the libraries of the C library that ld.so maps for a file. Fails if it does not find one, or finds one
    /// elsewhere.
    fn listed(&self, path: &[u8], answer: &Answer) -> Result<BTreeSet<String>> {
        if let Some(line) = answer.lines.iter().find(|line| lost(line).is_some()) {
            return Err(self.fault("a file needs a library or version that ld.so does not find", path, line.trim()));
        }
        if answer.code != 0 {
            return Err(self.fault("ld.so cannot map a file", path, &said(answer)));
        }
        let mut base = BTreeSet::new();
        for one in mapped(answer) {
            if self.demand_own(path, one.path.as_bytes(), "maps")? {
                base.insert(one.name);
            }
        }
        Ok(base)
    }

    /// Returns true for a file of the C library. Fails for one that is neither that nor one of the runtime or engine.
    fn demand_own(&self, by: &[u8], path: &[u8], verb: &'static str) -> Result<bool> {
        let prefixes = [self.part.prefix, self.engine_prefix];
        // Paths such as /opt/llama/bin/../lib begin with the prefix, too.
        if prefixes.iter().any(|prefix| path.strip_prefix(prefix.as_bytes()).is_some_and(|rest| rest.starts_with(b"/")))
        {
            return Ok(false);
        }
        let file = self.root.join(OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(path)));
        if matches!(Elf::open(&file), Ok(Some(Elf::Native(elf))) if is_libc(&elf)) {
            return Ok(true);
        }
        Err(Error::failure("a library comes from the system instead of the Vulkan runtime")
            .fact("file", show(by))
            .fact(verb, show(path))
            .hint("a search path (DT_RPATH) in the file leads there: report this to the authors of strixlock"))
    }

    fn loaded(&self, path: &[u8], answer: &Answer) -> Result<()> {
        // ld.so only warns about a library that is missing or cannot be mapped.
        let ignored = answer.lines.iter().find(|line| line.contains("cannot be preloaded"));
        match ignored {
            None if answer.code == 0 => Ok(()),
            None => Err(self.fault("a library of the runtime cannot be loaded", path, &said(answer))),
            Some(line) => Err(self.fault("a library of the runtime cannot be loaded", path, line.trim())),
        }
    }

    /// Returns the answer of a program in one line. Fails if it does not fit the question.
    fn answered(&self, program: &[u8], arguments: &str, answer: &Answer) -> Result<String> {
        let name = show(file_name(program));
        let asked = of_llama(self.lacking, &name);
        let demand = asked.iter().find(|(asked, _)| *asked == arguments).map_or(Demand::Start, |(_, demand)| *demand);
        if !fits(answer, demand) {
            return Err(Error::failure("a program does not answer with the Vulkan runtime")
                .fact("asked", format!("{} {arguments}", show(program)))
                .fact("ended with", ended(answer.code))
                .excerpt(answer.end()));
        }
        let first = answer.lines.iter().map(|line| visible(line.trim())).find(|line| !line.is_empty());
        Ok(first.unwrap_or_default())
    }

    fn fault(&self, what: &str, path: &[u8], said: &str) -> Error {
        let error = Error::failure(what.to_owned()).fact("file", show(path)).fact("ld.so says", said);
        let chain = self.collected.why(path);
        let above = chain.iter().rev().skip(1);
        above.fold(error, |error, (path, _)| error.fact("needed by", show(path)))
    }
}
