//! A build of llama.cpp in REPRODUCIBLE.md.

use std::fmt::Write as _;

use super::super::build_page;
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
    build_page::environment(page, lock, recipe);
    match &recipe.ui {
        Some(ui) => fact(page, "web UI", &format!("input {ui}")),
        None => page.push_str("- web UI: none is added to the sources\n"),
    }
    let targets = lock.targets(&Recipe::Llama(recipe.clone()));
    fact(page, "processor", llama::processor(recipe.cpu.as_deref(), &targets));
    build_page::commands(page, lock, recipe);
    let _ = writeln!(page, "- options that the recipe decides: in a list at the end, with the reasons");
}

/// Writes the options that the recipe decides.
pub(super) fn lists(name: &str, page: &mut String, recipe: &LlamaRecipe) {
    let _ = writeln!(
        page,
        "\n### Options of {name}\n\nThe recipe decides these, where the source has them and the manifest does not.\n\n\
         | option | value | why |\n| --- | --- | --- |"
    );
    for decision in llama::decisions().iter().filter(|decision| decision.is_for(recipe.backend)) {
        let _ = writeln!(page, "| `{}` | {} | {} |", decision.names(), decision.value(), decision.why);
    }
}

/// Returns sentences about what nobody verifies.
pub(super) fn unverified(recipe: &LlamaRecipe) -> Vec<String> {
    let with_subprocess = "llama-server may start programs of the machine, if its options say so (`LLAMA_SUBPROCESS`).";
    let off = ["LLAMA_SUBPROCESS", "LLAMA_BUILD_SERVER"]
        .iter()
        .any(|name| recipe.cmake.get(*name).is_some_and(|value| value == "OFF"));
    if off { Vec::new() } else { vec![with_subprocess.to_owned()] }
}
