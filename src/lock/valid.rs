//! Validates names and blocks of a lock by the rules of a manifest. Names become file names, prefixes become
//! directories and URLs become arguments, and a lock may come from elsewhere.

use super::derivation::Derive as _;
use crate::inputs::LockedInput;
use crate::manifest::rules;
use crate::recipe::{Recipe, each_output};

/// Returns the fault of an input's block, if any.
pub(super) fn input(name: &str, input: &LockedInput) -> Option<String> {
    if !rules::is_name(name) {
        return Some("invalid name".to_owned());
    }
    input.fault()
}

/// Returns the fault of an output's block, if any.
pub(super) fn output(name: &str, recipe: &Recipe) -> Option<String> {
    if !rules::is_name(name) || rules::is_reserved(name) {
        return Some("invalid name".to_owned());
    }
    if recipe.prefix().is_some_and(|prefix| !rules::is_prefix(prefix)) {
        return Some("invalid prefix".to_owned());
    }
    each_output!(recipe, recipe => recipe.fault())
}
