//! Runs a recipe that is built with CMake, in the sandbox: `llama` and `cmake`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Instant;

use super::build_record::{ABOUT, BuildRecord, LOG};
use super::compile_cache::BuildCache;
use super::configured::{Configured, Unused};
use super::installed::installed;
use super::last_build::last_build;
use super::settings::RealizeSettings;
use super::web_ui::lay_ui;
use crate::digest::DerivationId;
use crate::error::{Error, Result};
use crate::host::free_memory;
use crate::inputs::LockedInput;
use crate::intake::Intake;
use crate::llama_source::CMakeFiles;
use crate::progress::Task;
use crate::recipe::CMakeBuild;
use crate::recipe::build::{self, Hip, Known, Source};
use crate::sandbox::{Engine, Mount, Root, Sandbox};
use crate::store::{LinkMode, Staging, StoredTree, checkout, normalise};
use crate::text::shell_quoted;
use crate::text::visible;
use crate::threads::cores;
use crate::tree::Listing;

/// Header of OpenSSL in a sysroot.
const OPENSSL: &str = "usr/include/openssl/ssl.h";
/// Number of lines of the log that an error shows.
const LAST_LINES: usize = 30;

/// A build and everything that goes into it.
pub(crate) struct Build<'a> {
    pub intake: Intake<'a>,
    pub recipe: &'a dyn CMakeBuild,
    /// The input with the source.
    pub input: &'a LockedInput,
    /// Name and version of the source, for messages.
    pub version: String,
    pub source: Source<'a>,
    /// The tree of the source.
    pub tree: StoredTree,
    /// The files of the web UI and the directory that they are laid into, where the source lacks them.
    pub ui: Option<(StoredTree, &'a str)>,
    pub rocm: Option<(Hip, StoredTree)>,
    /// The root of the sandbox; the host's own if there is none.
    pub sysroot: Option<StoredTree>,
    pub settings: RealizeSettings,
}

