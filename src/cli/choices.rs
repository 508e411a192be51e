//! Options that several commands have, and their words for values of the library.

use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::session::Builder;
use crate::error::{Error, Kind, Result};
use crate::export::ContainerEngine;
use crate::lock::Lock;
use crate::store::LinkMode;
use crate::validate::{Device, Extent};

/// Options of the commands that update: the versions that they take.
#[derive(Debug, clap::Args)]
pub(super) struct VersionArgs {
    /// Take this ROCm version for the named input, once: the next update goes on from there as the manifest says
    #[arg(long, value_name = "VERSION", requires = "inputs")]
    pub to: Option<String>,
    /// Accept a version that is older than the newest one that was locked
    #[arg(long)]
    pub allow_downgrade: bool,
    /// Pass over ROCm builds that are known to be bad
    #[arg(long)]
    pub skip_bad: bool,
}

impl VersionArgs {
    /// Fails if a version is given for more inputs than one.
    pub fn demand_one(&self, command: &str, inputs: &[String]) -> Result<()> {
        if self.to.is_some() { demand_one(command, inputs, "--to VERSION") } else { Ok(()) }
    }
}

/// Options of the commands that make outputs: who builds them.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct BuildArgs {
    /// Build on other machines: a service of the Remote Execution API, or `local` for this machine [default: as
    /// configured]
    #[arg(long, value_name = "reapi://HOST[:PORT]|local")]
    pub builder: Option<Builder>,
    /// Ask no remote before building
    #[arg(long)]
    pub no_remotes: bool,
}

/// Options of the commands that validate before they switch.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// Checks to run: `quick` runs the programs once, `usual` compares numbers for some five minutes, `deep` takes longer,
    /// `none` switches without any
    #[arg(long, value_parser = checks(), value_name = "EXTENT", default_value = "quick", hide_possible_values = true)]
    validate: Checks,
    /// Input of the model [default: the only model in the lock]
    #[arg(long, value_name = "INPUT")]
    pub model: Option<String>,
    /// Device to compute on [default: the GPU if the build can use it]
    #[arg(long, value_parser = device())]
    pub device: Option<Device>,
}

impl CheckArgs {
    /// Returns the extent of the validation. `None` if nothing is to be validated.
    pub fn extent(&self) -> Option<Extent> {
        self.validate.0
    }

    /// Fails if a validation is wanted and the lock has no model for it, which would be told after the build otherwise.
    pub fn demand_model(&self, lock: &Lock) -> Result<()> {
        if self.extent().is_none() || lock.inputs.values().any(|input| input.gguf().is_some()) {
            return Ok(());
        }
        Err(Error::new(Kind::NotFound, "the lock has no model to validate with").hint(
            "add an input of type `huggingface`, or `file` for a GGUF file, to the manifest; `--validate none` switches \
             without a validation",
        ))
    }
}

/// Option of the commands that run programs with a model.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct LimitArgs {
    /// Time limit for each program of llama.cpp
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "600",
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    limit: u64,
}

impl LimitArgs {
    /// Returns the time that each program has.
    pub fn each(self) -> Duration {
        Duration::from_secs(self.limit)
    }
}

/// Fails unless there is exactly one input, as this option wants.
pub(super) fn demand_one(command: &str, inputs: &[String], option: &str) -> Result<()> {
    if inputs.len() == 1 {
        return Ok(());
    }
    let name = option.split(' ').next().unwrap_or_default();
    Err(Error::new(Kind::Usage, format!("`{name}` needs exactly one input"))
        .hint(format!("such as `strixlock {command} rocm {option}`")))
}

/// A word, its line in the help, and its value.
type Choice<T> = (&'static str, &'static str, T);

/// The words for [`LinkMode`].
const LINK_MODES: [Choice<LinkMode>; 4] = [
    ("auto", "Share blocks if the file system can, otherwise copy", LinkMode::Auto),
    ("reflink", "Share blocks, or fail", LinkMode::Reflink),
    (
        "hardlink",
        "Hard-link: takes no space, read-only; writing through the link damages the store",
        LinkMode::Hardlink,
    ),
    ("copy", "Copy the bytes", LinkMode::Copy),
];

/// The words for [`Device`].
const DEVICES: [Choice<Device>; 2] = [("gpu", "The GPU", Device::Gpu), ("cpu", "Only the CPU", Device::Cpu)];

/// The checks before a switch, or none.
#[derive(Debug, Clone, Copy)]
struct Checks(Option<Extent>);

/// The words for [`Checks`].
const CHECKS: [Choice<Checks>; 4] = [
    ("none", "No checks", Checks(None)),
    ("quick", "Run the programs once", Checks(Some(Extent::Quick))),
    ("usual", "Compare numbers for some five minutes", Checks(Some(Extent::Usual))),
    ("deep", "Compare more numbers, however long that takes", Checks(Some(Extent::Deep))),
];

/// The words for [`ContainerEngine`].
const ENGINES: [Choice<ContainerEngine>; 8] = [
    ("distrobox", "A distrobox container that shares your home; writes distrobox.ini", ContainerEngine::Distrobox),
    ("toolbox", "A toolbox container that shares your home", ContainerEngine::Toolbox),
    ("podman", "A podman container that keeps running, to be entered", ContainerEngine::Podman),
    ("docker", "A docker container that keeps running, to be entered", ContainerEngine::Docker),
    ("quadlet", "A systemd unit for llama-server, run by podman", ContainerEngine::Quadlet),
    ("compose", "A compose file for llama-server", ContainerEngine::Compose),
    ("devcontainer", "A devcontainer.json for editors", ContainerEngine::Devcontainer),
    ("llama-swap", "A configuration for llama-swap, which starts llama-server on demand", ContainerEngine::LlamaSwap),
];

/// Parses a [`LinkMode`].
pub(super) fn link_mode() -> impl TypedValueParser<Value = LinkMode> {
    one_of(&LINK_MODES)
}

/// Parses a [`Device`].
pub(super) fn device() -> impl TypedValueParser<Value = Device> {
    one_of(&DEVICES)
}

/// Parses [`Checks`].
fn checks() -> impl TypedValueParser<Value = Checks> {
    one_of(&CHECKS)
}

/// Parses a [`ContainerEngine`].
pub(super) fn engine() -> impl TypedValueParser<Value = ContainerEngine> {
    one_of(&ENGINES)
}

/// Parses one of these words. The help and the error message list them.
fn one_of<T: Copy + Send + Sync + 'static>(choices: &'static [Choice<T>]) -> impl TypedValueParser<Value = T> {
    let words = choices.iter().map(|(word, help, _)| PossibleValue::new(*word).help(*help));
    PossibleValuesParser::new(words).try_map(|text| {
        let found = choices.iter().find(|(word, ..)| *word == text);
        found.map(|(.., value)| *value).ok_or("unknown word")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_the_word_that_the_library_calls_it_by() {
        for (word, _, engine) in ENGINES {
            assert_eq!(word, engine.name());
        }
        for (word, _, device) in DEVICES {
            assert_eq!(word, device.name());
        }
    }
}
