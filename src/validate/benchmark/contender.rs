//! The things that a benchmark compares: outputs of one lock, and of generations.

use serde::{Deserialize, Serialize};

use crate::digest::{DerivationId, Sha256Digest};
use crate::error::Result;
use crate::lock::Lock;
use crate::realize::own_version;
use crate::validate::subject::{Runs, Subject, all_runs, parts_of, runs};
use crate::validate::{Check, Device};

/// The name of the outputs that a lock has without any variant.
const DEFAULT: &str = "default";

/// An output to be measured, which must be realized.
#[derive(Debug, Clone)]
pub struct Wanted<'l> {
    /// The name in tables.
    pub name: String,
    /// The generation that has the lock.
    pub generation: Option<u64>,
    /// The lock.
    pub lock: &'l Lock,
    /// The output: a runtime, or a build.
    pub output: String,
}

impl<'l> Wanted<'l> {
    /// Returns the outputs of a lock that run where none is named.
    pub fn own(lock: &'l Lock) -> Result<Self> {
        Ok(Self { name: DEFAULT.to_owned(), generation: None, lock, output: runs(lock)?.name().to_owned() })
    }

    /// Returns those of a generation's lock.
    pub fn of_generation(lock: &'l Lock, number: u64) -> Result<Self> {
        Ok(Self { name: format!("g{number}"), generation: Some(number), ..Self::own(lock)? })
    }

    /// Returns a variant of a lock, or an output that runs.
    pub fn named(lock: &'l Lock, name: &str) -> Result<Self> {
        if name == DEFAULT {
            return Self::own(lock);
        }
        if let Some(variant) = Self::variants(lock)?.into_iter().find(|variant| variant.name == name) {
            return Ok(variant);
        }
        let output = parts_of(lock, name)?.name().to_owned();
        Ok(Self { name: name.to_owned(), generation: None, lock, output })
    }

    /// Returns the variants of a lock: outputs `NAME.VARIANT` beside those that run where none is named.
    pub fn variants(lock: &'l Lock) -> Result<Vec<Self>> {
        let own = runs(lock)?;
        let variant = |other: Runs<'l>| {
            let (name, output) = (variant_of(own, other)?.to_owned(), other.name().to_owned());
            Some(Self { name, generation: None, lock, output })
        };
        Ok(all_runs(lock).into_iter().filter_map(variant).collect())
    }
}

/// Returns the name of the variant that outputs are.
fn variant_of<'l>(own: Runs, other: Runs<'l>) -> Option<&'l str> {
    let behind = |own: &str, other: &'l str| other.strip_prefix(own)?.strip_prefix('.');
    let of_runtime = || behind(own.runtime?, other.runtime?);
    of_runtime().or_else(|| behind(own.engine, other.engine))
}

/// A contender and its speeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contender {
    /// The name: a variant, an output, `default`, or a generation such as `g3`.
    pub name: String,
    /// The generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The output that ran.
    pub output: String,
    /// The version of llama.cpp.
    pub llama: String,
    /// The version of ROCm; absent for a build without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rocm: Option<String>,
    /// The backend: `hip`, `vulkan`, `cpu`, or `prebuilt`.
    pub backend: String,
    /// The device that computed.
    pub device: Device,
    /// The digest of the lock.
    pub lock: Sha256Digest,
    /// The derivation id of the output.
    pub derivation: DerivationId,
    /// The speeds.
    pub speeds: Vec<Series>,
    /// Checks that it computes what the first contender does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agreement: Vec<Check>,
}

/// The speeds of one test, in tokens per second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The test: `pp512` for a prompt of 512 tokens, `tg128` for 128 generated ones.
    pub test: String,
    /// The median.
    pub median: f64,
    /// The noise: the median absolute deviation, scaled like a standard deviation.
    pub noise: f64,
    /// The speed in each round that counts.
    pub rounds: Vec<f64>,
}

impl Contender {
    /// Describes what it computed with: its backend, and the device if that follows from the backend not alone.
    #[must_use]
    pub fn computed_with(&self) -> String {
        match (self.device, self.backend.as_str()) {
            (Device::Cpu, "cpu") | (Device::Gpu, _) => self.backend.clone(),
            (Device::Cpu, backend) => format!("{backend}, on the CPU"),
        }
    }

    /// Returns a contender without speeds, with the versions that its lock pins.
    pub(super) fn new(wanted: &Wanted, subject: &Subject, device: Device) -> Result<Self> {
        Ok(Self {
            name: wanted.name.clone(),
            generation: wanted.generation,
            output: wanted.output.clone(),
            llama: own_version(wanted.lock, &subject.engine),
            rocm: subject.rocm_version.clone(),
            backend: subject.backend().to_owned(),
            device,
            lock: Sha256Digest::of(wanted.lock.to_text()?.as_bytes()),
            derivation: wanted.lock.output(&wanted.output)?.derivation,
            speeds: Vec::new(),
            agreement: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_of_a_variant_are_known_by_their_names() {
        let of = |runtime, engine| Runs { runtime, engine };
        let own = of(Some("runtime"), "llama");
        assert_eq!(variant_of(own, of(Some("runtime.stable"), "llama.stable")), Some("stable"));
        assert_eq!(variant_of(own, of(None, "llama.vulkan")), Some("vulkan"));
        assert_eq!(variant_of(own, of(None, "llama-vulkan")), None);
        assert_eq!(variant_of(own, own), None);
        assert_eq!(variant_of(of(None, "llama"), of(Some("runtime.x"), "llama.x")), Some("x"));
    }
}
