//! Refuses sources without a project in the directory that an output of type `cmake` names.

use crate::error::{Error, Kind, Result};
use crate::lock::Lock;
use crate::recipe::Recipe;
use crate::store::Store;
use crate::text::visible;
use crate::tree::Listing;

/// Name of the file that makes a directory a project.
const FILE: &str = "CMakeLists.txt";
/// Most directories that an error lists.
const LISTED: usize = 10;

/// Fails if an output is built from a directory without a project. Uses no network: sources that the store lacks are
/// skipped.
pub fn demand_projects(lock: &Lock, store: &Store) -> Result<()> {
    for (name, output) in &lock.outputs {
        let Recipe::CMake(recipe) = &output.recipe else { continue };
        let Some(input) = lock.inputs.get(&recipe.source) else { continue };
        let Some(tree) = input.tree().and_then(|tree| store.tree(tree.digest)) else { continue };
        let listing = tree.listing()?;
        if !has_project(&listing, &recipe.source_directory) {
            let source = format!("{} {}", recipe.source, input.version());
            return Err(no_project(&listing, &recipe.source_directory)
                .about(format!("output `{name}`"))
                .fact("source", source));
        }
    }
    Ok(())
}

fn has_project(listing: &Listing, directory: &str) -> bool {
    let path = if directory.is_empty() { FILE.to_owned() } else { format!("{directory}/{FILE}") };
    listing.get(path.as_bytes()).is_some()
}

fn no_project(listing: &Listing, directory: &str) -> Error {
    let place = if directory.is_empty() { "at its top".to_owned() } else { format!("in `{}`", visible(directory)) };
    let error = Error::new(Kind::Invalid, format!("the source has no {FILE} {place}"));
    let mut others: Vec<String> = { listing.entries().iter() }
        .filter_map(|entry| std::str::from_utf8(&entry.path).ok()?.strip_suffix(&format!("/{FILE}")))
        .map(visible)
        .collect();
    // The outermost are the projects; those below are their parts.
    others.sort_by_key(|path| path.matches('/').count());
    others.truncate(LISTED);
    if others.is_empty() {
        return error.hint("the output needs a source that is built with CMake");
    }
    error
        .fact("it has one in", others.join(", "))
        .hint("the field `source-directory` names the directory of the project")
}
