//! What no update would write. Names become file names, prefixes places, and URLs arguments: a lock from elsewhere is
//! held to the same rules as a manifest.

use crate::inputs::LockedInput;
use crate::manifest::rules;
use crate::oci::is_repository;
use crate::recipe::{ImageRecipe, Recipe};

/// What is wrong with a pin, if anything.
pub(super) fn input(name: &str, input: &LockedInput) -> Option<String> {
    if !rules::is_name(name) {
        return Some("this cannot be a name".to_owned());
    }
    input.fault()
}

/// What is wrong with a recipe, if anything.
pub(super) fn output(name: &str, recipe: &Recipe) -> Option<String> {
    if !rules::is_name(name) || rules::is_reserved(name) {
        return Some("this cannot be a name".to_owned());
    }
    if recipe.prefix().is_some_and(|prefix| !rules::is_prefix(prefix)) {
        return Some("its prefix is not a place that it can have".to_owned());
    }
    match recipe {
        Recipe::Sysroot(recipe) => {
            let wrong = recipe.links.iter().any(|(path, target)| !rules::is_link(path, target));
            wrong.then(|| "its links are not paths and targets".to_owned())
        }
        Recipe::Llama(recipe) => {
            let wrong = recipe.cmake.keys().find(|name| !rules::is_cmake_name(name));
            wrong.map(|_| "it names something that cannot be a CMake variable".to_owned())
        }
        Recipe::Runtime(recipe) => {
            if recipe.roots.is_empty() || recipe.roots.iter().any(|root| !rules::is_program(root)) {
                return Some("its roots are not names of programs".to_owned());
            }
            let wrong = recipe.edges.iter().any(|edge| !rules::is_edge(edge));
            wrong.then(|| "its edges are not libraries and what they take".to_owned())
        }
        Recipe::Image(recipe) => image(recipe),
        Recipe::Rocm(_) | Recipe::Model(_) => None,
    }
}

fn image(recipe: &ImageRecipe) -> Option<String> {
    let sound = is_repository(&recipe.name)
        && recipe.program.as_deref().is_none_or(rules::is_program)
        && recipe.user.as_deref().is_none_or(rules::is_user)
        && recipe.environment.iter().all(|(name, value)| rules::is_variable(name, value))
        && recipe.labels.iter().all(|(name, value)| rules::is_label(name, value));
    (!sound).then(|| "its name, program, user, variables or labels are none that an image can have".to_owned())
}
