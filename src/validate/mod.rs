//! `validate`: runs realized outputs with a model, judges what they compute, and compares with the last validation.
//!
//! Everything runs in a sandbox without network. Its root is the base system of the build; llama.cpp and the runtime
//! are mounted at their prefixes, and the device nodes of one GPU are added (see `nodes`). Every check is in the
//! result: passed, failed, or not run for a reason. A quick validation has these:
//!
//! * the processor, the device nodes, and the versions that `rocminfo`, `hipcc` and `clang` report
//! * the version and the devices that llama.cpp reports
//! * a fixed prompt with a fixed seed and temperature 0: text, load time, speed, memory, and the origin of each library
//! * `llama-bench`
//!
//! A usual one goes on, while its time lasts:
//!
//! * the first steps on the GPU, without a model (`device`)
//! * perplexity of a long text beside the CPU, and with several sizes of micro-batches (`perplexity`)
//! * answers of `llama-server` alone, again, two at once, with a cached prefix, by a JSON schema, and beside the CPU
//!   (`requests`)
//!
//! Speed and memory are recorded, not judged. A check fails only if a program fails, a library comes from the wrong
//! place, llama.cpp does not use the GPU that it was given, or numbers differ that must not. A missing GPU is a failure
//! only if the user asked for the GPU; otherwise the result says that the GPU part was not run, and the CPU is compared
//! with itself in other batches and threads.

mod against;
mod bench;
pub mod benchmark;
mod check;
mod client;
mod compare;
mod device;
mod generate;
mod history;
mod laid_over;
mod libraries;
mod machine;
mod nodes;
mod options;
mod page;
mod perplexity;
mod prompt;
mod record;
mod requests;
mod runner;
mod server;
mod subject;
#[cfg(test)]
mod tests;
mod tokens;
mod tools;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::digest::{DerivationId, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::gguf::Gguf;
use crate::host::Host;
use crate::intake::Intake;
use crate::lock::Lock;
use crate::realize::own_version;

pub use against::{Against, Comparand, Compared, against};
pub use bench::{Speed, Work};
use benchmark::Wanted;
pub use check::{Check, Outcome};
pub use compare::moved;
pub use generate::Generation;
pub use history::{History, Measured, Row, history, track};
pub use machine::Machine;
use nodes::GpuNodes;
use perplexity::Perplexity;
pub use record::{last, last_failed, logs, name, of, write};
use runner::Runner;
use subject::{Subject, find_model};

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

/// A result of something that a checked program did, or what is wrong with it.
type Told<T> = std::result::Result<T, String>;

/// The number of checks and their length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// Programs run, and give the same short text.
    #[default]
    Quick,
    /// Long prompts and several requests, too, as long as the time lasts.
    Usual,
    /// More text and repetitions, however long that takes.
    Deep,
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
    /// The number of checks and their length. Records of earlier versions are quick ones.
    #[serde(default)]
    pub extent: Extent,
    /// The generation of the project's profile that has this lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_generation: Option<u64>,
    /// The variant or output that ran; absent if it is the one that runs where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The versions of the outputs that have inputs of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, String>,
    /// The derivation ids of the outputs in the lock.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub derivations: BTreeMap<String, DerivationId>,
    /// The machine; records of earlier versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
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

impl Validation {
    /// Returns whether no check failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failed().next().is_none()
    }

    /// Returns the names of the checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &str> {
        self.checks.iter().filter(|check| check.outcome == Outcome::Failed).map(|check| check.name.as_str())
    }
}

/// Returns true if ROCm's own programs or the device failed, before llama.cpp was run.
#[must_use]
pub fn of_rocm(validation: &Validation) -> bool {
    validation.failed().any(|name| name == device::NAME || tools::is_of_rocm(name))
}

/// Options of a validation.
#[derive(Debug, Clone)]
pub struct Options {
    /// The input with the model. Without it, the lock must have exactly one model.
    pub model: Option<String>,
    /// The variant of the manifest, or the output. Without it, the outputs that run where none is named.
    pub variant: Option<String>,
    /// The device that computes. Without it, the GPU if it is usable, else the CPU.
    pub device: Option<Device>,
    /// The number of checks and their length.
    pub extent: Extent,
    /// The time limit of each program.
    pub limit: Duration,
    /// The generation that has the lock, for the record.
    pub profile_generation: Option<u64>,
    /// The time, in seconds since 1970.
    pub now: i64,
}

