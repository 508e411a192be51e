//! Recipe `runtime`: the parts of a ROCm tree that a llama.cpp build needs, after a proof that programs run with them.
//!
//! These files are computed from the files themselves (see `trim`). Needs that no file shows are edges: a library opens
//! or reads something at run time. Each edge has a reason. Edges that hold for everyone come with the program
//! (`manifests/rules.toml`). A recipe adds its own. They are in the manifest and not in another file, so that the lock
//! has them and realizing reads nothing else.

use serde::{Deserialize, Serialize};

use super::{BuildRoot, Origin, OutputKind, OutputRole};
use crate::inputs::InputKind;

/// Revision of the recipe, raised with every change that can show in its result.
pub const REVISION: u32 = 4;

/// The recipe of a runtime: see [`super::Recipe::Runtime`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeRecipe {
    /// The ROCm output that is trimmed.
    pub rocm: String,
    /// The engine that must run: a build of llama.cpp, or another. The name in locks is from when there was no other.
    pub llama: String,
    /// The programs of the engine that must run.
    pub roots: Vec<String>,
    /// Edges in addition to the known ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<Edge>,
    /// Leave out the known edges.
    #[serde(rename = "own-edges-only", default, skip_serializing_if = "std::ops::Not::not")]
    pub own_edges_only: bool,
}

impl OutputKind for RuntimeRecipe {
    const NAME: &'static str = "runtime";
    const REVISION: u32 = REVISION;
    const ROLE: Option<OutputRole> = Some(OutputRole::Runtime);

    fn inputs(&self) -> Vec<(InputKind, &str)> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<(OutputRole, &str)> {
        vec![(OutputRole::Rocm, &self.rocm), (OutputRole::Engine, &self.llama)]
    }

    fn rocm(&self) -> Option<&str> {
        Some(&self.rocm)
    }

    fn origin(&self) -> Origin {
        Origin::Chosen
    }

    fn build_root(&self) -> BuildRoot<'_> {
        BuildRoot::RootOf(&self.llama)
    }
}

/// Something in the ROCm tree that a library or program uses at run time and that no `DT_NEEDED` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// The library (without a version: `libamdhip64.so`) or program that uses it, of ROCm or of llama.cpp.
    pub from: String,
    /// The library, path or kernels that it uses.
    pub to: Target,
    /// For kernels: file names of the tables by which the library finds them, with `@GFXARCH@` for the GPU and `*` for
    /// any end. At least one must exist for the target, directly or in a directory for each GPU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// The reason, as the end of a sentence.
    pub reason: String,
    /// The versions of ROCm in which the edge was seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
    /// A tree that has the library but not the target is broken. Otherwise the target is kept if it exists.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

/// The target of an [`Edge`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// A library, with or without a version: `libhiprtc.so`. It is searched in the directories in which the
    /// library or program of the edge searches, then in the whole tree. With directories, as in `plugins/libx.so.1`, it
    /// is searched below each of them.
    Library(String),
    /// A file or a whole directory, by its path in the tree. Libraries and programs there are kept with their own
    /// needs.
    Path(String),
    /// The kernels for the target in a directory, by its path from the library's directory.
    Kernels(String),
}

impl Target {
    /// Returns the name or path.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Library(name) | Self::Path(name) | Self::Kernels(name) => name,
        }
    }
}

impl RuntimeRecipe {
    /// Returns the known edges, unless left out or overridden by an edge of the recipe, and then the recipe's own
    /// edges.
    #[must_use]
    pub fn all_edges<'e>(&'e self, known: &'e [Edge]) -> Vec<Edge> {
        let own = |edge: &Edge| self.edges.iter().any(|own| own.from == edge.from && own.to == edge.to);
        let known = known.iter().filter(|edge| !self.own_edges_only && !own(edge));
        known.chain(&self.edges).cloned().collect()
    }
}
