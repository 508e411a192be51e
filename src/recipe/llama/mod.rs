//! Recipe `llama`: llama.cpp built with CMake and Ninja at fixed paths.
//!
//! Everything that CMake or llama.cpp would otherwise detect on the machine is set here or in the manifest: CPU
//! features ([`mod@processor`]), OpenMP, OpenSSL, ccache, the web UI (otherwise downloaded; [`mod@decisions`]), build
//! number and commit (otherwise read from any git repository around the source). Options have other names in other ages
//! of llama.cpp: only those are set that the source declares.
//!
//! clang gives every HIP object an id that it derives from the paths of the build (`-fuse-cuid=hash`). Here the id
//! depends only on the object's name below the build directory: see [`HIP_LAUNCHER`].

mod decisions;
mod processor;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{BuildRoot, OutputKind, OutputRole};
use crate::error::{Error, Result};
use crate::gfx::GfxTarget;
use crate::inputs::InputKind;
use crate::inputs::git::GitPin;
use crate::llama_source::CMakeFiles;
use crate::suggest::one_of;

pub use decisions::{Condition, decisions, is_idle};
pub use processor::{demand_processor, missing_flags, processor};

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
    /// CMake variables, which override the recipe's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cmake: BTreeMap<String, String>,
}

impl OutputKind for LlamaRecipe {
    const NAME: &'static str = "llama";
    const REVISION: u32 = REVISION;
    const ROLE: Option<OutputRole> = Some(OutputRole::Engine);

    fn inputs(&self) -> Vec<(InputKind, &str)> {
        vec![(InputKind::Git, &self.source)]
    }

    fn outputs(&self) -> Vec<(OutputRole, &str)> {
        let sysroot = self.sysroot.iter().map(|name| (OutputRole::Sysroot, name.as_str()));
        self.rocm.iter().map(|name| (OutputRole::Rocm, name.as_str())).chain(sysroot).collect()
    }

    fn rocm(&self) -> Option<&str> {
        self.rocm.as_deref()
    }

    fn prefix(&self) -> Option<&str> {
        Some(&self.prefix)
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

/// Path of the source in the sandbox.
pub const SOURCE: &str = "/build/source";
/// Directory in which CMake builds.
pub const BUILD: &str = "/build/out";
/// Directory below which the install step writes (`DESTDIR`).
pub const DEST: &str = "/build/dest";
/// Directory of strixlock's own tools in a HIP build.
pub const TOOLS: &str = "/build/tools";

/// A compiler launcher that gives each HIP object an id of its own, the same on every machine. `-fuse-cuid=none` would
/// not do: without an id the host cannot read static device variables.
pub const HIP_LAUNCHER: &str = r#"#!/bin/sh
out= previous=
for word; do
  if [ "$previous" = -o ]; then out=$word; fi
  previous=$word
done
id=$(printf %s "$out" | sha256sum) || exit
exec "$@" "-cuid=${id%% *}"
"#;

/// Returns the memory that one compiler may need, in bytes. HIP templates need the most.
#[must_use]
pub fn memory_per_job(backend: Backend) -> u64 {
    match backend {
        Backend::Hip => 2 << 30,
        Backend::Cpu | Backend::Vulkan => 1 << 30,
    }
}

/// The identity of a build's source, which is compiled into the build.
#[derive(Debug, Clone, Copy)]
pub struct SourceId<'a> {
    /// The commit.
    pub commit: &'a str,
    /// The build number.
    pub number: u64,
    /// The commit's time, in seconds since 1970.
    pub time: i64,
    /// True if the commit has a tag of a release.
    pub release: bool,
}

impl<'p> SourceId<'p> {
    /// Returns the identity of a pinned source.
    #[must_use]
    pub fn of(pin: &'p GitPin) -> Self {
        Self { commit: &pin.commit, number: pin.number, time: pin.time, release: pin.release().is_some() }
    }
}

/// Facts about the source and root of a build, known when both are in the store.
#[derive(Debug)]
pub struct Known<'f> {
    /// Options that the source declares.
    declared: BTreeSet<&'f str>,
    /// Words of the source's CMake files.
    words: BTreeSet<&'f str>,
    /// True if the root has the headers of OpenSSL.
    has_openssl: bool,
}

impl<'f> Known<'f> {
    /// Reads them from the CMake files of the source.
    #[must_use]
    pub fn new(files: &'f CMakeFiles, has_openssl: bool) -> Self {
        Self { declared: files.declared(), words: files.words(), has_openssl }
    }

    /// Returns true for a variable that has an effect. CMake's own are not in the source.
    fn reads(&self, variable: &str) -> bool {
        variable.starts_with("CMAKE_") || self.words.contains(variable)
    }
}

/// The GPU side of a build.
#[derive(Debug, Clone)]
pub struct Hip {
    /// The prefix of the ROCm tree.
    pub prefix: String,
    /// The GPU that is built for.
    pub target: GfxTarget,
}

/// Variables that say which commit is built.
pub const IDENTITY: [&str; 2] = ["LLAMA_BUILD_NUMBER", "LLAMA_BUILD_COMMIT"];

