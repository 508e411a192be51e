//! Choice of an image of the lock, and its realization if it is missing.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use super::Session;
use super::choices::BuildArgs;
use super::remote::take::Taking;
use crate::digest::{DerivationId, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::export::oci;
use crate::lock::{Lock, LockedOutput};
use crate::realize::{Plan, StepKind};
use crate::recipe::{ImageRecipe, OutputRole, Recipe};
use crate::store::{Store, StoredTree};
use crate::tree::{Node, show};

/// Returns the image outputs of the lock.
fn images(lock: &Lock) -> Vec<(&str, &ImageRecipe)> {
    lock.outputs.iter().filter_map(|(name, output)| Some((name.as_str(), as_image(output)?))).collect()
}

fn as_image(output: &LockedOutput) -> Option<&ImageRecipe> {
    if let Recipe::Image(recipe) = &output.recipe { Some(recipe) } else { None }
}

/// Returns the name of the only image of the lock.
pub fn only(lock: &Lock) -> Result<String> {
    one_of(&images(lock))
}

/// Returns the name of the image that fits best: for a server, one that runs llama-server; for a toolbox, one without a
/// program, preferably with all of ROCm. If the lock has only one image, it is used for both.
pub fn suitable(lock: &Lock, server: bool) -> Result<String> {
    let mut fit = images(lock);
    let wishes: [fn(&ImageRecipe) -> bool; 2] = if server {
        [ImageRecipe::is_server, |_| true]
    } else {
        [|image| image.program.is_none(), |image| image.rocm.is_some()]
    };
    for wish in wishes {
        let fewer: Vec<_> = fit.iter().copied().filter(|(_, recipe)| wish(recipe)).collect();
        if !fewer.is_empty() {
            fit = fewer;
        }
    }
    one_of(&fit)
}

fn one_of(images: &[(&str, &ImageRecipe)]) -> Result<String> {
    match images {
        [(one, _)] => Ok((*one).to_owned()),
        [] => Err(Error::new(Kind::NotFound, "the lock has no image")
            .hint("add an output of `type = \"image\"` to the manifest, then `strixlock update`")),
        many => {
            let names: Vec<&str> = many.iter().map(|(name, _)| *name).collect();
            Err(Error::new(Kind::Usage, "the lock has several images: name one").hint(names.join(", ")))
        }
    }
}

/// Returns the recipe of an image output.
pub fn recipe<'a>(lock: &'a Lock, name: &str) -> Option<&'a ImageRecipe> {
    as_image(lock.outputs.get(name)?)
}

/// A build of llama.cpp in an image.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// The tree of its sources, if it was built from any.
    pub source: Option<TreeDigest>,
    /// The id of the build.
    pub derivation: DerivationId,
}

/// Returns the build of llama.cpp in the image `name`, if it contains one.
pub fn llama(lock: &Lock, name: &str) -> Option<Build> {
    let built = lock.outputs.get(recipe(lock, name)?.llama.as_ref()?)?;
    let source = match &built.recipe {
        Recipe::Llama(recipe) => lock.inputs.get(&recipe.source).and_then(|input| input.tree()),
        recipe if recipe.is(OutputRole::Engine) => None,
        _ => return None,
    };
    let source = source.map(|tree| tree.digest);
    Some(Build { source, derivation: built.derivation })
}

/// Returns the names of the programs that the parts of the image `name` have; `None` if the store lacks a part.
pub fn programs(store: &Store, lock: &Lock, name: &str) -> Result<Option<BTreeSet<String>>> {
    let mut all = BTreeSet::new();
    let Some(recipe) = recipe(lock, name) else { return Ok(None) };
    for part in [&recipe.rocm, &recipe.runtime, &recipe.llama].into_iter().flatten() {
        let plan = Plan::new(lock, store, std::slice::from_ref(part))?;
        let step = plan.steps.iter().find(|step| step.what == StepKind::Output && step.name == *part);
        let Some(listing) = step.and_then(|step| step.tree).map(|tree| store.listing(tree)).transpose()?.flatten()
        else {
            return Ok(None);
        };
        let files = listing.entries().iter().filter(|entry| !matches!(entry.node, Node::Directory));
        all.extend(files.filter_map(|entry| Some(show(entry.path.strip_prefix(b"bin/")?))));
    }
    Ok(Some(all))
}

/// Returns the programs that an image of the lock is made for: its own, and the roots of its runtime.
pub fn named_programs(lock: &Lock, name: &str) -> Vec<String> {
    let Some(image) = recipe(lock, name) else { return Vec::new() };
    let mut all: Vec<String> = image.program.iter().cloned().collect();
    let runtime = image.runtime.as_ref().and_then(|runtime| lock.outputs.get(runtime));
    match runtime.map(|output| &output.recipe) {
        Some(Recipe::Runtime(runtime)) => all.extend(runtime.roots.iter().cloned()),
        Some(Recipe::Vulkan(runtime)) => all.extend(runtime.roots.iter().cloned()),
        _ => {}
    }
    all
}

/// Returns the engine in the image `name`, if it is one whose programs are not known.
pub fn other_engine<'l>(lock: &'l Lock, name: &str) -> Option<&'l str> {
    let engine = recipe(lock, name)?.llama.as_deref()?;
    (!lock.outputs.get(engine)?.recipe.has_known_programs()).then_some(engine)
}

/// Returns the layout of the image `name`. Makes it if it is not in the store.
pub fn realize(
    session: &Session,
    lock: &Lock,
    name: &str,
    jobs: Option<NonZeroUsize>,
    build: &BuildArgs,
) -> Result<StoredTree> {
    let store = session.store()?;
    if let Some(tree) = oci::realized(store, lock, name)? {
        return Ok(tree);
    }
    store.register_lock(&session.project.lock_path())?;
    let make_plan = || Plan::new(lock, store, &[name.to_owned()]);
    let plan = Taking::before_building(session, build)?.take_planned(lock, make_plan()?, &|_| false, &make_plan)?;
    let mut realized = session.caching_realizer(lock, jobs, build.builder.as_ref())?.run(&plan)?;
    let made = realized.remove(name).ok_or_else(|| Error::failure("the image was not built").about(name))?;
    Ok(made.tree)
}
