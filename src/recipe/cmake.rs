//! Recipe `cmake`: any project that is built with CMake, such as another engine. `llama` is such a build with what is
//! known of llama.cpp added ([`super::build`] has what both share).
//!
//! Nothing is known of the project here: its options are the manifest's. Those that are ON although the manifest does not
//! name them are in the record of the build.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::build::{CMakeBuild, Hip, Known, Project, Source};
use super::{BuildRoot, OutputKind, OutputRole};
use crate::inputs::InputKind;

/// Revision of the recipe, raised with every change that can show in its result.
pub const REVISION: u32 = 1;

/// The recipe of a build with CMake: see [`super::Recipe::CMake`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CMakeRecipe {
    /// The input with the source.
    pub source: String,
    /// The directory of the project below the source.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source_directory: String,
    /// The output that is the ROCm tree, for a project that computes with HIP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rocm: Option<String>,
    /// The output that is the root of the build: compilers, CMake, headers. Without it the build uses the host's own
    /// and is reproducible on one machine only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sysroot: Option<String>,
    /// The directory at which the build is used.
    pub prefix: String,
    /// The targets to compile; all that the project builds by default if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// The components to install; all if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// CMake variables, which override the recipe's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cmake: BTreeMap<String, String>,
    /// Environment variables, which override the recipe's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
}

impl OutputKind for CMakeRecipe {
    const NAME: &'static str = "cmake";
    const REVISION: u32 = REVISION;
    const ROLE: Option<OutputRole> = Some(OutputRole::Engine);
    const HAS_KNOWN_PROGRAMS: bool = false;
    const TAKES_ARCHIVES: bool = true;

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

    fn cmake_build(&self) -> Option<&dyn CMakeBuild> {
        Some(self)
    }

    fn build_root(&self) -> BuildRoot<'_> {
        self.sysroot.as_deref().map_or(BuildRoot::Host, BuildRoot::Output)
    }
}

impl CMakeBuild for CMakeRecipe {
    fn project(&self) -> Project<'_> {
        Project {
            source: &self.source,
            rocm: self.rocm.as_deref(),
            sysroot: self.sysroot.as_deref(),
            prefix: &self.prefix,
            directory: &self.source_directory,
            gpus: &[],
            targets: &self.targets,
            components: &self.components,
            cmake: &self.cmake,
            environment: &self.environment,
        }
    }

    fn own_variables(&self, _: &Source, _: Option<&Hip>, _: Option<&Known>) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    fn writes_source(&self) -> bool {
        true
    }

    fn has_own_commands(&self) -> bool {
        true
    }
}
