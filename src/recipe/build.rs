//! Builds with CMake and Ninja at fixed paths in a sandbox: what all recipes of such builds share.
//!
//! A recipe says what is known of its project ([`CMakeBuild`]); this module makes variables, environment and commands of
//! it. Whatever CMake would otherwise take from the machine is set here. Variables that the source does not read are left
//! out, unless the manifest has them.
//!
//! clang gives every HIP object an id that it derives from the paths of the build (`-fuse-cuid=hash`). Here the id
//! depends only on the object's name below the build directory: see [`HIP_LAUNCHER`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};
use crate::gfx::GfxTarget;
use crate::inputs::LockedInput;
use crate::inputs::file::FilePin;
use crate::inputs::git::GitPin;
use crate::llama_source::CMakeFiles;
use crate::tree::confined::MTIME;

/// A recipe whose output is built with CMake.
pub trait CMakeBuild {
    /// Returns the parts that every such recipe has.
    fn project(&self) -> Project<'_>;

    /// Returns the variables that the recipe adds to those of every build, under the names that the source has. Without
    /// `known`, they are those of a source that declares every option under its newest name.
    fn own_variables(&self, source: &Source, hip: Option<&Hip>, known: Option<&Known>) -> BTreeMap<String, String>;

    /// Returns true for a variable of the recipe that is kept even if the source does not read it, so that CMake reports
    /// it.
    fn insists(&self, _name: &str, _value: &str) -> bool {
        false
    }

    /// Returns true for an option that has no effect, because no switch that it belongs to is ON.
    fn is_idle(&self, _option: &str, _is_on: &dyn Fn(&str) -> bool) -> bool {
        false
    }

    /// Returns true if the build gets a copy of the source that it may write to, as some projects do while they are
    /// configured.
    fn writes_source(&self) -> bool {
        false
    }

    /// Returns the name of whoever decides options that neither recipe nor manifest decide.
    fn decider(&self) -> &'static str {
        "the project"
    }

    /// Returns true if the project may declare options by commands of its own, so that all that it mentions count.
    fn has_own_commands(&self) -> bool {
        false
    }

    /// Returns the input with a web UI that is laid into the sources, if there is one.
    fn web_ui(&self) -> Option<&str> {
        None
    }

    /// Returns the programs that the build calls by name, with the packages that have them.
    fn programs(&self) -> Vec<(&'static str, &'static str)> {
        programs(self.project().rocm.is_some())
    }

    /// Returns the memory that one compiler may need, in bytes. HIP templates need the most.
    fn memory_per_job(&self) -> u64 {
        if self.project().rocm.is_some() { 2 << 30 } else { 1 << 30 }
    }
}

/// The parts of a recipe that is built with CMake.
#[derive(Debug, Clone, Copy)]
pub struct Project<'r> {
    /// The input with the source.
    pub source: &'r str,
    /// The output that is the ROCm tree, for a build with HIP.
    pub rocm: Option<&'r str>,
    /// The output that is the root of the build; the host's own without it.
    pub sysroot: Option<&'r str>,
    /// The directory at which the build is used.
    pub prefix: &'r str,
    /// The directory of the project below the source; empty for the source itself.
    pub directory: &'r str,
    /// The GPUs that it is built for; none for that of the ROCm tree.
    pub gpus: &'r [GfxTarget],
    /// The targets to compile; all that the project builds by default if there are none.
    pub targets: &'r [String],
    /// The components to install; all if there are none.
    pub components: &'r [String],
    /// The CMake variables of the manifest.
    pub cmake: &'r BTreeMap<String, String>,
    /// The environment variables of the manifest.
    pub environment: &'r BTreeMap<String, String>,
}

