//! `validate`: runs realized outputs with a model, and compares the results with the last validation.
//!
//! Everything runs in a sandbox without network. Its root is the base system of the build; llama.cpp and the runtime
//! are mounted at their prefixes, and the device nodes of one GPU are added (see `nodes`). The checks:
//!
//! * the device nodes, and the versions that `rocminfo`, `hipcc` and `clang` report
//! * the version and the devices that llama.cpp reports
//! * a fixed prompt with a fixed seed and temperature 0: text, load time, speed, memory, and the origin of each library
//! * `llama-bench`
//!
//! Speed and memory are recorded, not judged. A check fails only if a program fails, a library comes from the wrong
//! place, or llama.cpp does not use the GPU that it was given. A missing GPU is a failure only if the user asked for
//! the GPU; otherwise the result says that the GPU part was not run.

mod bench;
mod compare;
mod generate;
mod laid_over;
mod libraries;
mod nodes;
mod options;
mod record;
mod runner;
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
pub use record::{last, logs, of, write};
use runner::Runner;
use subject::Subject;

/// The device that computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The GPU, through the device nodes of ROCm.
    Gpu,
    /// The CPU alone.
    Cpu,
}

impl Device {
    /// Returns its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::Cpu => "cpu",
        }
    }
}

/// The result of a validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// The digest of the lock's text.
    pub lock: Sha256Digest,
    /// The time of the validation, in seconds since 1970.
    pub time: i64,
    /// The device that computed.
    pub device: Device,
    /// The model.
    pub model: Model,
    /// The checks, in order.
    pub checks: Vec<Check>,
    /// The generated text and its measurements; absent if generation failed.
    pub generation: Option<Generation>,
    /// The measurements of `llama-bench`; empty if it failed.
    pub bench: Vec<Speed>,
}

/// The model of a validation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// The name of the input.
    pub input: String,
    /// The version to show.
    pub version: String,
    /// The digest of its first file.
    pub sha256: Sha256Digest,
    /// The facts from the header of the file.
    pub gguf: Option<Gguf>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The name of the check.
    pub name: String,
    /// The outcome.
    pub outcome: Outcome,
    /// A version, a device, or the reason of a failure.
    pub found: String,
}

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The check passed.
    Passed,
    /// The check failed.
    Failed,
    /// The check does not apply here. This is no failure.
    NotRun,
}

impl Check {
    fn new(name: &str, outcome: Outcome, found: impl Into<String>) -> Self {
        // Output of programs goes onto a page: one line, without control characters.
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
    /// Returns whether no check failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.outcome != Outcome::Failed)
    }
}

/// Options of a validation.
#[derive(Debug, Clone)]
pub struct Options {
    /// The input with the model. Without it, the lock must have exactly one model.
    pub model: Option<String>,
    /// The device that computes. Without it, the GPU if it is usable, else the CPU.
    pub device: Option<Device>,
    /// The time, in seconds since 1970.
    pub now: i64,
}

/// Validates the realized outputs of a lock. Writes the log of each command into `logs`, and empties that directory
/// first.
pub fn validate(lock: &Lock, intake: Intake, options: &Options, logs: &Path) -> Result<Validation> {
    let subject = Subject::find(lock, intake, options.model.as_deref())?;
    let host = Host::read(Path::new("/"));
    let nodes = GpuNodes::choose(&host, subject.target());
    let device = choose(options.device, &subject, &nodes)?;
    let given = if device == Device::Gpu { nodes.given() } else { Vec::new() };
    let runner = Runner::new(intake.store, &subject, given, logs)?;
    let mut checks = vec![nodes.check(subject.has_gpu_backend(), device)];
    checks.extend(subject.processor());
    checks.extend(tools::check(&runner, &subject, device)?);
    let generation = generate::generate(&runner, &subject, device, &mut checks)?;
    let bench = bench::bench(&runner, &subject, device, &mut checks)?;
    let lock = Sha256Digest::of(lock.to_text()?.as_bytes());
    Ok(Validation { lock, time: options.now, device, model: subject.model.about, checks, generation, bench })
}

/// Chooses the device. Fails if the user asked for a GPU that the build or this machine does not have.
fn choose(asked: Option<Device>, subject: &Subject, nodes: &GpuNodes) -> Result<Device> {
    let able = subject.has_gpu_backend();
    match asked {
        Some(Device::Gpu) if !able => Err(Error::new(Kind::Usage, "this build of llama.cpp has no GPU backend")
            .hint("set `backend = \"hip\"` in the manifest to build for the GPU")),
        Some(Device::Gpu) if !nodes.usable() => Err(Error::new(Kind::NotFound, "no usable GPU on this machine")
            .fact("expected", "/dev/kfd and /dev/dri/renderD*, readable and writable")
            .fact("found", nodes.describe())
            .hint("`--device cpu` validates on the CPU")),
        Some(device) => Ok(device),
        None => Ok(if able && nodes.usable() { Device::Gpu } else { Device::Cpu }),
    }
}
