//! Runs a recipe that is built with CMake, in the sandbox: `llama` and `cmake`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Instant;

use super::build_record::{ABOUT, BuildRecord, LOG};
use super::compile_cache::BuildCache;
use super::configure::{Configures, configure};
use super::configured::Unused;
use super::installed::installed;
use super::last_build::last_build;
use super::remote::RemoteBuild;
use super::said::Said;
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
use crate::threads::cores;
use crate::tree::Listing;

/// Header of OpenSSL in a sysroot.
const OPENSSL: &str = "usr/include/openssl/ssl.h";

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
    /// Builds the project, here or by the remote builder of the settings; `anew` uses nothing of an earlier run.
    /// Returns the staging directory with the installed tree, the log and the record of the build, and the listing of
    /// the tree.
    pub fn run(&self, derivation: DerivationId, anew: bool, task: &dyn Task) -> Result<(Staging, Listing)> {
        if let Some(builder) = &self.settings.builder {
            return RemoteBuild::new(self, builder, derivation, anew)?.run(task);
        }
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
        let kept = |failed: Error| self.intake.store.with_failed_log(failed, derivation, &log_path);
        sandbox.describe(&mut log)?;
        // Logs the mounts that are visible inside, as the kernel reports them.
        sandbox.run(&["cat", "/proc/self/mountinfo"].map(str::to_owned), &mut log, &mut |_| {}).map_err(kept)?;
        let mut record = BuildRecord::new(&sandbox, &variables, &mut log).map_err(kept)?;
        let mut running =
            Running { sandbox: &sandbox, staging: staging.path(), log: &mut log, task, phase: String::new() };
        let configured = configure(self, &files, &mut variables, &mut running).map_err(kept)?;
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
    pub(super) fn variables(&self, files: &CMakeFiles) -> BTreeMap<String, String> {
        // Only a pinned root decides: the host's own headers may be gone tomorrow.
        let has_openssl = self.sysroot.as_ref().is_some_and(|root| root.path.join(OPENSSL).exists());
        let known = Known::new(files, has_openssl);
        build::variables(self.recipe, &self.source, self.hip(), Some(&known))
    }

    pub(super) fn prefix(&self) -> &str {
        self.recipe.project().prefix
    }

    pub(super) fn hip(&self) -> Option<&Hip> {
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
    pub(super) fn jobs(&self) -> usize {
        let processors = || {
            let fitting = free_memory().map_or(usize::MAX, |free| (free / self.recipe.memory_per_job()) as usize);
            cores().min(fitting).max(1)
        };
        self.settings.jobs.map_or_else(processors, usize::from)
    }
}

/// The commands of a build that is running.
struct Running<'b> {
    sandbox: &'b Sandbox,
    staging: &'b Path,
    log: &'b mut fs_err::File,
    task: &'b dyn Task,
    /// The phase that was told last: it may take several commands.
    phase: String,
}

impl Running<'_> {
    /// Runs a command. Returns what CMake said of unused variables.
    fn command(&mut self, phase: &str, command: &[String]) -> Result<Unused> {
        if self.phase != phase {
            phase.clone_into(&mut self.phase);
            self.task.phase(phase);
        }
        let mut said = Said::new(self.task);
        let status = self.sandbox.run(command, self.log, &mut |line| said.line(line))?;
        if status.success() { Ok(said.unused) } else { Err(said.failure(&command.join(" "), status)) }
    }
}

impl Configures for Running<'_> {
    fn configure(&mut self, round: usize, command: &[String]) -> Result<(Unused, PathBuf)> {
        let out = self.staging.join("out");
        if round > 0 {
            fs_err::rename(&out, self.staging.join(format!("out-{round}")))?;
            fs_err::create_dir(&out)?;
        }
        Ok((self.command("configure", command)?, out))
    }

    fn left_out(&mut self, names: &str) -> Result<()> {
        Ok(writeln!(self.log, "left out, because the source does not use them: {names}")?)
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
    fn free_memory_is_known_on_linux() {
        assert!(free_memory().is_some_and(|bytes| bytes > 1 << 20));
    }
}
