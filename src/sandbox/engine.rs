//! The programs that make sandboxes: bubblewrap, or podman if the kernel refuses bubblewrap its namespaces.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Resource, getrlimit};

use super::{Root, Sandbox, calls};
use crate::error::{Error, Result};
use crate::log::running;
use crate::text::last_line;

/// The host name inside.
pub const HOST_NAME: &str = "strixlock";
/// The descriptor from which bubblewrap reads the filter.
const FILTER: &str = "3";
/// Redirections that make the standard input the line of [`super::keyring::START`].
const LINE: &str = "4<&0 </dev/null";
/// Reason why podman makes no sandbox with the host's root.
const HOST_ROOT: &str = "it would show the whole host to a build, so it can only be used with a sysroot";
/// Parts of the host's `/etc` that programs need: links that choose a compiler, and the loader's paths.
const HOST_ETC: [&str; 4] = ["etc/alternatives", "etc/ld.so.cache", "etc/ld.so.conf", "etc/ld.so.conf.d"];
/// Top-level entries of a root that are visible in a sandbox.
pub const TOP: [&str; 8] = ["bin", "etc", "lib", "lib32", "lib64", "libx32", "sbin", "usr"];

/// A program that makes sandboxes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Engine {
    /// <https://github.com/containers/bubblewrap>, as root or with user namespaces.
    #[default]
    Bubblewrap,
    /// <https://podman.io>, which may use user namespaces even on distributions that restrict them.
    Podman,
}

impl Engine {
    /// Returns the engine that can make this sandbox. If there is none, the error has a hint.
    pub fn find(sandbox: &Sandbox) -> Result<Self> {
        Self::choose(|| match sandbox.root {
            Root::Host => Err(HOST_ROOT.to_owned()),
            Root::Tree(_) => try_out(&Sandbox { engine: Self::Podman, ..sandbox.clone() }),
        })
    }

    /// Returns the engine that [`Self::find`] would probably return, before there is a sandbox to try out. Fails if no
    /// engine can work.
    pub fn demand(own_root: bool) -> Result<Self> {
        let here = || {
            let mut podman = Self::Podman.start();
            let said = running(podman.args(["info", "--format", "{{.Host.OCIRuntime.Name}}"])).output();
            let said = said.map_err(|error| error.to_string())?;
            if said.status.success() { Ok(()) } else { Err(last_line(&said.stderr)) }
        };
        Self::choose(|| if own_root { here() } else { Err(HOST_ROOT.to_owned()) })
    }

    /// Returns bubblewrap if it works, otherwise podman if that works.
    fn choose(podman: impl FnOnce() -> Result<(), String>) -> Result<Self> {
        let mut probe = Self::Bubblewrap.start();
        probe.args([
            "--unshare-all",
            "--unshare-user",
            "--die-with-parent",
            "--ro-bind",
            "/",
            "/",
            "--proc",
            "/proc",
            "--",
            "/bin/sh",
            "-c",
            ":",
        ]);
        let probe = running(&mut probe).stdin(Stdio::null()).output();
        if probe.as_ref().is_ok_and(|output| output.status.success()) {
            return Ok(Self::Bubblewrap);
        }
        let Err(refused) = podman() else { return Ok(Self::Podman) };
        let cannot = |output: &Output| {
            Error::failure("bubblewrap cannot make a sandbox here").fact("bwrap says", last_line(&output.stderr))
        };
        let error = match probe {
            Ok(output) if last_line(&output.stderr).contains("mount proc") => cannot(&output).hint(
                "/proc is partly covered here, as in containers: make the container with `podman run --security-opt \
                 unmask=ALL` or `docker run --security-opt systempaths=unconfined`",
            ),
            Ok(output) => cannot(&output).hint(
                "this kernel refuses unprivileged user namespaces. On Ubuntu 24.04, allow them for bwrap: \
                     `sudo apt-get install apparmor-profiles && \
                     sudo ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/ && \
                     sudo systemctl reload apparmor`; or install podman, which may use them, and give the output a \
                     sysroot in the manifest; or run as root",
            ),
            Err(error) => Self::Bubblewrap.cannot_start(&error),
        };
        Err(error.fact("podman", refused))
    }

