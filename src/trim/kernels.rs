//! Kernel files that libraries such as rocBLAS look for in a directory beside themselves.

use super::data::{Walk, keep_below};
use super::ledger::Ledger;
use super::targets::{Mention, mentions};
use super::world::{World, file_name, join, parent};
use super::{Request, Rule, is_version_of, missing_edge};
use crate::elf::ElfFile;
use crate::error::{Error, Result};
use crate::recipe::Target;
use crate::tree::show;

/// If the library at `path` has kernel files, keeps those for the target and those for all.
pub(super) fn keep(world: &World, ledger: &mut Ledger, path: &[u8], file: &ElfFile, request: &Request) -> Result<()> {
    if world.rocm.relative(path).is_none() {
        return Ok(());
    }
    for edge in request.edges {
        let Target::Kernels(directory) = &edge.to else { continue };
        if !is_version_of(file_name(path), &edge.from) {
            continue;
        }
        let directory = join(parent(path), directory.as_bytes());
        let Some(found) = world.find(&directory).filter(|found| found.directory) else {
            if edge.required {
                return Err(missing_edge(ledger, path, edge));
            }
            continue;
        };
        let mut ours = false;
        let mut fits = |name: &[u8]| {
            let mention = mentions(name, request.target);
            ours |= mention == Mention::Target;
            mention != Mention::Others
        };
        keep_below(world, ledger, &found, &mut Walk { rule: Rule::Kernels, by: Some(path), fits: &mut fits });
        if !ours && file.kpack_refs.is_empty() {
            let error = Error::failure(format!("a library has kernels, but none for {}", request.target));
            let error = ledger.explain(error, path).fact("looked in", show(&directory));
            return Err(error.hint("use a tree that was built for this GPU"));
        }
    }
    Ok(())
}
