//! A build of llama.cpp on the page.

use std::fmt::Write as _;

use crate::gfx::GfxTarget;
use crate::inputs::LockedInput;
use crate::lock::Lock;
use crate::page::fact;
use crate::recipe::{LlamaRecipe, Recipe, llama};

/// Describes the build and its environment, for which alone the result holds.
pub(super) fn llama(page: &mut String, lock: &Lock, recipe: &LlamaRecipe) {
    let _ = writeln!(
        page,
        "Input `{}` built with CMake and Ninja for `{}` at `{}`, without network, at fixed paths, with the build \
         number and commit of the pin.\n",
        recipe.source,
        recipe.backend.name(),
        recipe.prefix
    );
    match &recipe.sysroot {
        Some(sysroot) => {
            fact(page, "built in", &format!("the root of output {sysroot}, and nothing of the host but its kernel"));
        }
        None => {
            let _ = writeln!(
                page,
                "- built in: **the host's own `/usr`**, which is not pinned: the digest of the result holds for one \
                 machine in one state, and says nothing about others. An output `sysroot` in the manifest makes it \
                 the same everywhere."
            );
        }
    }
    let compiler = match recipe.rocm.as_ref().and_then(|name| Some((name, &lock.outputs.get(name)?.recipe))) {
        Some((name, Recipe::Rocm(rocm))) => {
            fact(page, "ROCm", &format!("output {name}, at {}", rocm.prefix));
            format!("clang of that ROCm, {}/lib/llvm/bin/clang", rocm.prefix)
        }
        _ if recipe.sysroot.is_some() => "cc and c++ of that root".to_owned(),
        _ => "cc and c++ of the host".to_owned(),
    };
    fact(page, "compiler", &compiler);
    match &recipe.ui {
        Some(ui) => fact(page, "web UI", &format!("input {ui}")),
        None => page.push_str("- web UI: none is added to the sources\n"),
    }
    let gpu = gpu(lock, recipe);
    fact(page, "processor", llama::processor(recipe.cpu.as_deref(), gpu));
    let _ = writeln!(
        page,
        "\nAll CMake variables, the environment and the versions of the tools: `strixlock log OUTPUT --about`."
    );
    if !recipe.cmake.is_empty() {
        let _ = writeln!(page, "\nCMake variables from the manifest:\n");
        for (name, value) in &recipe.cmake {
            fact(page, name, value);
        }
    }
    let _ = writeln!(
        page,
        "\nOptions that the recipe decides, where the source has them and the manifest does not:\n\n| option | value | why |\n\
         | --- | --- | --- |"
    );
    for decision in llama::decisions().iter().filter(|decision| decision.is_for(recipe.backend)) {
        let _ = writeln!(page, "| `{}` | {} | {} |", decision.names(), decision.value(), decision.why);
    }
}

/// Returns the GPU of a build.
fn gpu<'l>(lock: &'l Lock, recipe: &LlamaRecipe) -> Option<&'l GfxTarget> {
    let Recipe::Rocm(rocm) = &lock.outputs.get(recipe.rocm.as_ref()?)?.recipe else { return None };
    let LockedInput::Rocm(block) = lock.inputs.get(&rocm.input)? else { return None };
    Some(&block.requested.target)
}
