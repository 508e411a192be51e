//! Kernel files that libraries such as rocBLAS look for in a directory beside themselves.

use super::data::{Walk, keep_below};
use super::ledger::Ledger;
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
            let mention = mentions(name, request.target.as_str().as_bytes());
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

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mention {
    Target,
    Others,
    Nobody,
}

/// Which GPUs a file's path below the kernel directory mentions.
pub(super) fn mentions(path: &[u8], target: &[u8]) -> Mention {
    let mut mention = Mention::Nobody;
    let mut rest = path;
    while let Some(at) = rest.windows(3).position(|window| window == b"gfx") {
        rest = &rest[at + 3..];
        let end = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        // `gfx11-generic` is code for a whole family, which the target may be one of.
        let family = after.starts_with(b"-generic") && target[3..].starts_with(digits);
        if digits == &target[3..] || family {
            return Mention::Target;
        }
        if !digits.is_empty() {
            mention = Mention::Others;
        }
    }
    mention
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_gpus_are_told_apart() {
        for (path, expected) in [
            ("TensileLibrary_lazy_gfx1151.dat", Mention::Target),
            ("gfx1151/TensileLibrary.dat", Mention::Target),
            ("Kernels.so-000-gfx90a-xnack-.hsaco", Mention::Others),
            ("gfx1150/fallback.dat", Mention::Others),
            ("TensileLibrary_gfx115.co", Mention::Others),
            ("TensileLibrary_gfx11510.co", Mention::Others),
            ("Kernels_gfx11-generic.hsaco", Mention::Target),
            ("Kernels_gfx12-generic.hsaco", Mention::Others),
            ("TensileManifest.txt", Mention::Nobody),
            ("gfx.txt", Mention::Nobody),
        ] {
            assert_eq!(mentions(path.as_bytes(), b"gfx1151"), expected, "{path}");
        }
    }
}
