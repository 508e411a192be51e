//! GPU code that was split off into `.kpack` archives. Without its archive a library links and loads, and fails at the
//! first kernel that it launches.
//!
//! A reference names archives of all GPUs by a word that stands for the GPU. The run time puts in the name that the GPU has there,
//! with its features, leaves out features one after the other, and takes generic code where there is no other. With which features
//! a GPU is started is known on its machine alone, so that all archives are kept that may be looked for.

use std::collections::BTreeSet;

use super::Rule;
use super::ledger::Ledger;
use super::targets::{Near, near};
use super::world::{Found, Place, World, file_name, join, parent};
use crate::elf::ElfFile;
use crate::error::{Error, Result};
use crate::gfx::GfxTarget;
use crate::tree::show;

/// Text that stands for the GPU.
const PLACEHOLDER: &str = "@GFXARCH@";

/// Keeps the archives for `target` that the library at `path` refers to. The references are alternatives: one must be
/// there, and all that are there are kept.
pub(super) fn keep(world: &World, ledger: &mut Ledger, path: &[u8], file: &ElfFile, target: &GfxTarget) -> Result<()> {
    let archives = found(world, ledger, path, file, target)?;
    if archives.is_empty() && !file.kpack_refs.is_empty() {
        let error = Error::failure(format!("the GPU code of a library is missing for {target}"));
        let error = ledger.explain(error, path);
        let missing = |reference: &String| reference.replace(PLACEHOLDER, target.as_str());
        let error = file.kpack_refs.iter().fold(error, |error, reference| error.fact("missing", missing(reference)));
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
        let absolute = |text: &[u8]| if text.starts_with(b"/") { text.to_vec() } else { join(parent(path), text) };
        for arch in archs(world, &absolute(reference.as_bytes()), target) {
            let wanted = absolute(reference.replace(PLACEHOLDER, &arch).as_bytes());
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
    }
    Ok(archives)
}

/// The names that may be put into a reference: the target's, and those by which the tree has something there, the nearest first.
fn archs(world: &World, reference: &[u8], target: &GfxTarget) -> Vec<String> {
    let mut archs = BTreeSet::from([(Near::Exact, target.to_string())]);
    let placeholder = |text: &[u8]| text.windows(PLACEHOLDER.len()).position(|window| window == PLACEHOLDER.as_bytes());
    if let Some(at) = placeholder(reference) {
        let (prefix, behind) = (file_name(&reference[..at]), &reference[at + PLACEHOLDER.len()..]);
        // Up to where the name ends, or the same GPU comes again.
        let end = behind.iter().position(|byte| *byte == b'/').unwrap_or(behind.len());
        let again = placeholder(&behind[..end]);
        let suffix = &behind[..again.unwrap_or(end)];
        for name in world.names_beginning(parent(&reference[..at]), prefix) {
            let rest = &name[prefix.len()..];
            let ends = (0..=rest.len()).filter(|end| rest[*end..].starts_with(suffix));
            for arch in ends.filter(|end| again.is_some() || end + suffix.len() == rest.len()).map(|end| &rest[..end]) {
                let arch = near(arch, target).zip(std::str::from_utf8(arch).ok());
                archs.extend(arch.map(|(near, arch)| (near, arch.to_owned())));
            }
        }
    }
    archs.into_iter().map(|(_, arch)| arch).collect()
}
