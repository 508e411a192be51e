//! What keeps a machine from doing the job, why, and the command that mends it.
//!
//! Judgement without looking: [`examine`] is a function of facts ([`Host`]) and [`Surroundings`], so that a test can be any
//! machine. What is known of kernels and firmware is data, `known.toml`; other thresholds stand with the checks that
//! use them, each with its reason.

mod builds;
mod devices;
mod firmware;
mod kernel;
mod known;
mod memory;
mod proxy;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::error::Error;
use crate::host::{Distribution, Host};
use crate::sandbox::Engine;

pub use proxy::VARIABLES as PROXY_VARIABLES;

/// The GPU of Strix Halo, which the project is for.
const STRIX_HALO: &str = "gfx1151";

/// What is known of a machine besides its own files.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// What makes sandboxes here, or why nothing does; absent where that was not tried.
    pub sandbox: Option<Result<Engine, Error>>,
    /// The outputs of the manifest that are built in the host's own root, for want of a sysroot; absent where there is no manifest.
    pub without_sysroot: Option<Vec<String>>,
    /// The disk that the store is on.
    pub disk: Option<Disk>,
    /// The variables of the environment that name proxies.
    pub proxies: BTreeMap<String, String>,
}

/// Space on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The store, or where it would be.
    pub store: PathBuf,
    /// Bytes that are free for us.
    pub free: u64,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in one word.
    pub check: &'static str,
    /// How it is.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// Why that matters.
    pub why: Option<String>,
    /// The command that mends it.
    pub mend: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Good,
    /// It works, but not as well as it could, or cannot be told.
    Advice,
    /// It does not work.
    Bad,
}

impl Finding {
    fn new(check: &'static str, level: Level, found: impl Into<String>) -> Self {
        Self { check, level, found: found.into(), why: None, mend: None }
    }

    fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Level::Good, found)
    }

    fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }
}

/// Judges a machine. The order of the findings is fixed.
#[must_use]
pub fn examine(host: &Host, surroundings: &Surroundings) -> Vec<Finding> {
    let mut findings: Vec<Finding> = kernel::check(host).into_iter().chain([firmware::check(host)]).collect();
    findings.extend(devices::check(host));
    findings.extend(memory::check(host));
    findings.extend(builds::sandbox(host, surroundings));
    findings.extend(builds::disk(surroundings));
    findings.extend(proxy::check(surroundings));
    findings
}

/// A command for the machine itself: in a container, it has to be given outside.
fn on_the_machine(host: &Host, command: &str) -> String {
    if host.container.is_some() { format!("outside the container: {command}") } else { command.to_owned() }
}

/// The command that installs packages, where the distribution is known.
fn install(host: &Host, packages: [&str; 3]) -> Option<String> {
    let [apt, dnf, pacman] = packages;
    let command = match host.distribution {
        Distribution::Ubuntu | Distribution::Debian => format!("sudo apt-get install {apt}"),
        Distribution::Fedora => format!("sudo dnf install {dnf}"),
        Distribution::Arch => format!("sudo pacman -S {pacman}"),
        Distribution::Other => return None,
    };
    Some(on_the_machine(host, &command))
}

#[cfg(test)]
mod tests;
