//! Recipe `sysroot`: distribution packages, or a base image, unpacked into one tree without running any of their
//! programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{OutputKind, OutputRole};
use crate::inputs::InputKind;

/// Revision of the recipe, raised with every change that can show in its result.
pub const REVISION: u32 = 1;

/// The recipe of a root file system: see [`super::Recipe::Sysroot`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SysrootRecipe {
    /// The input with the packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<String>,
    /// The input that is a base image, instead of packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Links to make, as path and target, besides the recipe's own ([`LINKS`]).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
}

impl OutputKind for SysrootRecipe {
    const NAME: &'static str = "sysroot";
    const REVISION: u32 = REVISION;
    const ROLE: Option<OutputRole> = Some(OutputRole::Sysroot);

    fn inputs(&self) -> Vec<(InputKind, &str)> {
        let image = self.image.iter().map(|name| (InputKind::Oci, name.as_str()));
        self.packages.iter().map(|name| (InputKind::Debs, name.as_str())).chain(image).collect()
    }

    fn is_root(&self) -> bool {
        true
    }
}

/// Links that maintainer scripts would have made, as path and target. A link is made if its path is free and its target
/// exists; of several for one path, the first such one. Links of `update-alternatives` are in the order of its
/// priorities.
pub const LINKS: &[(&str, &str)] = &[
    ("usr/bin/awk", "gawk"),
    ("usr/bin/awk", "mawk"),
    ("usr/bin/awk", "original-awk"),
    ("usr/bin/nawk", "gawk"),
    ("usr/bin/nawk", "mawk"),
    ("usr/bin/nawk", "original-awk"),
    ("usr/bin/cc", "gcc"),
    ("usr/bin/cc", "clang"),
    ("usr/bin/c++", "g++"),
    ("usr/bin/c++", "clang++"),
    ("usr/bin/c89", "c89-gcc"),
    ("usr/bin/c99", "c99-gcc"),
    ("usr/bin/ld", "x86_64-linux-gnu-ld"),
    ("usr/bin/ld", "aarch64-linux-gnu-ld"),
    ("usr/bin/ld", "ld.lld"),
    ("usr/bin/pkg-config", "pkgconf"),
    ("usr/bin/python3", "python3.13"),
    ("usr/bin/python3", "python3.12"),
    ("usr/bin/python3", "python3.11"),
    ("usr/bin/sh", "dash"),
    ("usr/bin/sh", "bash"),
    ("usr/bin/which", "which.debianutils"),
    ("usr/bin/yacc", "bison.yacc"),
    ("usr/lib/x86_64-linux-gnu/libblas.so", "openblas-pthread/libblas.so"),
    ("usr/lib/x86_64-linux-gnu/libblas.so", "blas/libblas.so"),
    ("usr/lib/x86_64-linux-gnu/libblas.so.3", "openblas-pthread/libblas.so.3"),
    ("usr/lib/x86_64-linux-gnu/libblas.so.3", "blas/libblas.so.3"),
    ("usr/lib/x86_64-linux-gnu/liblapack.so", "openblas-pthread/liblapack.so"),
    ("usr/lib/x86_64-linux-gnu/liblapack.so", "lapack/liblapack.so"),
    ("usr/lib/x86_64-linux-gnu/liblapack.so.3", "openblas-pthread/liblapack.so.3"),
    ("usr/lib/x86_64-linux-gnu/liblapack.so.3", "lapack/liblapack.so.3"),
];
