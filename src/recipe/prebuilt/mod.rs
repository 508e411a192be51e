//! Recipe `prebuilt`: the programs of an archive that others built, in a build's place.
//!
//! The files are those of the archive. Only their places change, so that programs are in `bin` as after an install:
//! see [`layout()`]. Such programs find each other by `$ORIGIN`, and ROCm by `LD_LIBRARY_PATH`, which images, `run` and
//! `env` set: their builders did not know the prefix.

mod layout;
mod series;

use serde::{Deserialize, Serialize};

use super::{BuildRoot, Origin, OutputKind, OutputRole};
use crate::inputs::InputKind;

pub use layout::{Moved, layout, moved, moves};
pub use series::{library_series, pinned_range};

/// Revision of the recipe, raised with every change that can show in its result.
pub const REVISION: u32 = 1;

/// The recipe of programs that others built: see [`super::Recipe::Prebuilt`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrebuiltRecipe {
    /// The input with the archive.
    pub input: String,
    /// The output that is the ROCm tree, if the programs use one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rocm: Option<String>,
    /// The output that is the root in which the programs are proven. Without it, the host's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sysroot: Option<String>,
    /// The directory at which the programs are used.
    pub prefix: String,
}

impl OutputKind for PrebuiltRecipe {
    const NAME: &'static str = "prebuilt";
    const REVISION: u32 = REVISION;
    const ROLE: Option<OutputRole> = Some(OutputRole::Engine);

    fn inputs(&self) -> Vec<(InputKind, &str)> {
        vec![(InputKind::Release, &self.input)]
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

    fn origin(&self) -> Origin {
        Origin::Taken
    }

    fn build_root(&self) -> BuildRoot<'_> {
        BuildRoot::ProofOnly(self.sysroot.as_deref())
    }
}