/// The pinned source of a build.
#[derive(Debug, Clone, Copy)]
pub enum Source<'p> {
    /// A commit.
    Commit(&'p GitPin),
    /// An unpacked archive.
    Archive(&'p FilePin),
}

impl<'p> Source<'p> {
    /// Returns the source that the input `name` is. Fails if it is not a source.
    pub fn of(name: &str, input: Option<&'p LockedInput>) -> Result<Self> {
        match input {
            Some(LockedInput::Git(block)) => Ok(Self::Commit(&block.locked)),
            Some(LockedInput::File(block)) if block.locked.content.is_some() => Ok(Self::Archive(&block.locked)),
            Some(LockedInput::File(_)) => {
                Err(Error::new(Kind::Invalid, format!("the input `{name}` is a file, and a build needs a source tree"))
                    .hint("`unpack = true` in the input takes the tree in it, if it is a tar archive"))
            }
            _ => {
                Err(Error::new(Kind::Invalid, format!("`{name}` is not a source: expected a git input or an archive")))
            }
        }
    }

    /// Returns the time of the source, in seconds since 1970: the clock of its build.
    #[must_use]
    pub fn time(&self) -> i64 {
        match self {
            Self::Commit(pin) => pin.time,
            // Its files have this time in a store.
            Self::Archive(_) => MTIME,
        }
    }
}

/// The GPU side of a build.
#[derive(Debug, Clone)]
pub struct Hip {
    /// The prefix of the ROCm tree.
    pub prefix: String,
    /// The GPUs that are built for.
    pub targets: Vec<GfxTarget>,
}

impl Hip {
    /// Returns the GPU side of a build for the named GPUs, or for that of the tree if none is named.
    #[must_use]
    pub fn new(prefix: &str, named: &[GfxTarget], usual: &GfxTarget) -> Self {
        let targets = if named.is_empty() { std::slice::from_ref(usual) } else { named };
        Self { prefix: prefix.to_owned(), targets: targets.to_vec() }
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
    pub has_openssl: bool,
}

impl<'f> Known<'f> {
    /// Reads them from the CMake files of the source.
    #[must_use]
    pub fn new(files: &'f CMakeFiles, has_openssl: bool) -> Self {
        Self { declared: files.declared(), words: files.words(), has_openssl }
    }

    /// Returns true for an option that the source declares.
    #[must_use]
    pub fn declares(&self, option: &str) -> bool {
        self.declared.contains(option)
    }

    /// Returns true for a variable that has an effect. CMake's own are not in the source.
    #[must_use]
    pub fn reads(&self, variable: &str) -> bool {
        variable.starts_with("CMAKE_") || self.words.contains(variable)
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

/// Path of [`HIP_LAUNCHER`] in the sandbox.
pub const HIP_LAUNCHER_AT: &str = "/build/tools/hip-launcher";

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

/// Returns the field of a build's record with the options that were left to the project.
#[must_use]
pub fn left_field(recipe: &dyn CMakeBuild) -> String {
    format!("left_to_{}", recipe.decider().replace([' ', '.'], "_"))
}

/// Number of compilers in the hashed commands. It does not change the output.
const HASHED_JOBS: usize = 1;

/// Returns everything that a build adds to its recipe, for the derivation id.
pub fn adds(recipe: &dyn CMakeBuild, source: &Source, hip: Option<&Hip>) -> Value {
    let commands = commands(recipe, &variables(recipe, source, hip, None), HASHED_JOBS);
    json!({
        "environment": environment(recipe, source, hip),
        "commands": commands.into_iter().map(|(_, command)| command).collect::<Vec<_>>(),
        "launcher": hip.map(|_| HIP_LAUNCHER),
    })
}

/// Returns the CMake variables of a build: those of every build, those of the recipe, and over both those of the
/// manifest. Without `known`, they are those of a source that declares every option under its newest name.
#[must_use]
pub fn variables(
    recipe: &dyn CMakeBuild,
    source: &Source,
    hip: Option<&Hip>,
    known: Option<&Known>,
) -> BTreeMap<String, String> {
    let project = recipe.project();
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let mut set = |name: &str, value: &str| drop(all.insert(name.to_owned(), value.to_owned()));
    let paths = format!("-ffile-prefix-map={SOURCE}=source -ffile-prefix-map={BUILD}=out");
    set("CMAKE_BUILD_TYPE", "Release");
    set("CMAKE_INSTALL_PREFIX", project.prefix);
    set("CMAKE_INSTALL_LIBDIR", "lib");
    set("CMAKE_BUILD_WITH_INSTALL_RPATH", "ON");
    set("CMAKE_C_FLAGS", &paths);
    set("CMAKE_CXX_FLAGS", &paths);
    let mut rpath = "$ORIGIN;$ORIGIN/../lib".to_owned();
    if let Some(Hip { prefix, targets }) = hip {
        let llvm = format!("{prefix}/lib/llvm/bin");
        let targets = targets.iter().map(GfxTarget::as_str).collect::<Vec<_>>().join(";");
        set("GPU_TARGETS", &targets);
        set("CMAKE_HIP_ARCHITECTURES", &targets);
        set("CMAKE_C_COMPILER", &format!("{llvm}/clang"));
        set("CMAKE_CXX_COMPILER", &format!("{llvm}/clang++"));
        set("CMAKE_HIP_COMPILER", &format!("{llvm}/clang++"));
        set("CMAKE_HIP_COMPILER_ROCM_ROOT", prefix);
        set("CMAKE_HIP_COMPILER_LAUNCHER", HIP_LAUNCHER_AT);
        set("CMAKE_HIP_FLAGS", &paths);
        set("CMAKE_PREFIX_PATH", prefix);
        // First the path relative to the build, so that copies of both trees work anywhere; then the prefix of ROCm.
        rpath = format!("{rpath};$ORIGIN/../{}/lib;{prefix}/lib", relative(project.prefix, prefix));
    }
    set("CMAKE_INSTALL_RPATH", &rpath);
    all.extend(recipe.own_variables(source, hip, known));
    if let Some(known) = known {
        all.retain(|name, value| known.reads(name) || recipe.insists(name, value));
    }
    all.extend(project.cmake.clone());
    all
}

/// Returns the environment of a build.
#[must_use]
pub fn environment(recipe: &dyn CMakeBuild, source: &Source, hip: Option<&Hip>) -> BTreeMap<String, String> {
    let epoch = source.time().to_string();
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
    all.extend(recipe.project().environment.clone());
    all
}

/// Returns the commands of a build, in order, each with its name for progress.
#[must_use]
pub fn commands(
    recipe: &dyn CMakeBuild,
    variables: &BTreeMap<String, String>,
    jobs: usize,
) -> Vec<(&'static str, Vec<String>)> {
    let project = recipe.project();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let source =
        if project.directory.is_empty() { SOURCE.to_owned() } else { format!("{SOURCE}/{}", project.directory) };
    let mut configure = words(&["cmake", "-S", &source, "-B", BUILD, "-G", "Ninja"]);
    configure.extend(variables.iter().map(|(name, value)| format!("-D{name}={value}")));
    let mut compile = words(&["cmake", "--build", BUILD, "--parallel", &jobs.to_string()]);
    if !project.targets.is_empty() {
        compile.push("--target".to_owned());
        compile.extend(project.targets.iter().cloned());
    }
    let install = words(&["env", &format!("DESTDIR={DEST}"), "cmake", "--install", BUILD]);
    let mut all = vec![("configure", configure), ("compile", compile)];
    if project.components.is_empty() {
        all.push(("install", install.clone()));
    }
    for component in project.components {
        all.push(("install", [install.clone(), words(&["--component", component])].concat()));
    }
    all
}

/// Returns the programs that a build calls by name, with the packages that have them.
#[must_use]
pub fn programs(has_rocm: bool) -> Vec<(&'static str, &'static str)> {
    let mut all = vec![("cmake", "cmake"), ("ninja", "ninja-build"), ("sh", "dash"), ("env", "coreutils")];
    if !has_rocm {
        // The ROCm tree has compilers of its own.
        all.extend([("cc", "gcc"), ("c++", "g++")]);
    }
    all
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