/// Returns the CMake variables of a build: the recipe's own, overridden by those of the manifest. Without `known`, they
/// are those of a source that declares every option under its newest name.
#[must_use]
pub fn variables(
    recipe: &LlamaRecipe,
    source: &SourceId,
    hip: Option<&Hip>,
    known: Option<&Known>,
) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let declares = |name: &str| known.is_none_or(|known| known.declared.contains(name));
    let mut set = |name: &str, value: &str| all.insert(name.to_owned(), value.to_owned());
    set("CMAKE_BUILD_TYPE", "Release");
    set("CMAKE_INSTALL_PREFIX", &recipe.prefix);
    set("CMAKE_INSTALL_LIBDIR", "lib");
    set("CMAKE_BUILD_WITH_INSTALL_RPATH", "ON");
    set("CMAKE_C_FLAGS", &format!("-ffile-prefix-map={SOURCE}=source -ffile-prefix-map={BUILD}=out"));
    set("CMAKE_CXX_FLAGS", &format!("-ffile-prefix-map={SOURCE}=source -ffile-prefix-map={BUILD}=out"));
    set("LLAMA_BUILD_NUMBER", &source.number.to_string());
    set("LLAMA_BUILD_COMMIT", source.commit);
    let mut conditions = BTreeSet::new();
    if source.release {
        conditions.insert(Condition::Release);
    }
    if known.is_some_and(|known| known.has_openssl) {
        conditions.insert(Condition::OpenSsl);
    }
    for (option, value) in decisions::decided(recipe.backend, &conditions, declares) {
        set(option, value);
    }
    // Otherwise ggml would decide by the environment of the build.
    let processor = processor(recipe.cpu.as_deref(), hip.map(|hip| &hip.target));
    for (option, value) in processor::features(processor).filter(|(option, _)| declares(option)) {
        set(option, value);
    }
    let mut rpath = "$ORIGIN;$ORIGIN/../lib".to_owned();
    if let Some(Hip { prefix, target }) = hip {
        let llvm = format!("{prefix}/lib/llvm/bin");
        set("GGML_HIP", "ON");
        set("GPU_TARGETS", target.as_str());
        set("CMAKE_HIP_ARCHITECTURES", target.as_str());
        set("CMAKE_C_COMPILER", &format!("{llvm}/clang"));
        set("CMAKE_CXX_COMPILER", &format!("{llvm}/clang++"));
        set("CMAKE_HIP_COMPILER", &format!("{llvm}/clang++"));
        set("CMAKE_HIP_COMPILER_ROCM_ROOT", prefix);
        set("CMAKE_HIP_COMPILER_LAUNCHER", &format!("{TOOLS}/hip-launcher"));
        set("CMAKE_HIP_FLAGS", &format!("-ffile-prefix-map={SOURCE}=source -ffile-prefix-map={BUILD}=out"));
        set("CMAKE_PREFIX_PATH", prefix);
        // First the path relative to the build, so that copies of both trees work anywhere; then the prefix of ROCm.
        rpath = format!("{rpath};$ORIGIN/../{}/lib;{prefix}/lib", relative(&recipe.prefix, prefix));
    } else {
        set("GGML_HIP", "OFF");
        set("GGML_VULKAN", if recipe.backend == Backend::Vulkan { "ON" } else { "OFF" });
    }
    set("CMAKE_INSTALL_RPATH", &rpath);
    if let Some(known) = known {
        // A backend that the source lacks is reported by CMake, and not left out.
        all.retain(|name, value| known.reads(name) || (name.starts_with("GGML_") && value == "ON"));
    }
    all.extend(recipe.cmake.clone());
    all
}

/// Returns the environment of a build.
#[must_use]
pub fn environment(source: &SourceId, hip: Option<&Hip>) -> BTreeMap<String, String> {
    let epoch = source.time.to_string();
    let mut all: BTreeMap<String, String> = [
        ("PATH", "/usr/bin:/bin"),
        ("HOME", "/homeless"),
        ("LC_ALL", "C"),
        ("TZ", "UTC"),
        ("SOURCE_DATE_EPOCH", &epoch),
        // Colour codes in diagnostics would enter the log and, with HIP, even object files.
        ("CLICOLOR", "0"),
        ("TERM", "dumb"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    if let Some(Hip { prefix, .. }) = hip {
        for (name, value) in [
            ("ROCM_PATH", prefix.clone()),
            ("HIP_PATH", prefix.clone()),
            ("HIP_PLATFORM", "amd".to_owned()),
            ("HIP_DEVICE_LIB_PATH", format!("{prefix}/lib/llvm/amdgcn/bitcode")),
        ] {
            all.insert(name.to_owned(), value);
        }
    }
    all
}

/// Names of the commands of a build, for progress.
pub const PHASES: [&str; 3] = ["configure", "compile", "install"];

/// Returns the commands of a build, in order.
#[must_use]
pub fn commands(variables: &BTreeMap<String, String>, jobs: usize) -> Vec<Vec<String>> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut configure = words(&["cmake", "-S", SOURCE, "-B", BUILD, "-G", "Ninja"]);
    configure.extend(variables.iter().map(|(name, value)| format!("-D{name}={value}")));
    vec![
        configure,
        words(&["cmake", "--build", BUILD, "--parallel", &jobs.to_string()]),
        words(&["env", &format!("DESTDIR={DEST}"), "cmake", "--install", BUILD]),
    ]
}

/// Returns the relative path from one absolute directory to another.
fn relative(from: &str, to: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) = (from.split('/').collect(), to.split('/').collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - common);
    up.chain(to[common..].iter().copied()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_between_prefixes_is_relative() {
        assert_eq!(relative("/opt/llama", "/opt/rocm"), "../rocm");
        assert_eq!(relative("/home/me/llama", "/opt/rocm"), "../../../opt/rocm");
    }
}
