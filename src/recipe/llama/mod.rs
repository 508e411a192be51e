//! Recipe `llama`: llama.cpp built with CMake and Ninja at fixed paths.
//!
//! Everything that CMake or llama.cpp would otherwise detect on the machine is set here or in the manifest: CPU
//! features ([`mod@processor`]), OpenMP, OpenSSL, ccache, the web UI (an input, or none; [`mod@decisions`]), build
//! number and commit (otherwise read from any git repository around the source). Options have other names in other ages
//! of llama.cpp: only those are set that the source declares. The rest is as in every build with CMake
//! ([`super::build`]).

mod decisions;
mod processor;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::build::{self, CMakeBuild, Hip, Known, Project, Source};
use super::{BuildRoot, OutputKind, OutputRole};
use crate::error::{Error, Result};
use crate::gfx::GfxTarget;
use crate::inputs::InputKind;
use crate::suggest::one_of;

pub use decisions::{Condition, decisions};
pub use processor::{Part, demand_processor, missing_flags, processor};

/// Revision of the recipe, raised with every change that can show in its result.
pub const REVISION: u32 = 3;

/// The recipe of a llama.cpp build: see [`super::Recipe::Llama`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlamaRecipe {
    /// The input with the source.
    pub source: String,
    /// The output that is the ROCm tree, for the `hip` backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rocm: Option<String>,
    /// The output that is the root of the build: compilers, CMake, headers. Without it the build uses the host's own
    /// and is reproducible on one machine only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sysroot: Option<String>,
    /// The backend.
    pub backend: Backend,
    /// The directory at which the build is used.
    pub prefix: String,
    /// The processor that the CPU backend is built for; absent for that of the GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// The GPUs that it is built for; none for that of the ROCm tree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<GfxTarget>,
    /// The input with the web UI; absent for a build without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui: Option<String>,
    /// CMake variables, which override the recipe's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cmake: BTreeMap<String, String>,
}

impl OutputKind for LlamaRecipe {
    const NAME: &'static str = "llama";
    const REVISION: u32 = REVISION;
    const ROLE: Option<OutputRole> = Some(OutputRole::Engine);

    fn inputs(&self) -> Vec<(InputKind, &str)> {
        let ui = self.ui.iter().map(|name| (InputKind::LlamaUi, name.as_str()));
        std::iter::once((InputKind::Git, self.source.as_str())).chain(ui).collect()
    }

    fn outputs(&self) -> Vec<(OutputRole, &str)> {
        let sysroot = self.sysroot.iter().map(|name| (OutputRole::Sysroot, name.as_str()));
        self.rocm.iter().map(|name| (OutputRole::Rocm, name.as_str())).chain(sysroot).collect()
    }

    fn rocm(&self) -> Option<&str> {
        self.rocm.as_deref()
    }

    fn gpus(&self) -> &[GfxTarget] {
        &self.targets
    }

    fn prefix(&self) -> Option<&str> {
        Some(&self.prefix)
    }

    fn cmake_build(&self) -> Option<&dyn CMakeBuild> {
        Some(self)
    }

    fn build_root(&self) -> BuildRoot<'_> {
        self.sysroot.as_deref().map_or(BuildRoot::Host, BuildRoot::Output)
    }
}

/// The hardware interface that llama.cpp computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The GPU, through HIP, with the compiler of the ROCm tree.
    Hip,
    /// The CPU alone.
    Cpu,
    /// The GPU, through Vulkan: headers and shader compiler of the sysroot.
    Vulkan,
}

impl Backend {
    /// Returns the name in a manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hip => "hip",
            Self::Cpu => "cpu",
            Self::Vulkan => "vulkan",
        }
    }
}

impl FromStr for Backend {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        one_of("backend", text, &[Self::Hip, Self::Cpu, Self::Vulkan].map(|backend| (backend.name(), backend)))
    }
}

/// Variables that say which commit is built.
pub const IDENTITY: [&str; 2] = ["LLAMA_BUILD_NUMBER", "LLAMA_BUILD_COMMIT"];

/// The environment of the manifest, which llama.cpp needs nothing of.
static NOTHING: BTreeMap<String, String> = BTreeMap::new();

impl CMakeBuild for LlamaRecipe {
    fn project(&self) -> Project<'_> {
        Project {
            source: &self.source,
            rocm: self.rocm.as_deref(),
            sysroot: self.sysroot.as_deref(),
            prefix: &self.prefix,
            directory: "",
            gpus: &self.targets,
            targets: &[],
            components: &[],
            cmake: &self.cmake,
            environment: &NOTHING,
        }
    }

    fn own_variables(&self, source: &Source, hip: Option<&Hip>, known: Option<&Known>) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        let declares = |name: &str| known.is_none_or(|known| known.declares(name));
        let mut set = |name: &str, value: &str| drop(all.insert(name.to_owned(), value.to_owned()));
        let mut conditions = BTreeSet::new();
        // The recipe takes no other source.
        if let Source::Commit(pin) = source {
            set("LLAMA_BUILD_NUMBER", &pin.number.to_string());
            set("LLAMA_BUILD_COMMIT", &pin.commit);
            if pin.release().is_some() {
                conditions.insert(Condition::Release);
            }
        }
        if known.is_some_and(|known| known.has_openssl) {
            conditions.insert(Condition::OpenSsl);
        }
        if self.ui.is_some() {
            conditions.insert(Condition::Ui);
        }
        for (option, value) in decisions::decided(self.backend, &conditions, declares) {
            set(option, value);
        }
        // Otherwise ggml would decide by the environment of the build.
        let processor = processor(self.cpu.as_deref(), hip.map_or(&[], |hip| &hip.targets));
        for (option, value) in processor::features(processor).filter(|(option, _)| declares(option)) {
            set(option, value);
        }
        if hip.is_some() {
            set("GGML_HIP", "ON");
        } else {
            set("GGML_HIP", "OFF");
            set("GGML_VULKAN", if self.backend == Backend::Vulkan { "ON" } else { "OFF" });
        }
        all
    }

    fn web_ui(&self) -> Option<&str> {
        self.ui.as_deref()
    }

    /// A backend that the source lacks is reported by CMake, and not left out.
    fn insists(&self, name: &str, value: &str) -> bool {
        name.starts_with("GGML_") && value == "ON"
    }

    fn is_idle(&self, option: &str, is_on: &dyn Fn(&str) -> bool) -> bool {
        decisions::is_idle(option, is_on)
    }

    fn decider(&self) -> &'static str {
        "llama.cpp"
    }

    fn programs(&self) -> Vec<(&'static str, &'static str)> {
        let mut all = build::programs(self.rocm.is_some());
        if self.backend == Backend::Vulkan {
            all.push(("glslc", "glslc, libvulkan-dev and spirv-headers"));
        }
        all
    }
}
