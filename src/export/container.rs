//! Description of a container, independent of the engine.

use std::collections::BTreeMap;

use super::ImageRef;
use super::inside::Wanting;
use crate::error::{Error, Kind, Result};
use crate::llama_source::Options;
use crate::text::visible;

/// A container with the GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Name.
    pub name: String,
    /// Image that it is created from.
    pub image: ImageRef,
    /// True to grant all rights, as the shell-script plan does. Otherwise it gets only the devices and groups below.
    pub privileged: bool,
    /// Device nodes, or directories of device nodes.
    pub devices: Vec<String>,
    /// Groups that own the devices, by number or name; `keep-groups` for those of the caller (podman without root).
    pub groups: Vec<String>,
    /// A condition that this machine may not meet, for whoever reads the file.
    pub needs: Option<&'static str>,
    /// User and group for its program, by number inside. `None` for the image's own.
    pub user: Option<String>,
    /// Directories of the host that are visible inside.
    pub mounts: Vec<Mount>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Working directory.
    pub directory: Option<String>,
    /// Server to run, if any.
    pub server: Option<Server>,
    /// Programs to look for inside.
    pub programs: Vec<Wanting>,
}

/// A directory of the host that is visible inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Path on the host.
    pub from: String,
    /// Path inside.
    pub to: String,
    /// True if it is read-only inside.
    pub read_only: bool,
}

/// A llama-server to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Port on the host's loopback.
    pub port: u16,
    /// Path of the model inside.
    pub model: String,
    /// Options that its llama-server has.
    pub options: Options,
}

/// Directory of models inside.
pub const MODELS: &str = "/models";
/// Directory of llama.cpp's own downloads inside.
pub const CACHE: &str = "/cache";
/// Port of the server inside.
pub const PORT: u16 = 8080;

impl Container {
    /// Returns the server, for engines that run one. Fails if there is none.
    pub fn demand_server(&self) -> Result<&Server> {
        self.server.as_ref().ok_or_else(|| {
            Error::new(Kind::Usage, "a server needs a model")
                .hint("name the directory with --models DIR and the file in it with --model FILE")
        })
    }

    /// Fails for mounts that no engine can express, whatever its quoting.
    pub fn check_mounts(&self) -> Result<()> {
        for mount in &self.mounts {
            for path in [&mount.from, &mount.to] {
                if !path.starts_with('/') || path.chars().any(char::is_control) {
                    return Err(refused(path, "a mounted path must be absolute and without control characters"));
                }
            }
        }
        Ok(())
    }

    /// Fails if the path of a mount or the model contains one of `pieces`.
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
    /// Returns the program and its arguments.
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        super::start::server(&self.options, &self.model)
    }
}

/// Returns the error for a path that an engine cannot express.
pub(super) fn refused(path: &str, rule: &str) -> Error {
    Error::new(Kind::Usage, "the engine cannot use this path").fact("path", visible(path)).fact("rule", rule)
}