    /// Returns the name for messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bubblewrap => "bubblewrap",
            Self::Podman => "podman",
        }
    }

    /// Returns the command for the program, without the caller's environment except for variables that it needs itself,
    /// and without open files that we inherited.
    pub(super) fn start(self) -> Command {
        self.start_as(self.program())
    }

    fn start_as(self, program: &str) -> Command {
        // Our own files are close-on-exec already. Inherited ones may not be.
        close_fds::set_fds_cloexec_threadsafe(3, &[]);
        let mut command = Command::new(program);
        command.env_clear();
        command.envs(self.passes().iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command
    }

    /// Returns the command for the program with the filter of system calls, which is stored in `names`: bubblewrap
    /// reads it from a descriptor that a shell opens, podman from its path. With `line` the standard input of bubblewrap is
    /// the line on which the sandbox waits for the word to start.
    pub(super) fn start_filtered(self, names: &Path, line: bool) -> Result<Command> {
        let path = filter(names);
        match self {
            Self::Bubblewrap => {
                fs_err::write(&path, calls::program()?)?;
                let mut command = self.start_as("/bin/sh");
                let line = if line { LINE } else { "" };
                command.args(["-c", &format!("exec {FILTER}<\"$0\" {line} \"$@\"")]).arg(path).arg(self.program());
                Ok(command)
            }
            Self::Podman => {
                fs_err::write(&path, calls::profile())?;
                Ok(self.start())
            }
        }
    }

    /// Kills a sandbox with everything in it. `names` is the directory of its name service.
    pub(super) fn kill(self, child: &mut Child, names: &Path) {
        if self == Self::Podman {
            // The container's processes are not children of podman.
            let mut remove = self.start();
            remove.args(["rm", "--force", "--time=0"]).arg(container(names));
            let _ = running(&mut remove).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
        // The first process of the namespace dies with bubblewrap, and all others with that.
        let _ = child.kill();
    }

    fn program(self) -> &'static str {
        match self {
            Self::Bubblewrap => "bwrap",
            Self::Podman => "podman",
        }
    }

    pub(super) fn cannot_start(self, error: &std::io::Error) -> Error {
        Error::failure(format!("cannot start {}, which makes the sandbox for builds", self.name()))
            .because(error)
            .hint(format!("`sudo apt-get install {}`", self.name()))
    }

    /// Returns the variables that the program itself needs.
    fn passes(self) -> &'static [&'static str] {
        match self {
            Self::Bubblewrap => &["PATH"],
            Self::Podman => {
                &["PATH", "HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "CONTAINERS_CONF", "TMPDIR"]
            }
        }
    }

    /// Returns the arguments up to the command. `names` is the directory of the name service.
    pub(super) fn arguments(self, sandbox: &Sandbox, names: &Path, interactive: bool) -> Vec<OsString> {
        match self {
            Self::Bubblewrap => bubblewrap(sandbox, names, interactive),
            Self::Podman => podman(sandbox, names, interactive),
        }
    }
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn add(&mut self, parts: &[&dyn AsRef<OsStr>]) {
        self.0.extend(parts.iter().map(|part| part.as_ref().to_owned()));
    }
}

fn bubblewrap(sandbox: &Sandbox, names: &Path, interactive: bool) -> Vec<OsString> {
    let mut all = Arguments::default();
    all.add(&[&"--unshare-all", &"--die-with-parent", &"--hostname", &HOST_NAME]);
    all.add(&[&"--uid", &"1000", &"--gid", &"1000", &"--clearenv", &"--tmpfs", &"/", &"--seccomp", &FILTER]);
    if own_session(interactive) {
        all.add(&[&"--new-session"]);
    }
    for (name, value) in &sandbox.environment {
        all.add(&[&"--setenv", name, value]);
    }
    let root = sandbox.root.path();
    for top in TOP {
        let (there, inside) = (root.join(top), Path::new("/").join(top));
        if let Ok(target) = there.read_link() {
            all.add(&[&"--symlink", &target, &inside]);
        } else if there.is_dir() && !(top == "etc" && matches!(sandbox.root, Root::Host)) {
            all.add(&[&"--ro-bind", &there, &inside]);
        }
    }
    if matches!(sandbox.root, Root::Host) {
        for name in HOST_ETC {
            let path = Path::new("/").join(name);
            all.add(&[&"--ro-bind-try", &path, &path]);
        }
    }
    all.add(&[&"--dev", &"/dev", &"--proc", &"/proc", &"--tmpfs", &"/tmp"]);
    for device in &sandbox.devices {
        all.add(&[&"--dev-bind", device, device]);
    }
    if !sandbox.devices.is_empty() {
        all.add(&[&"--ro-bind", &"/sys", &"/sys"]);
    }
    // If we are root, we own the kernel's settings there, and still do in a user namespace.
    for setting in ["/proc/sys", "/proc/sysrq-trigger"] {
        all.add(&[&"--ro-bind-try", &setting, &setting]);
    }
    // These list the caller's keys, which no namespace hides.
    for list in ["/proc/keys", "/proc/key-users"].into_iter().filter(|list| Path::new(list).exists()) {
        all.add(&[&"--ro-bind", &"/dev/null", &list]);
    }
    all.add(&[&"--dir", &"/var", &"--symlink", &"/run", &"/var/run", &"--ro-bind", &names, &"/run/nscd"]);
    for (inside, mount) in &sandbox.mounts {
        all.add(&[if mount.writable { &"--bind" } else { &"--ro-bind" }, &mount.from, inside]);
    }
    all.add(&[&"--remount-ro", &"/", &"--chdir", &sandbox.directory, &"--"]);
    all.0
}

