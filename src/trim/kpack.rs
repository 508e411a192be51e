//! GPU code that was split off into `.kpack` archives. Without its archive a library links and loads, but fails at the
//! first kernel that it launches.
//!
//! A reference has a placeholder for the GPU. At run time it is replaced by the GPU's name with its features, then with
//! fewer and fewer features, and at last by the name of a generic processor. The features are known on the user's
//! machine only, so all archives are kept that may be looked for.

use std::collections::BTreeSet;

use super::Rule;
use super::ledger::Ledger;
use super::mount::{Found, Resolved, join};
use super::targets::{Near, PLACEHOLDER, near};
use super::world::World;
use crate::elf::ElfFile;
use crate::error::{Error, Result};
use crate::gfx::GfxTarget;
use crate::tree::path::{file_name, parent};
use crate::tree::show;
use crate::upstream::rocm::families_with;

/// Keeps the archives for `target` that the library at `path` refers to. The references are alternatives: every archive
/// that exists is kept, and one must exist.
pub(super) fn keep(world: &World, ledger: &mut Ledger, path: &[u8], file: &ElfFile, target: &GfxTarget) -> Result<()> {
    let archives = found(world, ledger, path, file, target)?;
    if archives.is_empty() && !file.kpack_refs.is_empty() {
        let error = Error::failure(format!("the GPU code of a library is missing for {target}"));
        let error = ledger.explain(error, path);
        let missing = |reference: &String| reference.replace(PLACEHOLDER, target.as_str());
        let error = file.kpack_refs.iter().fold(error, |error, reference| error.fact("missing", missing(reference)));
        let error = error.fact("families", families_with(std::slice::from_ref(target)).join(", "));
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
                Resolved::Found(found) if inside(&found) => archives.extend((!found.directory).then_some(found)),
                Resolved::Missing => {}
                Resolved::Found(_) | Resolved::Outside => {
                    let error = Error::failure("a reference to GPU code leads out of the tree");
                    return Err(ledger.explain(error, path).fact("leads to", show(&wanted)));
                }
            }
        }
    }
    Ok(archives)
}

/// Returns the names that may replace the placeholder, nearest first: the target's, and all for which the tree has a
/// file.
fn archs(world: &World, reference: &[u8], target: &GfxTarget) -> Vec<String> {
    let mut archs = BTreeSet::from([(Near::Exact, target.to_string())]);
    let placeholder = |text: &[u8]| text.windows(PLACEHOLDER.len()).position(|window| window == PLACEHOLDER.as_bytes());
    if let Some(at) = placeholder(reference) {
        let (prefix, behind) = (file_name(&reference[..at]), &reference[at + PLACEHOLDER.len()..]);
        // The suffix ends with the file name, or before the next placeholder.
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
