//! GPU code that was split off into `.kpack` archives. Without its archive a library links and loads, and fails at the
//! first kernel that it launches.

use super::Rule;
use super::ledger::Ledger;
use super::world::{Found, Place, World, join, parent};
use crate::elf::ElfFile;
use crate::error::{Error, Result};
use crate::gfx::GfxTarget;
use crate::tree::show;

/// Keeps the archives for `target` that the library at `path` refers to. The references are alternatives: one must be
/// there, and all that are there are kept.
pub(super) fn keep(world: &World, ledger: &mut Ledger, path: &[u8], file: &ElfFile, target: &GfxTarget) -> Result<()> {
    let archives = found(world, ledger, path, file, target)?;
    if archives.is_empty() && !file.kpack_refs.is_empty() {
        let error = Error::failure(format!("the GPU code of a library is missing for {target}"));
        let error = ledger.explain(error, path);
        let error =
            file.kpack_refs.iter().fold(error, |error, reference| error.fact("missing", expand(reference, target)));
        return Err(error.hint("use the whole tree as it was published for this GPU, with its `.kpack` directory"));
    }
    for archive in archives {
        ledger.keep_found(&archive, Rule::Kpack, Some(path));
    }
    Ok(())
}

fn found(world: &World, ledger: &Ledger, path: &[u8], file: &ElfFile, target: &GfxTarget) -> Result<Vec<Found>> {
    let mut archives = Vec::new();
    for reference in &file.kpack_refs {
        let expanded = expand(reference, target);
        let wanted = expanded.as_bytes();
        let wanted = if wanted.starts_with(b"/") { wanted.to_vec() } else { join(parent(path), wanted) };
        let inside = |found: &Found| world.mount(path).is_some_and(|mount| mount.relative(&found.real).is_some());
        match world.follow(&wanted) {
            Place::Found(found) if inside(&found) => archives.extend((!found.directory).then_some(found)),
            Place::Nothing => {}
            Place::Found(_) | Place::Outside => {
                let error = Error::failure("a reference to GPU code leads out of the tree");
                return Err(ledger.explain(error, path).fact("leads to", show(&wanted)));
            }
        }
    }
    Ok(archives)
}

fn expand(reference: &str, target: &GfxTarget) -> String {
    reference.replace("@GFXARCH@", target.as_str())
}
