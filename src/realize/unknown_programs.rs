//! Refuses programs that the pinned llama.cpp does not build: roots of runtimes, and programs of images.

use crate::error::{Error, Kind, Result};
use crate::llama_source::{CMakeFiles, Programs};
use crate::lock::Lock;
use crate::recipe::prebuilt::layout;
use crate::recipe::{LlamaRecipe, PrebuiltRecipe, Recipe};
use crate::store::Store;
use crate::suggest::suggest;
use crate::tree::Node;

/// Fails if an output wants a program that its llama.cpp does not build. Uses no network: sources that the store lacks
/// are skipped, and so are those whose CMake files do not name their programs.
pub fn demand_programs(lock: &Lock, store: &Store) -> Result<()> {
    for (name, output) in &lock.outputs {
        if let Recipe::Prebuilt(recipe) = &output.recipe {
            demand_prebuilt(lock, store, recipe, &[]).map_err(|error| error.about(format!("output `{name}`")))?;
        }
        let (build, wanted): (_, Vec<&String>) = match &output.recipe {
            Recipe::Runtime(runtime) => (Some(&runtime.llama), runtime.roots.iter().collect()),
            Recipe::Vulkan(vulkan) => (Some(&vulkan.engine), vulkan.roots.iter().collect()),
            Recipe::Image(image) => (image.llama.as_ref(), image.program.iter().collect()),
            _ => continue,
        };
        let recipe = build.and_then(|build| lock.outputs.get(build)).map(|output| &output.recipe);
        if let Some(Recipe::Prebuilt(recipe)) = recipe {
            demand_prebuilt(lock, store, recipe, &wanted).map_err(|error| error.about(format!("output `{name}`")))?;
        }
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

/// Fails if an archive of programs cannot be an output, or lacks a wanted program.
fn demand_prebuilt(lock: &Lock, store: &Store, recipe: &PrebuiltRecipe, wanted: &[&String]) -> Result<()> {
    let input = lock.inputs.get(&recipe.input);
    let tree = input.and_then(|input| input.tree()).and_then(|pin| store.tree(pin.digest));
    let Some((input, tree)) = input.zip(tree) else { return Ok(()) };
    let listing = layout(&tree.listing()?)?;
    let programs = listing.entries().iter().filter_map(|entry| {
        let name = std::str::from_utf8(entry.path.strip_prefix(b"bin/")?).ok()?;
        (!matches!(entry.node, Node::Directory) && !name.contains('/')).then_some(name)
    });
    let programs: Vec<&str> = programs.collect();
    for program in wanted {
        if !programs.contains(&program.as_str()) {
            return Err(Error::new(Kind::Invalid, format!("the archive has no program `{program}`"))
                .fact("archive", format!("{} {}", recipe.input, input.version()))
                .hint(suggest(program, programs.into_iter().filter(|name| !name.contains(".so")))));
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
