//! Kernel files that rocBLAS and hipBLASLt look for in a directory beside themselves.

use super::Rule;
use super::data::{Walk, keep_below};
use super::ledger::Ledger;
use super::world::{World, file_name, join, parent};
use crate::elf::ElfFile;
use crate::error::{Error, Result};
use crate::gfx::GfxTarget;
use crate::tree::show;

/// The libraries, and where their kernels are relative to them.
const LIBRARIES: [(&[u8], &[u8]); 2] =
    [(b"librocblas.so", b"rocblas/library"), (b"libhipblaslt.so", b"hipblaslt/library")];

/// If the library at `path` has kernel files, keeps those for `target` and those for all.
pub(super) fn keep(world: &World, ledger: &mut Ledger, path: &[u8], file: &ElfFile, target: &GfxTarget) -> Result<()> {
    let directory = LIBRARIES.iter().find(|(library, _)| file_name(path).starts_with(library));
    let Some((_, directory)) = directory.filter(|_| world.rocm.relative(path).is_some()) else { return Ok(()) };
    let directory = join(parent(path), directory);
    let Some(found) = world.find(&directory).filter(|found| found.directory) else { return Ok(()) };
    let mut ours = false;
    let mut fits = |name: &[u8]| {
        let mention = mentions(name, target.as_str().as_bytes());
        ours |= mention == Mention::Target;
        mention != Mention::Others
    };
    keep_below(world, ledger, &found, &mut Walk { rule: Rule::Kernels, by: Some(path), fits: &mut fits });
    if !ours && file.kpack_refs.is_empty() {
        let error = Error::failure(format!("a library has kernels, but none for {target}"));
        let error = ledger.explain(error, path).fact("looked in", show(&directory));
        return Err(error.hint("use a tree that was built for this GPU"));
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mention {
    Target,
    Others,
    Nobody,
}

/// Which GPUs a file's path below the kernel directory mentions.
fn mentions(path: &[u8], target: &[u8]) -> Mention {
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