impl Build<'_> {
    /// Builds the project. Returns the staging directory with the installed tree, the log and the record of the build,
    /// and the listing of the tree.
    pub fn run(&self, derivation: DerivationId, task: &dyn Task) -> Result<(Staging, Listing)> {
        let begun = Instant::now();
        let staging = self.intake.store.stage()?;
        staging.makes(derivation)?;
        let mut sandbox = self.sandbox(staging.path())?;
        let files = CMakeFiles::read(&self.tree)?;
        let mut variables = self.variables(&files);
        let cache = BuildCache::prepare(self, &variables, &mut sandbox, staging.path());
        if let Some(time) = last_build(self.intake.store, &variables) {
            task.expect(time);
        }
        let log_path = staging.path().join(LOG);
        let mut log = fs_err::File::create(&log_path)?;
        // The staging directory is deleted; the log of a failure is kept.
        let kept = |failed: Error| match self.intake.store.keep_failed_log(derivation, &log_path) {
            Ok(place) => failed.fact("log", place.display()),
            Err(error) => error,
        };
        sandbox.describe(&mut log)?;
        // Logs the mounts that are visible inside, as the kernel reports them.
        sandbox.run(&["cat", "/proc/self/mountinfo"].map(str::to_owned), &mut log, &mut |_| {}).map_err(kept)?;
        let mut record = BuildRecord::new(&sandbox, &variables, &mut log).map_err(kept)?;
        let mut running = Running { build: self, sandbox: &sandbox, log: &mut log, task, phase: String::new() };
        let configured = running.configure(staging.path(), &files, &mut variables).map_err(kept)?;
        record.set_configured(configured, build::left_field(self.recipe), &variables);
        if let Some(cache) = &cache {
            cache.begin_compile();
        }
        // The first command configures.
        for (phase, command) in build::commands(self.recipe, &variables, self.jobs()).iter().skip(1) {
            running.command(phase, command).map_err(kept)?;
        }
        if let Some(cache) = cache {
            record.set_compile_cache(cache.finish(&mut log)?);
        }

        let (dest, tree) = (staging.path().join("dest"), staging.path().join("tree"));
        let listing = installed(&dest, self.prefix(), &tree).map_err(kept)?;
        normalise(&tree, &listing)?;
        record.read_needed(&tree, &listing);
        record.set_time(begun.elapsed());
        fs_err::write(staging.path().join(ABOUT), record.to_json())?;
        Ok((staging, listing))
    }

    /// Opens a shell in the sandbox, with the commands of the build in `commands.sh`.
    pub fn shell(&self) -> Result<ExitStatus> {
        let staging = self.intake.store.stage()?;
        let mut sandbox = self.sandbox(staging.path())?;
        let commands = build::commands(self.recipe, &self.variables(&CMakeFiles::read(&self.tree)?), self.jobs());
        let script: Vec<String> = commands.iter().map(|(_, words)| shell_line(words)).collect();
        fs_err::write(staging.path().join("out/commands.sh"), format!("{}\n", script.join("\n")))?;
        if !sandbox.gives_job_control() {
            self.intake.fetcher.progress().note(
                "the shell has no job control, because it could type into your terminal (sysctl \
                 dev.tty.legacy_tiocsti=1, or Linux before 6.2)",
            );
        }
        // A prompt that differs from the host's. Files for interactive shells would replace it.
        sandbox.environment.insert("PS1".to_owned(), "[build]$ ".to_owned());
        let shell: &[&str] = if sandbox.root.has("usr/bin/bash") { &["bash", "--norc"] } else { &["sh"] };
        sandbox.interact(&shell.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    /// Returns the variables of the build, under the names that the source has.
    fn variables(&self, files: &CMakeFiles) -> BTreeMap<String, String> {
        // Only a pinned root decides: the host's own headers may be gone tomorrow.
        let has_openssl = self.sysroot.as_ref().is_some_and(|root| root.path.join(OPENSSL).exists());
        let known = Known::new(files, has_openssl);
        build::variables(self.recipe, &self.source, self.hip(), Some(&known))
    }

    fn prefix(&self) -> &str {
        self.recipe.project().prefix
    }

    fn hip(&self) -> Option<&Hip> {
        self.rocm.as_ref().map(|(hip, _)| hip)
    }

    /// Returns the sandbox of the build, with its writable directories below `staging`.
    fn sandbox(&self, staging: &Path) -> Result<Sandbox> {
        let root = self.sysroot.as_ref().map_or(Root::Host, |tree| Root::Tree(tree.path.clone()));
        let mut sandbox = Sandbox {
            root,
            environment: build::environment(self.recipe, &self.source, self.hip()),
            directory: build::BUILD.to_owned(),
            scratch: staging.to_path_buf(),
            limits: self.settings.limits,
            ..Sandbox::default()
        };
        sandbox.demand_programs(&self.recipe.programs())?;
        let mut mount = |inside: &str, from: &Path, writable| {
            sandbox.mounts.insert(inside.to_owned(), Mount { from: from.to_path_buf(), writable });
        };
        for (inside, name) in [(build::BUILD, "out"), (build::DEST, "dest")] {
            let directory = staging.join(name);
            fs_err::create_dir(&directory)?;
            mount(inside, &directory, true);
        }
        let copy = staging.join("source");
        if let Some((ui, directory)) = &self.ui {
            lay_ui(&self.tree, ui, directory, &copy)?;
            mount(build::SOURCE, &copy, false);
        } else if self.recipe.writes_source() {
            checkout(&self.tree, &copy, LinkMode::Auto, false)?;
            mount(build::SOURCE, &copy, true);
        } else {
            mount(build::SOURCE, &self.tree.path, false);
        }
        if let Some((hip, tree)) = &self.rocm {
            mount(&hip.prefix, &tree.path, false);
            let tools = staging.join("tools");
            fs_err::create_dir(&tools)?;
            let launcher = tools.join("hip-launcher");
            fs_err::write(&launcher, build::HIP_LAUNCHER)?;
            fs_err::set_permissions(&launcher, std::fs::Permissions::from_mode(0o755))?;
            mount(build::TOOLS, &tools, false);
        }
        sandbox.engine = Engine::find(&sandbox)?;
        Ok(sandbox)
    }

    /// Returns the number of compilers that run at once: as configured, else one per processor, as far as free memory
    /// allows.
    fn jobs(&self) -> usize {
        let processors = || {
            let fitting = free_memory().map_or(usize::MAX, |free| (free / self.recipe.memory_per_job()) as usize);
            cores().min(fitting).max(1)
        };
        self.settings.jobs.map_or_else(processors, usize::from)
    }
}

/// The words by which a failed command of a build is known.
const FAILED: &str = " failed in the build";
/// The words by which a compiler is known that the kernel killed.
const KILLED: &str = "a compiler was killed";

/// The commands of a build that is running.
struct Running<'b> {
    build: &'b Build<'b>,
    sandbox: &'b Sandbox,
    log: &'b mut fs_err::File,
    task: &'b dyn Task,
    /// The phase that was told last: it may take several commands.
    phase: String,
}

