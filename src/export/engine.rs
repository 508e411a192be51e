//! The engines, what names each of them accepts, and what each is to be given.

use std::path::PathBuf;

use super::{Container, compose, devcontainer, distrobox, docker, llama_swap, podman, quadlet, toolbox};
use crate::error::{Error, Kind, Result};

/// A way to run a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// distrobox: a toolbox that shares your home; writes distrobox.ini
    Distrobox,
    /// toolbox: a toolbox that shares your home
    Toolbox,
    /// podman: a container that stays, to be entered
    Podman,
    /// docker: a container that stays, to be entered
    Docker,
    /// A systemd unit for llama-server, run by podman
    Quadlet,
    /// A compose file for llama-server
    Compose,
    /// A devcontainer.json for editors
    Devcontainer,
    /// A configuration of llama-swap, which starts llama-server when it is asked for
    LlamaSwap,
}

/// What is to be done for an engine, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Steps {
    /// The file to write.
    pub file: Option<NewFile>,
    /// Commands of which one succeeds where the container exists.
    pub exists: Vec<Vec<String>>,
    /// Removes a container that exists.
    pub remove: Option<Vec<String>>,
    /// Makes the container.
    pub create: Vec<Vec<String>>,
    /// What a command inside is put behind.
    pub inside: Option<Vec<String>>,
    /// What the person does next.
    pub next: Vec<Vec<String>>,
}

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Below the directory of this engine's files.
    pub name: PathBuf,
    /// Its text.
    pub text: String,
}

/// Where an engine's files belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The directory one works in.
    Workspace,
    /// Podman's directory of units, the user's or the system's.
    Units,
}

impl Engine {
    /// The name on the command line, which is also that of its program where it has one.
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

    /// Whether it keeps a llama-server running.
    #[must_use]
    pub fn is_server(self) -> bool {
        matches!(self, Self::Quadlet | Self::Compose | Self::LlamaSwap)
    }

    /// Whether your home directory is visible inside at the same place.
    #[must_use]
    pub fn shares_home(self) -> bool {
        matches!(self, Self::Distrobox | Self::Toolbox)
    }

    /// Whether a container is made now, on this machine. Otherwise a file is written for whatever machine it is used on.
    #[must_use]
    pub fn runs_now(self) -> bool {
        matches!(self, Self::Distrobox | Self::Toolbox | Self::Podman | Self::Docker)
    }

    /// Returns whether podman runs the container, with the options that are written for it.
    #[must_use]
    pub fn runs_in_podman(self) -> bool {
        matches!(self, Self::Podman | Self::Quadlet | Self::LlamaSwap)
    }

    /// Whether it looks for images where podman keeps them.
    #[must_use]
    pub fn uses_podman(self) -> bool {
        matches!(self, Self::Distrobox | Self::Toolbox | Self::Podman | Self::Quadlet | Self::LlamaSwap)
    }

    /// Where its files belong.
    #[must_use]
    pub fn place(self) -> Place {
        if self == Self::Quadlet { Place::Units } else { Place::Workspace }
    }

    /// What is to be done for a container; the error says which rule of the engine it breaks.
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
        // Toolboxes take their name as a host name, of which Linux has 64 bytes; the others are bounded by file names.
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
        let shown: String =
            name.chars().take(longest + 1).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        Err(Error::new(Kind::Usage, format!("{} refuses this name", self.name()))
            .fact("name", shown)
            .fact("rule", format!("2 to {longest} of {letters}, beginning with a letter or digit")))
    }
}

/// Words of a command.
pub(super) fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}
