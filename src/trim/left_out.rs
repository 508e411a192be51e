//! Kinds of files that are left out, so that a person can see whether a file was meant to be.
//!
//! Nothing is decided here: files that no rule keeps are left out. Their kinds are told by path and name.

use std::collections::BTreeMap;
use std::fmt;

use super::library_names::stem;
use super::mount::Mount;
use super::targets::{Mention, mentions_any};
use crate::gfx::GfxTarget;
use crate::tree::Node;
use crate::tree::path::file_name;

/// The kind of a file that was left out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LeftOut {
    /// Kernels, archives or tables for another GPU.
    OtherTarget,
    /// A shared library.
    Library,
    /// Kernels or an archive of GPU code, for the target or for all GPUs, that no kept library uses.
    Kernels,
    /// A symbolic link.
    Link,
    /// A program.
    Program,
    /// A part of the compiler.
    Compiler,
    /// Headers, static libraries and files for build systems.
    Development,
    /// Documentation, except licences.
    Documentation,
    /// Anything else.
    Other,
}

impl LeftOut {
    /// Returns the kind as one or two words, for columns.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::OtherTarget => "other GPU",
            Self::Library => "library",
            Self::Kernels => "kernels",
            Self::Link => "link",
            Self::Program => "program",
            Self::Compiler => "compiler",
            Self::Development => "development",
            Self::Documentation => "documentation",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherTarget => "is for another GPU",
            Self::Library => "is a library that no root needs, that no kept file names, and that no edge leads to",
            Self::Kernels => "is GPU code that no kept library uses",
            Self::Link => "is an unused symlink",
            Self::Program => "is a program that was not requested",
            Self::Compiler => "is a part of the compiler, which no kept file runs",
            Self::Development => "is for building against ROCm, not for running",
            Self::Documentation => "is documentation other than a licence",
            Self::Other => "is not used by any kept file",
        })
    }
}

/// Returns the files and links of a tree that are not kept, by path in the tree.
pub(super) fn left_out(
    mount: &Mount,
    targets: &[GfxTarget],
    is_kept: impl Fn(&[u8]) -> bool,
) -> BTreeMap<Vec<u8>, LeftOut> {
    let all = mount.below(b"").filter(|(path, node)| **node != Node::Directory && !is_kept(path));
    all.map(|(path, node)| (path.to_vec(), classify(path, node, targets))).collect()
}

fn classify(path: &[u8], node: &Node, targets: &[GfxTarget]) -> LeftOut {
    let name = file_name(path);
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending.as_bytes()));
    let below = |directories: &[&str]| directories.iter().any(|directory| path.starts_with(directory.as_bytes()));
    let within = |part: &str| path.windows(part.len()).any(|window| window == part.as_bytes());
    if matches!(node, Node::Link { .. }) {
        return LeftOut::Link;
    }
    if below(&["include/"]) || within("/cmake/") || within("/pkgconfig/") {
        return LeftOut::Development;
    }
    if within("/library/") || below(&[".kpack/"]) || ends(&[".kpack", ".hsaco", ".co", ".kdb", ".fdb"]) {
        let others = mentions_any(path, targets) == Mention::Others;
        return if others { LeftOut::OtherTarget } else { LeftOut::Kernels };
    }
    if below(&["lib/llvm/", "llvm/"]) {
        return LeftOut::Compiler;
    }
    if stem(name).is_some() {
        return LeftOut::Library;
    }
    if ends(&[".a", ".h", ".hpp", ".o", ".la", ".pc", ".cmake"]) {
        return LeftOut::Development;
    }
    if below(&["share/doc/", "share/man/", "share/html/", "doc/"]) {
        return LeftOut::Documentation;
    }
    match node {
        Node::File { executable: true, .. } => LeftOut::Program,
        _ => LeftOut::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;

    #[test]
    fn what_is_left_out_is_told_by_its_place() {
        let targets = ["gfx1151", "gfx1201"].map(|name| name.parse().unwrap());
        let file = |executable| Node::File { executable, size: 0, digest: Sha256Digest::of(b"") };
        for (path, executable, expected) in [
            ("include/hip/gfx900.h", false, LeftOut::Development),
            ("lib/cmake/hip/hip-config.cmake", false, LeftOut::Development),
            ("lib/librocrand_static.a", false, LeftOut::Development),
            (".kpack/blas_lib_gfx1100.kpack", false, LeftOut::OtherTarget),
            ("lib/rocblas/library/gfx1100/a.dat", false, LeftOut::OtherTarget),
            ("lib/rocsparse/library/kernels_gfx1151.hsaco", false, LeftOut::Kernels),
            ("lib/rocsparse/library/kernels_gfx1201.hsaco", false, LeftOut::Kernels),
            ("lib/libMIOpen.so.1.0", true, LeftOut::Library),
            ("lib/llvm/bin/clang", true, LeftOut::Compiler),
            ("bin/rocm_agent_enumerator", true, LeftOut::Program),
            ("share/doc/hip/guide.md", false, LeftOut::Documentation),
            ("lib/rocfft/empty.db", false, LeftOut::Other),
        ] {
            assert_eq!(classify(path.as_bytes(), &file(executable), &targets), expected, "{path}");
        }
        let link = Node::Link { target: b"libx.so.1".to_vec() };
        assert_eq!(classify(b"lib/libx.so", &link, &targets), LeftOut::Link);
    }
}
