//! A build with CMake on the page: lines that all kinds of it share.

use std::fmt::Write as _;

use crate::lock::Lock;
use crate::page::fact;
use crate::recipe::CMakeBuild;

/// Writes the root of the build, for which alone the result holds, its ROCm and its compiler.
pub(super) fn environment(page: &mut String, lock: &Lock, recipe: &dyn CMakeBuild) {
    let project = recipe.project();
    match project.sysroot {
        Some(sysroot) => {
            fact(page, "built in", &format!("the root of output {sysroot}, and nothing of the host but its kernel"));
        }
        None => {
            // Writing to a String cannot fail.
            let _ = writeln!(
                page,
                "- built in: **the host's own `/usr`**, which is not pinned: the digest of the result holds for one \
                 machine in one state, and says nothing about others. An output `sysroot` in the manifest makes it \
                 the same everywhere."
            );
        }
    }
    let rocm = project.rocm.and_then(|name| Some((name, lock.prefix_of(name)?)));
    let compiler = match rocm {
        Some((name, prefix)) => {
            fact(page, "ROCm", &format!("output {name}, at {prefix}"));
            format!("clang of that ROCm, {prefix}/lib/llvm/bin/clang")
        }
        None if project.sysroot.is_some() => "cc and c++ of that root".to_owned(),
        None => "cc and c++ of the host".to_owned(),
    };
    fact(page, "compiler", &compiler);
}

/// Writes the variables of the manifest, and the command that prints all.
pub(super) fn variables(page: &mut String, recipe: &dyn CMakeBuild) {
    let _ = writeln!(
        page,
        "\nAll CMake variables, the environment and the versions of the tools: `strixlock log OUTPUT --about`."
    );
    let project = recipe.project();
    for (title, variables) in [("CMake", project.cmake), ("Environment", project.environment)] {
        if !variables.is_empty() {
            let _ = writeln!(page, "\n{title} variables from the manifest:\n");
            for (name, value) in variables {
                fact(page, name, value);
            }
        }
    }
}
