//! Where recipes run: a root of their own, no network, a fixed environment.
//!
//! Made by bubblewrap. The root is empty but for what is bound into it; for now that is the host's own `/usr`,
//! read-only. Nothing of the caller's environment, home, network or process list is visible inside.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::error::{Error, Result};

/// What of the host's `/etc` programs need to start: links that choose a compiler, and the loader's paths.
const ETC: [&str; 4] = ["etc/alternatives", "etc/ld.so.cache", "etc/ld.so.conf", "etc/ld.so.conf.d"];

/// A sandbox to run commands in.
#[derive(Debug, Clone, Default)]
pub struct Sandbox {
    /// Directories inside and what of the host stands there.
    pub mounts: BTreeMap<String, Mount>,
    /// The whole environment.
    pub environment: BTreeMap<String, String>,
    /// Where commands start.
    pub directory: String,
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
    /// Whether sandboxes can be made here; the error says what to do where they cannot.
    pub fn check() -> Result<()> {
        let probe = Command::new("bwrap")
            .args(["--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "--", "/bin/sh", "-c", ":"])
            .stdin(Stdio::null())
            .output();
        match probe {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Err(Error::failure("bubblewrap cannot make a sandbox here").fact("bwrap says", said).hint(
                    "this kernel refuses unprivileged user namespaces. On Ubuntu 24.04 allow them for bwrap: \
                     `sudo apt-get install apparmor-profiles && sudo ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict \
                     /etc/apparmor.d/ && sudo systemctl reload apparmor`; or run as root",
                ))
            }
            Err(error) => Err(Error::failure("builds run in a sandbox made by bubblewrap, which cannot be started")
                .because(&error)
                .hint("`sudo apt-get install bubblewrap`")),
        }
    }

    /// Whether the host has the programs that builds call; the error names the packages.
    pub fn check_tools(tools: &[(&str, &str)]) -> Result<()> {
        let found = |tool: &str| ["/usr/bin", "/bin"].iter().any(|directory| Path::new(directory).join(tool).exists());
        let missing: Vec<_> = tools.iter().filter(|(tool, _)| !found(tool)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = missing.iter().map(|(tool, _)| *tool).collect();
        let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
        Err(Error::failure(format!("builds need {}, which is not in /usr/bin", names.join(", ")))
            .hint(format!("`sudo apt-get install {}`", packages.join(" "))))
    }

    /// Runs a command to its end, writes what it says to `log`, and shows each line to `watch`.
    pub fn run(&self, command: &[String], log: &mut dyn Write, watch: &mut dyn FnMut(&str)) -> Result<ExitStatus> {
        writeln!(log, "$ {}", command.join(" "))?;
        let (output, input) = std::io::pipe()?;
        let mut child = Command::new("bwrap")
            .args(self.arguments())
            .arg("--")
            .args(command)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(input.try_clone()?)
            .stderr(input)
            .spawn()
            .map_err(|error| {
                Error::failure("cannot start bubblewrap").because(&error).hint("`sudo apt-get install bubblewrap`")
            })?;
        let mut lines = BufReader::new(output);
        let mut line = Vec::new();
        loop {
            line.clear();
            // A tool may print without ever ending a line; a piece of it will do then.
            let count = std::io::Read::take(&mut lines, 64 * 1024).read_until(b'\n', &mut line)?;
            if count == 0 {
                break;
            }
            log.write_all(&line)?;
            watch(String::from_utf8_lossy(&line).trim_end());
        }
        Ok(child.wait()?)
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = [
            "--unshare-all",
            "--die-with-parent",
            "--new-session",
            "--hostname",
            "strixlock",
            "--uid",
            "1000",
            "--gid",
            "1000",
            "--clearenv",
            "--tmpfs",
            "/",
        ]
        .map(OsString::from)
        .to_vec();
        let mut add =
            |parts: &[&dyn AsRef<std::ffi::OsStr>]| arguments.extend(parts.iter().map(|part| part.as_ref().to_owned()));
        for (name, value) in &self.environment {
            add(&[&"--setenv", name, value]);
        }
        for top in ["bin", "lib", "lib32", "lib64", "libx32", "sbin", "usr"] {
            let path = Path::new("/").join(top);
            if let Ok(target) = path.read_link() {
                add(&[&"--symlink", &target, &path]);
            } else if path.is_dir() {
                add(&[&"--ro-bind", &path, &path]);
            }
        }
        for name in ETC {
            let path = Path::new("/").join(name);
            add(&[&"--ro-bind-try", &path, &path]);
        }
        add(&[&"--dev", &"/dev", &"--proc", &"/proc", &"--tmpfs", &"/tmp"]);
        for (inside, mount) in &self.mounts {
            add(&[if mount.writable { &"--bind" } else { &"--ro-bind" }, &mount.from, inside]);
        }
        add(&[&"--remount-ro", &"/", &"--chdir", &self.directory]);
        arguments
    }
}
