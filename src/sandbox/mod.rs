//! Where recipes run: a root of their own, no network, a fixed environment.
//!
//! Inside stands what was put there and nothing else: the root (a pinned tree, or for want of one the host's own
//! `/usr`), the mounts, `/proc`, a minimal `/dev`, an empty `/tmp`. The host gives a kernel. Its environment, home,
//! network, names, users and processes are not visible.
//!
//! Made by [`Engine`]: bubblewrap, or podman where bubblewrap may not make namespaces; with a session keyring of its own (see
//! `keyring`) and without the system calls that no build needs (see `calls`). Whoever asks for a host's address
//! inside is told that there is none, and we are told the name (see `names`).

mod calls;
mod engine;
mod follow;
mod interrupt;
mod keyring;
mod names;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use tracing::info;

use crate::error::{Error, Result};
use crate::log::RUN;
use crate::text::command_line;

pub use engine::Engine;
pub use follow::Limits;
use follow::{End, drain, follow};
use interrupt::Interrupts;
use names::Names;

/// The caller's umask and limits come along otherwise: no core files, and as many open files and as much stack as usual.
/// A caller who has less of them keeps less.
const OWN: &str = "umask 022; ulimit -c 0; ulimit -n 1024 2>/dev/null; ulimit -s 8192 2>/dev/null; exec \"$@\"";

/// A sandbox to run commands in.
#[derive(Debug, Clone, Default)]
pub struct Sandbox {
    /// What makes it.
    pub engine: Engine,
    /// What programs find in `/usr`, `/etc` and the links into them.
    pub root: Root,
    /// Directories inside and what of the host stands there.
    pub mounts: BTreeMap<String, Mount>,
    /// The whole environment.
    pub environment: BTreeMap<String, String>,
    /// Where commands start.
    pub directory: String,
    /// A directory of the host for what the sandbox itself needs; nothing stays in it.
    pub scratch: PathBuf,
    /// How far each command may go.
    pub limits: Limits,
    /// Device nodes of the host that are there besides the usual ones. With any, `/sys` is too: ROCm reads there what they are.
    pub devices: Vec<PathBuf>,
}

/// What the root of a sandbox is made of.
#[derive(Debug, Clone, Default)]
pub enum Root {
    /// The host's own `/usr`: what comes out depends on the host.
    #[default]
    Host,
    /// A tree, such as the output of a `sysroot` recipe.
    Tree(PathBuf),
}

impl Root {
    /// Where it is on the host.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Host => Path::new("/"),
            Self::Tree(path) => path,
        }
    }

    /// Whether it has this file.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.path().join(path).symlink_metadata().is_ok()
    }
}

/// Something of the host that is visible inside.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Where it is on the host.
    pub from: PathBuf,
    /// Whether it can be changed.
    pub writable: bool,
}

impl Sandbox {
    /// Whether the root has the programs that a build calls; the error names the packages.
    pub fn demand_programs(&self, programs: &[(&str, &str)]) -> Result<()> {
        let missing: Vec<_> =
            programs.iter().filter(|(program, _)| !self.root.has(&format!("usr/bin/{program}"))).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = missing.iter().map(|(program, _)| *program).collect();
        let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
        let error = Error::failure(format!("builds need {}, and /usr/bin does not have it", names.join(", ")));
        Err(match &self.root {
            Root::Host => error.hint(format!("`sudo apt-get install {}`", packages.join(" "))),
            Root::Tree(path) => error
                .fact("sysroot", path.display())
                .hint(format!("add {} to the packages of the sysroot in the manifest", packages.join(", "))),
        })
    }

