//! `validate`: does what was realized run, and does it compute what it computed last time?
//!
//! Everything runs in a sandbox whose root is the base system of the build, with llama.cpp and the runtime where they are meant to
//! stand, no network, and of the GPU what it is given. What is looked at:
//!
//! * the device nodes, and what `rocminfo`, `hipcc` and `clang` say of themselves
//! * the version and the devices that llama.cpp tells
//! * a fixed prompt with a fixed seed and temperature 0: the text, how long loading took, how fast it went, how much memory it took,
//!   and from where each library came
//! * `llama-bench`
//!
//! Measured is what is there; judged is only what can be wrong: a program that fails, a library from somewhere else. A GPU that is
//! not there is not a failure where nobody asked for it, and the result says plainly that its part was not run.

mod bench;
mod compare;
mod generate;
mod libraries;
mod nodes;
mod options;
mod place;
mod record;
mod subject;
#[cfg(test)]
mod tests;
mod tools;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::gguf::Gguf;
use crate::host::Host;
use crate::intake::Intake;
use crate::lock::Lock;
use crate::text;

pub use bench::Speed;
pub use compare::moved;
pub use generate::Generation;
use nodes::GpuNodes;
use place::Place;
pub use record::{last, logs, write};
use subject::Subject;

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The GPU, through the device nodes of ROCm.
    Gpu,
    /// The CPU alone.
    Cpu,
}

impl Device {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::Cpu => "cpu",
        }
    }
}

/// What a validation found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// The digest of the lock's text.
    pub lock: Sha256Digest,
    /// When it was made, in seconds since 1970.
    pub time: i64,
    /// What computed.
    pub device: Device,
    /// The model.
    pub model: Model,
    /// What was looked at, in order.
    pub checks: Vec<Check>,
    /// What was generated, where that worked.
    pub generation: Option<Generation>,
    /// What `llama-bench` measured, where that worked.
    pub bench: Vec<Speed>,
}

/// The model of a validation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// The input.
    pub input: String,
    /// What a person calls it.
    pub version: String,
    /// The digest of its first file.
    pub sha256: Sha256Digest,
    /// What it says of itself.
    pub gguf: Option<Gguf>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What it is.
    pub name: String,
    /// How it went.
    pub outcome: Outcome,
    /// What was found: a version, a device, why it failed.
    pub found: String,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed,
    /// It could not be looked at here, which is no fault.
    NotRun,
}

impl Check {
    fn new(name: &str, outcome: Outcome, found: impl Into<String>) -> Self {
        // What programs say goes onto a page: a line of it, and nothing that moves the cursor.
        let found: String = found.into();
        let found = text::visible(found.lines().next().unwrap_or_default()).chars().take(300).collect();
        Self { name: name.to_owned(), outcome, found }
    }

    fn passed(name: &str, found: impl Into<String>) -> Self {
        Self::new(name, Outcome::Passed, found)
    }

    fn failed(name: &str, found: impl Into<String>) -> Self {
        Self::new(name, Outcome::Failed, found)
    }

    fn not_run(name: &str, found: impl Into<String>) -> Self {
        Self::new(name, Outcome::NotRun, found)
    }
}

impl Validation {
    /// Whether nothing failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.outcome != Outcome::Failed)
    }
}

/// What to validate, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The input that is the model; the only one there is without it.
    pub model: Option<String>,
    /// What is to compute; the GPU where there is one without it.
    pub device: Option<Device>,
    /// The time, in seconds since 1970.
    pub now: i64,
}

/// Validates what was realized from a lock. Logs of everything that ran go into `logs`, which is emptied before.
pub fn validate(lock: &Lock, intake: Intake, options: &Options, logs: &Path) -> Result<Validation> {
    let subject = Subject::find(lock, intake, options.model.as_deref())?;
    let host = Host::read(Path::new("/"));
    let nodes = GpuNodes::choose(&host, subject.target.as_ref());
    let device = choose(options.device, &subject, &nodes)?;
    let given = if device == Device::Gpu { nodes.given() } else { Vec::new() };
    let place = Place::new(intake.store, &subject, given, logs)?;
    let mut checks = vec![nodes.check(subject.has_gpu_backend(), device)];
    checks.extend(tools::check(&place, &subject, device)?);
    let generation = generate::generate(&place, &subject, device, &mut checks)?;
    let bench = bench::bench(&place, &subject, device, &mut checks)?;
    let lock = Sha256Digest::of(lock.to_text()?.as_bytes());
    Ok(Validation { lock, time: options.now, device, model: subject.model.about, checks, generation, bench })
}

fn choose(asked: Option<Device>, subject: &Subject, nodes: &GpuNodes) -> Result<Device> {
    let able = subject.has_gpu_backend();
    match asked {
        Some(Device::Gpu) if !able => Err(Error::new(Kind::Usage, "this build of llama.cpp computes on the CPU alone")
            .hint("a build for the GPU has `backend = \"hip\"` in the manifest")),
        Some(Device::Gpu) if !nodes.usable() => Err(Error::new(Kind::NotFound, "there is no GPU here that we may use")
            .fact("looked for", "/dev/kfd and /dev/dri/renderD*, for reading and writing")
            .fact("found", nodes.describe())
            .hint("`--device cpu` validates on the CPU")),
        Some(device) => Ok(device),
        None => Ok(if able && nodes.usable() { Device::Gpu } else { Device::Cpu }),
    }
}