/// Returns whether a sandbox gets a session without the caller's terminal, so that programs cannot push keys into that.
/// A shell then has no job control.
pub(super) fn own_session(interactive: bool) -> bool {
    !interactive || may_push_keys() || !std::io::IsTerminal::is_terminal(&std::io::stdin())
}

/// Returns whether a program can put keys into its terminal as if they were typed (`TIOCSTI`): always before Linux 6.2,
/// since then if a setting allows it.
pub(super) fn may_push_keys() -> bool {
    std::fs::read_to_string("/proc/sys/dev/tty/legacy_tiocsti").map_or(true, |text| text.trim() != "0")
}

/// Returns the name of the container: that of its name service's directory, which is unique to a sandbox.
fn container(names: &Path) -> &OsStr {
    names.file_name().unwrap_or_default()
}

/// Returns the path of the filter of system calls. It is removed with the name service's directory, and read-only
/// inside.
fn filter(names: &Path) -> PathBuf {
    names.join("filter")
}

/// Tries a command in a sandbox. The error is one line.
fn try_out(sandbox: &Sandbox) -> Result<(), String> {
    let mut log = Vec::new();
    match sandbox.run(&["true".to_owned()], &mut log, &mut |_| {}) {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(last_line(&log)),
        Err(error) => Err(error.message().to_owned()),
    }
}

fn podman(sandbox: &Sandbox, names: &Path, interactive: bool) -> Vec<OsString> {
    let mut all = Arguments::default();
    all.add(&[&"run", &"--rm", &"--network=none", &"--hostname", &HOST_NAME, &"--read-only", &"--no-hosts"]);
    let mut refused = OsString::from("--security-opt=seccomp=");
    refused.push(filter(names));
    all.add(&[&"--name", &container(names), &"--security-opt=mask=/sys", &refused]);
    all.add(&[&"--http-proxy=false", &"--security-opt=label=disable", &"--pids-limit=-1", &"--log-driver=none"]);
    // Podman would raise these limits, which fails if it runs in a container itself.
    for (name, kind, most) in [("nofile", Resource::Nofile, 1 << 20), ("nproc", Resource::Nproc, 1 << 14)] {
        let limit = getrlimit(kind).maximum.unwrap_or(most).min(most);
        all.add(&[&"--ulimit", &format!("{name}={limit}:{limit}")]);
    }
    // The caller is user 1000 inside, as with bubblewrap. For root, podman needs explicit maps.
    if rustix::process::geteuid().is_root() {
        for kind in ["--uidmap", "--gidmap"] {
            for map in ["1000:0:1", "0:1:1000", "1001:1001:64535"] {
                all.add(&[&kind, &map]);
            }
        }
        all.add(&[&"--user=1000:1000"]);
    } else {
        all.add(&[&"--userns=keep-id:uid=1000,gid=1000"]);
    }
    if interactive {
        all.add(&[&"--interactive"]);
        if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
            all.add(&[&"--tty"]);
        }
    }
    let volume = |from: &Path, to: &str, kind: &str| {
        let mut text = from.as_os_str().to_owned();
        text.push(format!(":{to}:{kind}"));
        text
    };
    all.add(&[&"--tmpfs=/tmp", &"--volume", &volume(names, "/run/nscd", "ro")]);
    for (inside, mount) in &sandbox.mounts {
        all.add(&[&"--volume", &volume(&mount.from, inside, if mount.writable { "rw" } else { "ro" })]);
    }
    for device in &sandbox.devices {
        all.add(&[&"--device", device]);
    }
    if !sandbox.devices.is_empty() {
        // Access comes from the caller's supplementary groups, which a user namespace would drop.
        all.add(&[&"--group-add=keep-groups"]);
    }
    let mut root = sandbox.root.path().as_os_str().to_owned();
    // With an overlay, mount points can be created and the tree stays unchanged.
    root.push(":O");
    all.add(&[&"--workdir", &sandbox.directory, &"--rootfs", &root, &"/usr/bin/env", &"-i"]);
    for (name, value) in &sandbox.environment {
        all.add(&[&format!("{name}={value}")]);
    }
    all.0
}
