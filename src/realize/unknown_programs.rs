//! Refuses programs that the pinned llama.cpp does not build: roots of runtimes, and programs of images.

use crate::error::{Error, Kind, Result};
use crate::llama_source::{CMakeFiles, Programs};
use crate::lock::Lock;
use crate::recipe::{LlamaRecipe, Recipe};
use crate::store::Store;

/// Fails if an output wants a program that its llama.cpp does not build. Uses no network: sources that the store lacks
/// are skipped, and so are those whose CMake files do not name their programs.
pub fn demand_programs(lock: &Lock, store: &Store) -> Result<()> {
    for (name, output) in &lock.outputs {
        let (build, wanted): (_, Vec<&String>) = match &output.recipe {
            Recipe::Runtime(runtime) => (Some(&runtime.llama), runtime.roots.iter().collect()),
            Recipe::Image(image) => (image.llama.as_ref(), image.program.iter().collect()),
            _ => continue,
        };
        let recipe = build.and_then(|build| lock.outputs.get(build)).map(|output| &output.recipe);
        let Some(Recipe::Llama(recipe)) = recipe.filter(|_| !wanted.is_empty()) else { continue };
        let Some(programs) = programs(lock, store, recipe)? else { continue };
        let is_on = |option: &str| recipe.cmake.get(option).is_some_and(|value| matches!(value.as_str(), "ON" | "1"));
        for program in wanted {
            if let Some((why, hint)) = programs.lack(program, is_on) {
                let version = lock.inputs.get(&recipe.source).map(|input| input.version()).unwrap_or_default();
                return Err(Error::new(Kind::Invalid, why)
                    .about(format!("output `{name}`"))
                    .fact("source", format!("{} {version}", recipe.source))
                    .hint(hint));
            }
        }
    }
    Ok(())
}

/// Reads the programs of a build's source, if the store has it.
fn programs(lock: &Lock, store: &Store, recipe: &LlamaRecipe) -> Result<Option<Programs>> {
    let pin = lock.inputs.get(&recipe.source).and_then(|input| input.tree());
    let tree = pin.and_then(|pin| store.tree(pin.digest));
    tree.map(|tree| Ok(Programs::of(&CMakeFiles::read(&tree)?))).transpose()
}