    /// Says in a log what stands where in this sandbox.
    pub fn describe(&self, log: &mut dyn Write) -> Result<()> {
        writeln!(log, "sandbox: {}, no network", self.engine.name())?;
        writeln!(log, "  {:20} {}", "/usr, /etc", self.root.path().display())?;
        for (inside, mount) in &self.mounts {
            let kind = if mount.writable { "writable" } else { "read-only" };
            writeln!(log, "  {inside:20} {} ({kind})", mount.from.display())?;
        }
        for (name, value) in &self.environment {
            writeln!(log, "  {name}={value}")?;
        }
        Ok(())
    }

    /// Runs a command to its end, writes what it says to `log`, and shows each line to `watch`. A command that asked for
    /// the address of a host has failed, whatever it says, and so has one that goes beyond the limits: it is killed, with
    /// all that it started.
    pub fn run(&self, command: &[String], log: &mut dyn Write, watch: &mut dyn FnMut(&str)) -> Result<ExitStatus> {
        writeln!(log, "$ {}", command.join(" "))?;
        info!(target: RUN, "in a sandbox of {}: {}", self.engine.name(), command_line(command));
        let begun = Instant::now();
        let names = Names::watch(&self.scratch)?;
        let (mut output, input) = std::io::pipe()?;
        let mut started = self.command(command, &names, false)?;
        started.stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input);
        let (mut child, _keeper) = keyring::start(started).map_err(|error| self.engine.cannot_start(&error))?;
        let end = follow(&mut output, &mut child, &self.limits, log, watch);
        if !matches!(end, Ok(End::Itself)) {
            self.engine.kill(&mut child, names.directory());
            drain(&mut output)?;
        }
        let status = child.wait()?;
        info!(target: RUN, "{}: {status} after {:.1?}", short(command), begun.elapsed());
        let asked = names.stop();
        if !asked.is_empty() {
            return Err(asked_for_network(&asked, command, log));
        }
        match end?.error(&self.limits) {
            None => Ok(status),
            Some(error) => {
                writeln!(log, "{}", error.message())?;
                Err(error.fact("command", short(command)))
            }
        }
    }

    /// Whether a shell in it can stop and continue what it starts: not where that would let it type into the caller's
    /// terminal.
    #[must_use]
    pub fn gives_job_control(&self) -> bool {
        self.engine == Engine::Podman || !engine::may_push_keys()
    }

    /// Gives the sandbox to a person: the terminal is theirs until the command ends, and so is Ctrl-C.
    pub fn interact(&self, command: &[String]) -> Result<ExitStatus> {
        info!(target: RUN, "in a sandbox of {}, for a person: {}", self.engine.name(), command_line(command));
        let names = Names::watch(&self.scratch)?;
        let mut started = self.command(command, &names, true)?;
        let passed_on = self.engine == Engine::Bubblewrap && engine::own_session(true);
        if passed_on {
            // Out of the terminal's sight: its signal would end bubblewrap, and the shell with it.
            started.process_group(0);
        }
        let interrupts = Interrupts::take()?;
        let (mut child, _keeper) = keyring::start(started).map_err(|error| self.engine.cannot_start(&error))?;
        if passed_on {
            interrupts.pass_on(&child)?;
        }
        Ok(child.wait()?)
    }

    fn command(&self, command: &[String], names: &Names, interactive: bool) -> Result<Command> {
        let mut all = self.engine.start_filtered(names.directory())?;
        all.args(self.engine.arguments(self, names.directory(), interactive));
        all.args(["/bin/sh", "-c", OWN, "sh"]).args(command);
        Ok(all)
    }
}

fn asked_for_network(asked: &[String], command: &[String], log: &mut dyn Write) -> Error {
    let hosts = asked.join(", ");
    // The log is for people; the error says it too.
    let _ = writeln!(log, "it asked for the address of {hosts}");
    Error::failure(format!("the build asked for the network: it wanted the address of {hosts}"))
        .fact("command", short(command))
        .hint(
            "builds have no network. Make what it downloads an input, or switch that part off with a cmake variable in \
             the manifest",
        )
}

/// The beginning of a command, for messages.
fn short(command: &[String]) -> String {
    command.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(" ")
}
