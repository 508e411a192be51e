//! What a container is to be, in no engine's words.

use std::collections::BTreeMap;

use super::ImageRef;
use crate::error::{Error, Kind, Result};

/// A container with the GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// What it is made from.
    pub image: ImageRef,
    /// Whether it may do all that root may: the plan's form. Otherwise it gets the devices and groups below, and no more.
    pub privileged: bool,
    /// Device nodes, or directories of them.
    pub devices: Vec<String>,
    /// Groups by number or name, which own the devices; `keep-groups` for those of the caller (podman without root).
    pub groups: Vec<String>,
    /// A condition that this machine may not meet, for whoever reads the file.
    pub needs: Option<&'static str>,
    /// Who runs what it runs, as user and group by number inside; none for whoever the image says.
    pub user: Option<String>,
    /// Directories of the host that are visible inside.
    pub mounts: Vec<Mount>,
    /// Variables.
    pub env: BTreeMap<String, String>,
    /// Where commands start.
    pub directory: Option<String>,
    /// What it serves, where it is a server.
    pub server: Option<Server>,
}

/// A directory of the host that is visible inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// On the host.
    pub from: String,
    /// Inside.
    pub to: String,
    /// Whether it cannot be changed inside.
    pub read_only: bool,
}

/// llama-server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The port on the host's loopback.
    pub port: u16,
    /// The model, as a path inside.
    pub model: String,
    /// Options of this version of llama.cpp, see [`super::start`].
    pub options: Vec<String>,
}

/// Where models are inside.
pub const MODELS: &str = "/models";
/// Where llama.cpp keeps what it downloads, inside.
pub const CACHE: &str = "/cache";
/// The port inside.
pub const PORT: u16 = 8080;

impl Container {
    /// The server, for engines that keep one running.
    pub fn demand_server(&self) -> Result<&Server> {
        self.server.as_ref().ok_or_else(|| {
            Error::new(Kind::Usage, "a server needs a model")
                .hint("name the directory with --models DIR and the file in it with --model FILE")
        })
    }

    /// Checks the mounts: what no engine can be told, whatever its quoting.
    pub fn check_mounts(&self) -> Result<()> {
        for mount in &self.mounts {
            for path in [&mount.from, &mount.to] {
                if !path.starts_with('/') || path.chars().any(char::is_control) {
                    return Err(refused(path, "a path to mount is absolute and has no control characters"));
                }
            }
        }
        Ok(())
    }

    /// Refuses mounts with one of these in a path.
    pub(super) fn refuse_in_mounts(&self, pieces: &[&str], rule: &str) -> Result<()> {
        let paths = self.mounts.iter().flat_map(|mount| [&mount.from, &mount.to]);
        let model = self.server.iter().map(|server| &server.model);
        match paths.chain(model).find(|path| pieces.iter().any(|piece| path.contains(piece))) {
            Some(path) => Err(refused(path, rule)),
            None => Ok(()),
        }
    }
}

impl Server {
    /// The program and its arguments. Strix Halo needs flash attention.
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        let port = PORT.to_string();
        let words = ["llama-server", "--host", "0.0.0.0", "--port", &port, "-ngl", "999", "-fa", "1"];
        let model = ["--model".to_owned(), self.model.clone()];
        words.into_iter().map(str::to_owned).chain(self.options.iter().cloned()).chain(model).collect()
    }
}

/// An error about a path that an engine cannot be told.
pub(super) fn refused(path: &str, rule: &str) -> Error {
    let shown: String = path.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    Error::new(Kind::Usage, "this path cannot be used here").fact("path", shown).fact("rule", rule)
}
