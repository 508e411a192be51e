//! Recipe `runtime`: the parts of a ROCm tree that a llama.cpp build needs, after a proof that they run.
//!
//! Which files those are is computed from the files themselves (see `trim`). What no file shows is in the edges: what a
//! library opens or reads at run time, each with its reason. Edges that are known for all come with the program
//! (`manifests/rules.toml`); those of a recipe are added to them, in the manifest itself rather than in a file that it names,
//! so that the lock holds them and nothing else has to be read to realize it.

use serde::{Deserialize, Serialize};

use super::{BuildRoot, Files, OutputKind};
use crate::inputs::InputKind;

/// Grows with every change of this recipe that can show in its result.
pub const REVISION: u32 = 4;

/// See [`super::Recipe::Runtime`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeRecipe {
    /// The output that is trimmed.
    pub rocm: String,
    /// The output that must still run.
    pub llama: String,
    /// The programs of `llama` that must still run.
    pub roots: Vec<String>,
    /// Edges besides the known ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<Edge>,
    /// Whether the known edges are left out.
    #[serde(rename = "own-edges-only", default, skip_serializing_if = "std::ops::Not::not")]
    pub own_edges_only: bool,
}

impl OutputKind for RuntimeRecipe {
    const NAME: &'static str = "runtime";
    const REVISION: u32 = REVISION;

    fn inputs(&self) -> Vec<(InputKind, &str)> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<(&'static str, &str)> {
        vec![("rocm", &self.rocm), ("llama", &self.llama)]
    }

    fn files(&self) -> Files {
        Files::Chosen
    }

    fn build_root(&self) -> BuildRoot<'_> {
        BuildRoot::RootOf(&self.llama)
    }
}

/// Something of the ROCm tree that a library or program takes at run time and that no `DT_NEEDED` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// The library that takes it, without a version (`libamdhip64.so`), or the program; of ROCm or of llama.cpp.
    pub from: String,
    /// What it takes.
    pub to: Target,
    /// Of kernels, the names of the tables by which the library finds them, with `@GFXARCH@` for the GPU and `*` for whatever is
    /// behind: one must be there for the target, flat or in a directory for each GPU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// What for, as the end of a sentence.
    pub reason: String,
    /// The versions of ROCm in which this was seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
    /// Whether a tree that has the library and not this is broken; else it is kept where it is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

/// What an [`Edge`] leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// A library, with or without a version: `libhiprtc.so`. Looked for where what opens it looks, and where it is not there, in all
    /// of the tree. With directories before it, as in `plugins/libx.so.1`, it is looked for below each of those places and in the tree.
    Library(String),
    /// A file or all of a directory, by its path in the tree. Libraries and programs there are kept with what they need.
    Path(String),
    /// The kernels for the target in a directory, by its path from the library's own.
    Kernels(String),
}

impl Target {
    /// The name or path.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Library(name) | Self::Path(name) | Self::Kernels(name) => name,
        }
    }
}

impl RuntimeRecipe {
    /// The edges that count: the known ones, unless they are not wanted or the recipe says otherwise of the same, then the recipe's own.
    #[must_use]
    pub fn all_edges<'e>(&'e self, known: &'e [Edge]) -> Vec<Edge> {
        let own = |edge: &Edge| self.edges.iter().any(|own| own.from == edge.from && own.to == edge.to);
        let known = known.iter().filter(|edge| !self.own_edges_only && !own(edge));
        known.chain(&self.edges).cloned().collect()
    }
}
