//! A build of any project on the page.

use std::fmt::Write as _;

use super::super::build_page;
use crate::lock::Lock;
use crate::page::fact;
use crate::recipe::CMakeRecipe;

/// Describes the build and its environment, for which alone the result holds.
pub(super) fn cmake(page: &mut String, lock: &Lock, recipe: &CMakeRecipe) {
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "Input `{}` built with CMake and Ninja at `{}`, without network, at fixed paths.\n",
        recipe.source, recipe.prefix
    );
    if !recipe.source_directory.is_empty() {
        fact(page, "project", &format!("the directory {}", recipe.source_directory));
    }
    build_page::environment(page, lock, recipe);
    for (label, names) in [("targets", &recipe.targets), ("components", &recipe.components)] {
        if !names.is_empty() {
            fact(page, label, &names.join(", "));
        }
    }
    build_page::commands(page, lock, recipe);
}
