//! Repositories that are reached by ssh, through the user's own program with its configuration, agent and known hosts.
//!
//! The program and its option syntax are chosen as git does: `GIT_SSH_COMMAND`, `core.sshCommand`, `GIT_SSH`, else
//! `ssh`. Without a terminal it is told not to prompt.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::address::SshAddress;
use super::program::{LastWords, Server, at_terminal};
use super::session::Session;
use super::ssh_refusal;
use crate::error::{Error, Kind, Result};
use crate::host::on_path;
use crate::log::running;
use crate::text::shell_word;

/// A repository on another host.
pub(super) struct Ssh(pub SshAddress);

/// Time for a program to show that it knows OpenSSH's options.
const PROBE: Duration = Duration::from_secs(10);

/// The chosen ssh program.
enum Chosen {
    /// A shell command, and the name of the setting that it comes from.
    Line(String, &'static str),
    /// An executable.
    File(PathBuf),
}

/// The option syntax of an ssh program.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    OpenSsh,
    Plink,
    /// Takes a host and a command, and no options.
    Simple,
}

impl Chosen {
    fn find(session: &Session) -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(line) = variable("GIT_SSH_COMMAND") {
            return Ok(Self::Line(line, "GIT_SSH_COMMAND"));
        }
        if let Some(line) = session.config.get("core.sshcommand") {
            return Ok(Self::Line(line.to_owned(), "core.sshCommand"));
        }
        if let Some(file) = variable("GIT_SSH") {
            return Ok(Self::File(PathBuf::from(file)));
        }
        on_path("ssh").find(|path| path.is_absolute()).map(Self::File).ok_or_else(|| {
            Error::new(Kind::Unreachable, "this repository is reached by ssh, which is not installed").hint(
                "install it (`apt install openssh-client`, `dnf install openssh-clients`), or name another program in \
                 GIT_SSH_COMMAND",
            )
        })
    }

    /// Returns the command that a user would type.
    fn shown(&self) -> String {
        match self {
            Self::Line(line, _) => line.clone(),
            Self::File(path) => match path.file_name().and_then(|name| name.to_str()) {
                Some("ssh") => "ssh".to_owned(),
                _ => shell_word(&path.to_string_lossy()),
            },
        }
    }

    fn command(&self) -> Command {
        match self {
            Self::Line(line, _) => {
                let mut command = Command::new("sh");
                command.arg("-c").arg(format!("{line} \"$@\"")).arg(line);
                command
            }
            Self::File(path) => Command::new(path),
        }
    }

    /// Finds out the option syntax: from a setting, from the program's name, or by trying an option of OpenSSH.
    fn variant(&self, session: &Session) -> Variant {
        let said = std::env::var("GIT_SSH_VARIANT").ok().filter(|value| !value.is_empty());
        let said = said.or_else(|| session.config.get("ssh.variant").map(str::to_owned));
        let line = match self {
            Self::Line(line, _) => OsString::from(line.split_whitespace().next().unwrap_or_default()),
            Self::File(path) => path.clone().into_os_string(),
        };
        let name = Path::new(&line).file_name().and_then(|name| name.to_str()).unwrap_or_default().to_lowercase();
        let said = said.filter(|said| said != "auto");
        match (said.as_deref(), name.trim_end_matches(".exe")) {
            (Some("simple"), _) => Variant::Simple,
            (Some("plink" | "putty" | "tortoiseplink"), _) | (None, "plink" | "putty" | "tortoiseplink") => {
                Variant::Plink
            }
            (Some(_), _) | (None, "ssh") => Variant::OpenSsh,
            (None, _) => self.probe(session),
        }
    }

    fn probe(&self, session: &Session) -> Variant {
        let mut command = self.command();
        command.args(["-G", "host"]).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        running(command.as_std_mut());
        let started = session.exchange.start(&mut command);
        let ended = started.ok().and_then(|mut child| session.exchange.within(PROBE, async { child.wait().await }));
        if matches!(ended, Some(Ok(status)) if status.success()) { Variant::OpenSsh } else { Variant::Simple }
    }
}

impl Server for Ssh {
    fn command(&self, session: &Session) -> Result<Command> {
        let chosen = Chosen::find(session)?;
        let variant = chosen.variant(session);
        let mut command = chosen.command();
        match variant {
            Variant::OpenSsh if !at_terminal() => _ = command.args(["-o", "BatchMode=yes"]),
            Variant::Plink if !at_terminal() => _ = command.arg("-batch"),
            _ => {}
        }
        if let Some(port) = self.0.port {
            let option = match variant {
                Variant::OpenSsh => "-p",
                Variant::Plink => "-P",
                Variant::Simple => {
                    return Err(Error::new(Kind::Unreachable, "the program in place of ssh takes no port")
                        .fact("program", chosen.shown())
                        .hint("if it does, set `GIT_SSH_VARIANT=ssh`"));
                }
            };
            command.arg(option).arg(port.to_string());
        }
        command.arg(&self.0.destination).arg(format!("git-upload-pack {}", quoted(&self.0.path)));
        // Otherwise the server could answer in another version of the protocol.
        command.env_remove("GIT_PROTOCOL");
        Ok(command)
    }

    fn name(&self) -> &'static str {
        "ssh"
    }

    fn may_ask(&self) -> Option<String> {
        Some(format!("asking {} with ssh", self.0.destination))
    }

    fn explain(&self, session: &Session, words: &LastWords) -> Error {
        let chosen = match Chosen::find(session) {
            Ok(chosen) => chosen,
            Err(missing) => return missing,
        };
        let port = self.0.port.map(|port| format!(" -p {port}")).unwrap_or_default();
        let by_hand = format!("{}{port} {}", chosen.shown(), self.0.destination);
        let named_in = if let Chosen::Line(_, place) = chosen { Some(place) } else { None };
        ssh_refusal::explain(words, &self.0, &by_hand, named_in)
    }
}

/// Quotes a path for the server's shell. The form is git's own: some servers recognize git's commands by it.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''").replace('!', r"'\!'"))
}
