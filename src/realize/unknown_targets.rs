//! Refuses GPUs that the pinned ROCm has no code for.

use crate::error::{Error, Kind, Result};
use crate::gfx::GfxTarget;
use crate::inputs::rocm::Provenance;
use crate::lock::Lock;
use crate::store::Store;
use crate::suggest::nearest;
use crate::upstream::rocm::{families_with, known_targets};

/// Fails if an engine is for a GPU that its ROCm tree does not list (`share/therock/dist_info.json`). Uses no network:
/// trees that the store lacks are skipped, and so are those without a list. Their kernels are checked before a build.
pub fn demand_targets(lock: &Lock, store: &Store) -> Result<()> {
    for (name, output) in &lock.outputs {
        let named = output.recipe.gpus();
        let Some(rocm) = output.recipe.rocm().filter(|_| !named.is_empty()) else { continue };
        let Some((recipe, block)) = lock.published_rocm(rocm) else { continue };
        let Some(tree) = store.tree(block.locked.tree.digest) else { continue };
        let Some(listed) = Provenance::read(&tree.path)?.targets else { continue };
        let has = |target: &GfxTarget| listed.split([';', ',', ' ']).any(|one| one == target.as_str());
        let missing: Vec<&GfxTarget> = named.iter().filter(|target| !has(target)).collect();
        if missing.is_empty() {
            continue;
        }
        let lacking = missing.iter().map(|target| target.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Error::new(Kind::Invalid, format!("the pinned ROCm has no code for {lacking}"))
            .about(format!("output `{name}`"))
            .fact("wanted", named.iter().map(GfxTarget::as_str).collect::<Vec<_>>().join(", "))
            .fact("ROCm", format!("{} of input {}", block.locked.file, recipe.input))
            .fact("it has", listed.split([';', ',', ' ']).collect::<Vec<_>>().join(", "))
            .hint(hint(&recipe.input, named, &missing)));
    }
    Ok(())
}

/// Returns the next step: the right name of a mistyped GPU, else the families that have all of them.
fn hint(input: &str, wanted: &[GfxTarget], missing: &[&GfxTarget]) -> String {
    let is_known = |target: &&&GfxTarget| known_targets().any(|known| known == target.as_str());
    if let Some(unknown) = missing.iter().find(|target| !is_known(target)) {
        let near = nearest(unknown.as_str(), known_targets());
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return format!("`{unknown}` is in no family that this strixlock knows{near}");
    }
    let families = families_with(wanted).into_iter().map(|family| format!("family = \"{family}\""));
    let families = families.collect::<Vec<_>>().join(" or ");
    format!("set {families} below [inputs.{input}], then run `strixlock update`")
}
