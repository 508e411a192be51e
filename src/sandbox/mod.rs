//! Sandboxes in which recipes run: a root of their own, no network, a fixed environment.
//!
//! Inside are only the root (a pinned tree, or else the host's own `/usr`), the mounts, `/proc`, a minimal `/dev` and
//! an empty `/tmp`. The host provides the kernel. Its environment, home, network, names, users and processes are not
//! visible.
//!
//! An [`Engine`] makes the sandbox: bubblewrap, or podman if bubblewrap may not create namespaces. The sandbox has its
//! own session keyring (see `keyring`), and refuses system calls that no build needs (see `calls`). Look-ups of hosts
//! fail inside, and their names are recorded (see `name_service`).

mod calls;
mod engine;
mod follow;
mod interrupt;
mod keyring;
mod name_service;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use tracing::info;

use crate::error::{Error, Result};
use crate::log::RUN;
use crate::text::command_line;

pub use engine::{Engine, HOST_NAME, TOP};
pub use follow::Limits;
use follow::{End, drain, follow};
use interrupt::Interrupts;
pub use interrupt::has_interrupts;
use name_service::NameService;

/// Script that resets the umask and limits, which would otherwise be inherited: no core files, and the usual numbers of
/// open files and bytes of stack. Lower limits of the caller stay.
const RESET_LIMITS: &str =
    "umask 022; ulimit -c 0; ulimit -n 1024 2>/dev/null; ulimit -s 8192 2>/dev/null; exec \"$@\"";

/// A sandbox to run commands in.
#[derive(Debug, Clone, Default)]
pub struct Sandbox {
    /// The program that makes the sandbox.
    pub engine: Engine,
    /// Source of `/usr`, `/etc` and the links into them.
    pub root: Root,
    /// Directories inside, with the mounted files of the host.
    pub mounts: BTreeMap<String, Mount>,
    /// The whole environment.
    pub environment: BTreeMap<String, String>,
    /// Working directory of commands.
    pub directory: String,
    /// A directory of the host for temporary files of the sandbox itself.
    pub scratch: PathBuf,
    /// Limits for each command.
    pub limits: Limits,
    /// Further device nodes of the host. With any, `/sys` is visible too: ROCm reads the properties of devices there.
    pub devices: Vec<PathBuf>,
}

/// The root of a sandbox.
#[derive(Debug, Clone, Default)]
pub enum Root {
    /// The host's own `/usr`. Results depend on the host.
    #[default]
    Host,
    /// A tree, such as the output of a `sysroot` recipe.
    Tree(PathBuf),
}

impl Root {
    /// Returns the root's path on the host.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Host => Path::new("/"),
            Self::Tree(path) => path,
        }
    }

    /// Returns whether the root has this file.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.path().join(path).symlink_metadata().is_ok()
    }
}

/// A directory of the host that is visible inside.
#[derive(Debug, Clone)]
pub struct Mount {
    /// The path on the host.
    pub from: PathBuf,
    /// True if commands can write to it.
    pub writable: bool,
}

impl Sandbox {
    /// Fails if the root lacks programs that a build calls. Each program comes with the name of its package, for the
    /// hint.
    pub fn demand_programs(&self, programs: &[(&str, &str)]) -> Result<()> {
        let missing: Vec<_> =
            programs.iter().filter(|(program, _)| !self.root.has(&format!("usr/bin/{program}"))).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = missing.iter().map(|(program, _)| *program).collect();
        let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
        let error = Error::failure(format!("missing from /usr/bin, required by builds: {}", names.join(", ")));
        Err(match &self.root {
            Root::Host => error.hint(format!("`sudo apt-get install {}`", packages.join(" "))),
            Root::Tree(path) => error
                .fact("sysroot", path.display())
                .hint(format!("add {} to the packages of the sysroot in the manifest", packages.join(", "))),
        })
    }

    /// Writes a description of the sandbox into a log.
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

    /// Runs a command to its end, writes its output to `log`, and passes each line to `watch`. Fails if the command
    /// looked up a host, whatever its exit code is. A command that exceeds the limits fails too, and is killed with
    /// everything that it started.
    pub fn run(&self, command: &[String], log: &mut dyn Write, watch: &mut dyn FnMut(&str)) -> Result<ExitStatus> {
        writeln!(log, "$ {}", command.join(" "))?;
        info!(target: RUN, "in a sandbox of {}: {}", self.engine.name(), command_line(command));
        let begun = Instant::now();
        let names = NameService::start(&self.scratch)?;
        let (mut output, input) = std::io::pipe()?;
        let mut started = self.command(command, &names, false)?;
        started.stdout(input.try_clone()?).stderr(input);
        let line = if self.waits(false) {
            let (line, inside) = UnixStream::pair()?;
            started.stdin(OwnedFd::from(inside));
            Some(line)
        } else {
            started.stdin(Stdio::null());
            None
        };
        let (mut child, _keeper) = keyring::start(started, line).map_err(|error| self.engine.cannot_start(&error))?;
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

    /// Returns whether a shell in the sandbox can have job control. It cannot if that would let it type into the
    /// caller's terminal.
    #[must_use]
    pub fn gives_job_control(&self) -> bool {
        self.engine == Engine::Podman || !engine::may_push_keys()
    }

    /// Runs an interactive command: the terminal and Ctrl-C belong to it until it ends.
    pub fn interact(&self, command: &[String]) -> Result<ExitStatus> {
        info!(target: RUN, "in a sandbox of {}, for a person: {}", self.engine.name(), command_line(command));
        let names = NameService::start(&self.scratch)?;
        let mut started = self.command(command, &names, true)?;
        let passed_on = self.engine == Engine::Bubblewrap && engine::own_session(true);
        if passed_on {
            // In the terminal's foreground group, its signal would end bubblewrap, and the shell with it.
            started.process_group(0);
        }
        let interrupts = Interrupts::take()?;
        let (mut child, _keeper) = keyring::start(started, None).map_err(|error| self.engine.cannot_start(&error))?;
        if passed_on {
            interrupts.pass_on(&child)?;
        }
        Ok(child.wait()?)
    }

    fn command(&self, command: &[String], names: &NameService, interactive: bool) -> Result<Command> {
        let waits = self.waits(interactive);
        let mut all = self.engine.start_filtered(names.directory(), waits)?;
        all.args(self.engine.arguments(self, names.directory(), interactive));
        let script = format!("{}{RESET_LIMITS}", if waits { keyring::START } else { "" });
        all.args(["/bin/sh", "-c", &script, "sh"]).args(command);
        Ok(all)
    }

    /// Returns true if the sandbox waits for the word to start. A shell for a person ends with the person's terminal, and
    /// podman's containers are not bound to this process.
    fn waits(&self, interactive: bool) -> bool {
        self.engine == Engine::Bubblewrap && !interactive
    }
}

fn asked_for_network(asked: &[String], command: &[String], log: &mut dyn Write) -> Error {
    let hosts = asked.join(", ");
    // If this fails, the error still says it.
    let _ = writeln!(log, "it looked up the address of {hosts}");
    Error::failure(format!("the build tried to use the network: it looked up {hosts}"))
        .fact("command", short(command))
        .hint(
            "builds have no network. Make the download an input, or switch that part off with a cmake variable in the \
             manifest",
        )
}

/// Returns the first words of a command, for messages.
fn short(command: &[String]) -> String {
    command.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(" ")
}