/// The time after which a usual validation begins no further long check.
const TIME: Duration = Duration::from_secs(300);

/// Validates the realized outputs of a lock. Writes the log of each command into `logs`, and empties that directory
/// first.
pub fn validate(lock: &Lock, intake: Intake, options: &Options, logs: &Path) -> Result<Validation> {
    let begun = Instant::now();
    let (subject, variant) = subject_of(lock, intake, options)?;
    let host = Host::read(Path::new("/"));
    let nodes = GpuNodes::choose(&host, subject.target());
    let device = choose(options.device, &subject, &nodes)?;
    let given = if device == Device::Gpu { nodes.given() } else { Vec::new() };
    let runner = Runner::new(intake.store, &subject, given, options.limit, logs)?;
    let machine = Machine::of(&host, subject.rocm_version.clone());
    let mut checks = vec![nodes.check(subject.has_gpu_backend(), device), subject.processor()];
    checks.push(match options.extent {
        Extent::Quick => Check::not_run(device::NAME, QUICK),
        _ => device::check(&runner, &subject, (device, &nodes), &machine)?,
    });
    checks.extend(tools::check(&runner, &subject, device)?);
    let generation = generate::generate(&runner, &subject, device, &mut checks)?;
    let bench = bench::bench(&runner, &subject, device, &mut checks)?;
    checks.extend(long(&runner, &subject, device, (options.extent, begun))?);
    Ok(Validation {
        lock: Sha256Digest::of(lock.to_text()?.as_bytes()),
        time: options.now,
        device,
        extent: options.extent,
        profile_generation: options.profile_generation,
        variant,
        versions: versions(lock),
        derivations: lock.outputs.iter().map(|(name, output)| (name.clone(), output.derivation)).collect(),
        machine: Some(machine),
        model: subject.model.about,
        checks,
        generation,
        bench,
    })
}

/// Finds the outputs to validate. Returns with them the name for the record, unless they are those that run where none is
/// named.
fn subject_of(lock: &Lock, intake: Intake, options: &Options) -> Result<(Subject, Option<String>)> {
    let model = || find_model(lock, intake, options.model.as_deref());
    let Some(name) = &options.variant else { return Ok((Subject::of(lock, intake, model)?, None)) };
    let wanted = Wanted::named(lock, name)?;
    let is_own = wanted.output == Wanted::own(lock)?.output;
    let subject = Subject::of_output(lock, intake, &wanted.output, model)?;
    Ok((subject, (!is_own).then_some(wanted.name)))
}

/// Returns the versions of the outputs that have inputs of their own.
fn versions(lock: &Lock) -> BTreeMap<String, String> {
    let all = lock.outputs.keys().map(|name| (name.clone(), own_version(lock, name)));
    all.filter(|(_, version)| !version.is_empty()).collect()
}

/// The reason why a quick validation leaves out a check.
const QUICK: &str = "left out by --quick";

/// Runs the checks with long prompts and several requests.
fn long(runner: &Runner, subject: &Subject, device: Device, (extent, begun): (Extent, Instant)) -> Result<Vec<Check>> {
    let names = || std::iter::once(perplexity::AGREEMENT).chain(requests::NAMES).chain([perplexity::MICRO_BATCHES]);
    if extent == Extent::Quick {
        return Ok(names().map(|name| Check::not_run(name, QUICK)).collect());
    }
    let late = || extent == Extent::Usual && begun.elapsed() >= TIME;
    let left_out = |name| Check::not_run(name, "five minutes were over before it; `--deep` runs it");
    let perplexity = match Perplexity::new(runner, subject)? {
        Ok(perplexity) => perplexity,
        Err(why) => {
            let mut checks = requests::check(runner, subject, device, extent)?;
            checks.insert(0, Check::not_run(perplexity::AGREEMENT, why.clone()));
            checks.push(Check::not_run(perplexity::MICRO_BATCHES, why));
            return Ok(checks);
        }
    };
    let mut checks = Vec::new();
    checks.push(if late() { left_out(perplexity::AGREEMENT) } else { perplexity.agreement(device, extent)? });
    if late() {
        checks.extend(requests::NAMES.map(left_out));
    } else {
        checks.extend(requests::check(runner, subject, device, extent)?);
    }
    checks.push(if late() { left_out(perplexity::MICRO_BATCHES) } else { perplexity.micro_batches(device, extent)? });
    Ok(checks)
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
