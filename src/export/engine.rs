//! Engines, the container names that each accepts, and the steps for each.

use std::path::PathBuf;

use super::{Container, compose, devcontainer, distrobox, docker, llama_swap, podman, quadlet, toolbox};
use crate::error::{Error, Kind, Result};
use crate::text::visible;

/// A program that creates or runs containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerEngine {
    /// distrobox: shares the home directory; configured by distrobox.ini.
    Distrobox,
    /// toolbox: shares the home directory.
    Toolbox,
    /// podman: a container that keeps running, to be entered.
    Podman,
    /// docker: a container that keeps running, to be entered.
    Docker,
    /// A systemd unit for llama-server, run by podman.
    Quadlet,
    /// A compose file for llama-server.
    Compose,
    /// A devcontainer.json for editors.
    Devcontainer,
    /// A configuration for llama-swap, which starts llama-server on demand.
    LlamaSwap,
}

/// Files and commands for an engine, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Steps {
    /// File to write.
    pub file: Option<NewFile>,
    /// Commands of which one succeeds if the container exists.
    pub exists: Vec<Vec<String>>,
    /// Command that removes an existing container.
    pub remove: Option<Vec<String>>,
    /// Commands that create the container.
    pub create: Vec<Vec<String>>,
    /// Prefix of a command that runs inside.
    pub inside: Option<Vec<String>>,
    /// Commands for the user to run next.
    pub next: Vec<Vec<String>>,
}

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Path below the directory of this engine's files.
    pub name: PathBuf,
    /// Text of the file.
    pub text: String,
}

/// Kind of directory that an engine's files belong in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileLocation {
    /// Working directory of the user.
    Workspace,
    /// Directory of units that podman reads, the user's or the system's.
    Units,
}

impl ContainerEngine {
    /// Returns the name on the command line, which is also that of the engine's program, if it has one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Distrobox => "distrobox",
            Self::Toolbox => "toolbox",
            Self::Podman => "podman",
            Self::Docker => "docker",
            Self::Quadlet => "quadlet",
            Self::Compose => "compose",
            Self::Devcontainer => "devcontainer",
            Self::LlamaSwap => "llama-swap",
        }
    }

    /// Returns true if the engine runs a llama-server.
    #[must_use]
    pub fn is_server(self) -> bool {
        matches!(self, Self::Quadlet | Self::Compose | Self::LlamaSwap)
    }

    /// Returns true if the home directory is visible inside at the same path.
    #[must_use]
    pub fn shares_home(self) -> bool {
        matches!(self, Self::Distrobox | Self::Toolbox)
    }

    /// Returns true if a container is created now, on this machine. Otherwise a file is written, maybe for another
    /// machine.
    #[must_use]
    pub fn runs_now(self) -> bool {
        matches!(self, Self::Distrobox | Self::Toolbox | Self::Podman | Self::Docker)
    }

    /// Returns whether podman runs the container, with the options that are written for it.
    #[must_use]
    pub fn runs_in_podman(self) -> bool {
        matches!(self, Self::Podman | Self::Quadlet | Self::LlamaSwap)
    }

    /// Returns true if the engine uses podman's image storage.
    #[must_use]
    pub fn uses_podman(self) -> bool {
        matches!(self, Self::Distrobox | Self::Toolbox | Self::Podman | Self::Quadlet | Self::LlamaSwap)
    }

    /// Returns the kind of directory for the engine's files.
    #[must_use]
    pub fn file_location(self) -> FileLocation {
        if self == Self::Quadlet { FileLocation::Units } else { FileLocation::Workspace }
    }

    /// Returns the steps for a container. Fails with the rule of the engine that the container breaks.
    pub fn steps(self, container: &Container) -> Result<Steps> {
        self.check_name(&container.name)?;
        container.check_mounts()?;
        match self {
            Self::Distrobox => distrobox::steps(container),
            Self::Toolbox => toolbox::steps(container),
            Self::Podman => Ok(podman::steps(container)),
            Self::Docker => Ok(docker::steps(container)),
            Self::Quadlet => quadlet::steps(container),
            Self::Compose => compose::steps(container),
            Self::Devcontainer => devcontainer::steps(container),
            Self::LlamaSwap => llama_swap::steps(container),
        }
    }

    fn check_name(self, name: &str) -> Result<()> {
        // A toolbox uses its name as host name, which Linux limits to 64 bytes; the others are limited by file names.
        let longest = if self.shares_home() { 63 } else { 200 };
        let letter = |byte: u8| match self {
            Self::Compose => byte.is_ascii_lowercase() || byte.is_ascii_digit(),
            _ => byte.is_ascii_alphanumeric(),
        };
        let other: &[u8] = if self == Self::Compose { b"_-" } else { b"_.-" };
        let fits = (2..=longest).contains(&name.len())
            && name.bytes().next().is_some_and(letter)
            && name.bytes().all(|byte| letter(byte) || other.contains(&byte));
        if fits {
            return Ok(());
        }
        let letters = if self == Self::Compose { "a-z, 0-9, _ and -" } else { "a-z, A-Z, 0-9, _, . and -" };
        let shown: String = visible(name).chars().take(longest + 1).collect();
        Err(Error::new(Kind::Usage, format!("invalid container name for {}", self.name()))
            .fact("name", shown)
            .fact("rule", format!("2 to {longest} of {letters}, beginning with a letter or digit")))
    }
}

/// Returns the words of a command.
pub(super) fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}
