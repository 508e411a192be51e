//! Recipe `sysroot`: distribution packages unpacked into one tree, without running anything of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::OutputKind;
use crate::inputs::InputKind;

/// Grows with every change of this recipe that can show in its result.
pub const REVISION: u32 = 1;

/// See [`super::Recipe::Sysroot`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SysrootRecipe {
    /// The input with the packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<String>,
    /// In place of them, the input that is a base image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Links to make, path and target, beside those that the recipe makes by itself ([`LINKS`]).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
}

impl OutputKind for SysrootRecipe {
    const NAME: &'static str = "sysroot";
    const REVISION: u32 = REVISION;

    fn inputs(&self) -> Vec<(InputKind, &str)> {
        let image = self.image.iter().map(|name| (InputKind::Oci, name.as_str()));
        self.packages.iter().map(|name| (InputKind::Debs, name.as_str())).chain(image).collect()
    }

    fn is_root(&self) -> bool {
        true
    }
}

/// The links that maintainer scripts would have made, as path and target: each is made where nothing stands at the path and
/// its target is there; of several for one path, the first that can be. Those of `update-alternatives` have the order of
/// its priorities.
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
