//! A build of llama.cpp on the page.

use std::fmt::Write as _;

use super::super::build_page;
use crate::gfx::GfxTarget;
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
    if !targets.is_empty() {
        fact(page, "GPUs", &targets.iter().map(GfxTarget::as_str).collect::<Vec<_>>().join(", "));
    }
    fact(page, "processor", llama::processor(recipe.cpu.as_deref(), &targets));
    build_page::variables(page, recipe);
    let _ = writeln!(
        page,
        "\nOptions that the recipe decides, where the source has them and the manifest does not:\n\n| option | value | why |\n\
         | --- | --- | --- |"
    );
    for decision in llama::decisions().iter().filter(|decision| decision.is_for(recipe.backend)) {
        let _ = writeln!(page, "| `{}` | {} | {} |", decision.names(), decision.value(), decision.why);
    }
}
