//! The interface of every kind of output for lock and plan: its name, its parts, and the rules for it.
//!
//! A kind answers from its recipe alone. Further interfaces, each in its own module, read an output from a manifest,
//! make it and describe it on the audit page (see docs/adding-an-output-kind.md).

use super::build::CMakeBuild;
use crate::gfx::GfxTarget;
use crate::inputs::InputKind;

/// The part that an output plays for others, whatever its kind: a build may be compiled here or published by others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputRole {
    /// A ROCm tree.
    Rocm,
    /// A root file system of packages or of a base image.
    Sysroot,
    /// Programs that compute with ROCm or without it, such as a build of llama.cpp.
    Engine,
    /// The files of a ROCm tree, or of Vulkan drivers, that an engine needs.
    Runtime,
}

/// A kind of output. The list of kinds is in [`super::Recipe`].
pub trait OutputKind {
    /// The `type` field.
    const NAME: &'static str;

    /// The revision of the rules that `lock::derivation` cannot describe: unpacking, trimming, decisions from a source
    /// at build time. Raised with every change of them that can show in a tree; tests/golden fails until then.
    const REVISION: u32;

    /// The part that an output of this kind can play for others.
    const ROLE: Option<OutputRole> = None;

    /// True for an engine with programs whose names are known: a runtime for it needs no `roots` in the manifest.
    const HAS_KNOWN_PROGRAMS: bool = true;

    /// True if a source may be an unpacked archive instead of a commit.
    const TAKES_ARCHIVES: bool = false;

    /// Returns kinds and names of the inputs that the output is made from.
    fn inputs(&self) -> Vec<(InputKind, &str)>;

    /// Returns roles and names of the outputs that the output is made from.
    fn outputs(&self) -> Vec<(OutputRole, &str)> {
        Vec::new()
    }

    /// Returns the output that is the ROCm tree of an engine or runtime, if it has one.
    fn rocm(&self) -> Option<&str> {
        None
    }

    /// Returns the output that this one is laid over, if it is laid over one: it takes that one's place.
    fn base(&self) -> Option<&str> {
        None
    }

    /// Returns the GPUs that an engine is built for, if its recipe names them. Others are for that of their ROCm tree.
    fn gpus(&self) -> &[GfxTarget] {
        &[]
    }

    /// Returns the directory at which the output is used, if it is made for one.
    fn prefix(&self) -> Option<&str> {
        None
    }

    /// Returns the input whose tree is the output, if it is one unchanged. The lock then knows the tree without a seal.
    fn published(&self) -> Option<&str> {
        None
    }

    /// Returns the origin of the output's files.
    fn origin(&self) -> Origin {
        Origin::Made
    }

    /// Returns the recipe as that of a build with CMake, if it is one.
    fn cmake_build(&self) -> Option<&dyn CMakeBuild> {
        None
    }

    /// Returns the root of the sandbox that the output is built or proven in.
    fn build_root(&self) -> BuildRoot<'_> {
        BuildRoot::NoSandbox
    }

    /// Returns true for an image of other outputs. Images are made only when they are named.
    fn is_image(&self) -> bool {
        false
    }

    /// Returns true for a root file system. One that only images use is made only with them.
    fn is_root(&self) -> bool {
        false
    }
}

/// The origin of an output's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From an input, unchanged.
    Taken,
    /// From other outputs.
    Chosen,
    /// From the recipe: no input or other output has them.
    Made,
}

/// The root of the sandbox that an output is made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildRoot<'a> {
    /// No sandbox is needed.
    NoSandbox,
    /// The host's own `/usr`.
    Host,
    /// The tree of an output.
    Output(&'a str),
    /// Nothing is built: what uses the output is proven in the tree of this output, or in the host's own `/usr`.
    ProofOnly(Option<&'a str>),
    /// The root that another output was built in: the output is proven there.
    RootOf(&'a str),
}
