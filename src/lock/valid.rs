//! What no update would write. Names become file names, prefixes places, and URLs arguments: a lock from elsewhere is
//! held to the same rules as a manifest.

use super::derivation::Derive as _;
use crate::inputs::LockedInput;
use crate::manifest::rules;
use crate::recipe::{Recipe, each_output};

/// What is wrong with a pin, if anything.
pub(super) fn input(name: &str, input: &LockedInput) -> Option<String> {
    if !rules::is_name(name) {
        return Some("this cannot be a name".to_owned());
    }
    input.fault()
}

/// Returns what is wrong with a recipe, if anything.
pub(super) fn output(name: &str, recipe: &Recipe) -> Option<String> {
    if !rules::is_name(name) || rules::is_reserved(name) {
        return Some("this cannot be a name".to_owned());
    }
    if recipe.prefix().is_some_and(|prefix| !rules::is_prefix(prefix)) {
        return Some("its prefix is not a place that it can have".to_owned());
    }
    each_output!(recipe, recipe => recipe.fault())
}