impl Running<'_> {
    /// Configures the build in `staging`. Fails if the source does not know a variable of the manifest, before anything
    /// is compiled. Variables of the recipe that CMake calls unused are removed from `variables`, except for those that
    /// it insists on, and it configures again, in an empty directory.
    fn configure(
        &mut self,
        staging: &Path,
        files: &CMakeFiles,
        variables: &mut BTreeMap<String, String>,
    ) -> Result<Configured> {
        let recipe = self.build.recipe;
        let mut dropped = BTreeSet::new();
        loop {
            let commands = build::commands(recipe, variables, self.build.jobs());
            let mut unused = Unused::default();
            for (phase, command) in commands.iter().take(1) {
                unused = self.command(phase, command)?;
            }
            let out = staging.join("out");
            let names = variables.keys().map(String::as_str).collect();
            let mut found = Configured::read(&out, files, &names, &unused, recipe)?;
            found.demand(recipe.project().cmake.keys(), &self.build.version)?;
            let given = variables.clone();
            variables.retain(|name, value| !found.unknown.contains(name) || recipe.insists(name, value));
            let unused: Vec<&str> =
                given.keys().filter(|name| !variables.contains_key(*name)).map(String::as_str).collect();
            dropped.append(&mut found.unknown);
            // Each round drops at least one.
            if unused.is_empty() {
                found.unknown = dropped;
                return Ok(found);
            }
            writeln!(self.log, "left out, because the source does not use them: {}", unused.join(", "))?;
            fs_err::rename(&out, staging.join(format!("out-{}", dropped.len())))?;
            fs_err::create_dir(&out)?;
        }
    }

    /// Runs a command. Returns what CMake said of unused variables.
    fn command(&mut self, phase: &str, command: &[String]) -> Result<Unused> {
        if self.phase != phase {
            phase.clone_into(&mut self.phase);
            self.task.phase(phase);
        }
        let (mut unused, mut last) = (Unused::default(), VecDeque::new());
        let status = self.sandbox.run(command, self.log, &mut |line| {
            if let Some(step) = NinjaStep::of(line) {
                self.task.set_total(step.total);
                self.task.set_position(step.done);
                self.task.detail(&visible(step.file));
            }
            unused.see(line);
            last.push_back(visible(line));
            if last.len() > LAST_LINES {
                last.pop_front();
            }
        })?;
        if status.success() {
            return Ok(unused);
        }
        Err(Error::failure(failure(command, status, &last)).excerpt(Vec::from(last).join("\n")))
    }
}

/// Returns true for the error of a command of a build that failed by itself: the fault is in the source, unless memory
/// ran out.
#[must_use]
pub fn is_build_failure(error: &Error) -> bool {
    error.message().contains(FAILED) && !error.message().contains(KILLED)
}

/// Describes a failed command. The only sign of a compiler that the kernel killed is a word in the last lines of its
/// driver.
fn failure(command: &[String], status: ExitStatus, last: &VecDeque<String>) -> String {
    let name = command[..command.len().min(3)].join(" ");
    let killed = |line: &String| line.contains("Killed") || line.contains("signal 9") || line.contains("SIGKILL");
    if last.iter().any(killed) {
        return format!("`{name}`{FAILED} ({status}): {KILLED}, probably because memory ran out; try a smaller --jobs");
    }
    format!("`{name}`{FAILED} ({status})")
}

/// A line of Ninja, such as `[12/304] Building CXX object src/a.cpp.o`.
struct NinjaStep<'a> {
    /// Number of steps so far.
    done: u64,
    /// Number of all steps.
    total: u64,
    /// The file that the step is about.
    file: &'a str,
}

impl<'a> NinjaStep<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let (count, rest) = line.strip_prefix('[')?.split_once(']')?;
        let (done, total) = count.split_once('/')?;
        let file = rest.rsplit(' ').next().unwrap_or_default();
        let file = file.rsplit('/').next().unwrap_or_default().trim_end_matches(".o");
        Some(Self { done: done.trim().parse().ok()?, total: total.trim().parse().ok()?, file })
    }
}

/// Quotes a command for a shell.
fn shell_line(words: &[String]) -> String {
    words.iter().map(|word| shell_quoted(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninja_tells_how_far_it_is() {
        let step = |line| NinjaStep::of(line).map(|step| (step.done, step.total, step.file));
        let line = "[ 12/304] Building HIP object ggml/CMakeFiles/ggml-hip.dir/__/fattn.cu.o";
        assert_eq!(step(line), Some((12, 304, "fattn.cu")));
        assert_eq!(step("[304/304]"), Some((304, 304, "")));
        assert_eq!(step("-- Configuring done [1]"), None);
    }

    #[test]
    fn a_compiler_that_the_kernel_killed_is_told_as_such() {
        let said = |last: &str| {
            let status = std::os::unix::process::ExitStatusExt::from_raw(256);
            failure(&["cmake".to_owned()], status, &VecDeque::from([last.to_owned()]))
        };
        assert!(said("c++: fatal error: Killed signal terminated program cc1plus").contains("because memory ran out"));
        assert!(!said("error: no such header").contains("memory"));
    }

    #[test]
    fn free_memory_is_known_on_linux() {
        assert!(free_memory().is_some_and(|bytes| bytes > 1 << 20));
    }
}
