//! Problems of a machine: what is wrong, why it matters, and the command that fixes it.
//!
//! [`examine`] reads nothing itself. It judges facts ([`Host`]) and [`Surroundings`], so that a test can describe any
//! machine. Bad kernels and firmware are advisories; every other threshold is a constant beside its check,
//! with a reason.

mod builds;
mod devices;
mod firmware;
mod git;
mod kernel;
mod keys;
mod memory;
mod network;
mod proxy;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::advisories::Advisory;
use crate::error::Error;
use crate::host::{Distribution, Host};
use crate::inputs::debs::KeyPlace;
use crate::lock::Advice;
use crate::sandbox::Engine;

pub use git::MergeDriver;
pub use network::{Network, Server};
pub use proxy::VARIABLES as PROXY_VARIABLES;

/// The GPU of Strix Halo, the project's target.
const STRIX_HALO: &str = "gfx1151";

/// Facts about a machine that are not in its own files.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The engine that makes sandboxes here, or the reason that none does; absent if this was not tried.
    pub sandbox: Option<Result<Engine, Error>>,
    /// The outputs of the manifest that are built in the host's own root because they have no sysroot; absent without
    /// a manifest.
    pub without_sysroot: Option<Vec<String>>,
    /// The programs that these builds call and that are missing from `/usr/bin`, each with its package of Debian.
    pub missing_programs: Vec<(&'static str, &'static str)>,
    /// The place of the keys for each input of the manifest with packages, or the reason that there is none.
    pub keys: Vec<(String, Result<KeyPlace, Error>)>,
    /// The disk of the store.
    pub disk: Option<Disk>,
    /// The environment variables that name proxies.
    pub proxies: BTreeMap<String, String>,
    /// Advisories, for the kernel and the firmware.
    pub advisories: Vec<Advisory>,
    /// Locked versions that are known to be bad.
    pub known_bad: Vec<Advice>,
    /// The merge driver for locks, as git knows it; absent outside of a git repository, or without a lock.
    pub merge_driver: Option<MergeDriver>,
    /// The servers of the manifest's inputs; absent without a manifest.
    pub network: Option<Network>,
}

/// The disk of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The path of the store, which need not exist yet.
    pub store: PathBuf,
    /// The bytes that this user may still write.
    pub free: u64,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the check, in one word.
    pub check: &'static str,
    /// The judgement.
    pub level: Level,
    /// The fact that was found.
    pub found: String,
    /// The reason why the fact matters.
    pub why: Option<String>,
    /// The command or action that fixes it. The JSON key is `mend`.
    pub mend: Option<String>,
}

/// The judgement of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// No problem.
    Good,
    /// It works, but not as well as it could, or is not known.
    Advice,
    /// A problem: something does not work.
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
    let mut findings = kernel::check(host, surroundings);
    findings.push(firmware::check(host, surroundings));
    findings.extend(devices::check(host));
    findings.extend(memory::check(host));
    findings.extend(builds::sandbox(host, surroundings));
    findings.extend(builds::programs(host, surroundings));
    findings.extend(builds::disk(surroundings));
    findings.extend(keys::check(surroundings));
    findings.extend(proxy::check(surroundings));
    findings.extend(surroundings.known_bad.iter().map(known_bad));
    findings.extend(git::check(surroundings));
    findings.extend(network::check(surroundings));
    findings
}

/// Judges a locked version that is known to be bad.
fn known_bad(advice: &Advice) -> Finding {
    let (input, version) = (&advice.input, &advice.version);
    Finding::new("pins", Level::Bad, format!("{input} {version} is known to be bad"))
        .why(advice.advisory.text())
        .mend(advice.remedy())
}

/// Names the GPUs that an advisory is about, as the end of "are bad".
fn gpus_of(advisory: &Advisory) -> String {
    let names: Vec<&str> = advisory.targets.iter().map(crate::gfx::GfxTarget::as_str).collect();
    if names.is_empty() { String::new() } else { format!(" on {}", names.join(", ")) }
}

/// Marks a command for the machine itself: inside a container, it has to run outside.
fn on_the_machine(host: &Host, command: &str) -> String {
    if host.container.is_some() { format!("outside the container: {command}") } else { command.to_owned() }
}

/// Returns the command that installs a package (its names for apt, dnf and pacman), if the distribution is known.
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
