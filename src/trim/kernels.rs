//! Kernel files that libraries such as rocBLAS look for in a directory beside themselves, and the tables that index
//! them.
//!
//! An archive of GPU code does not replace them: it holds the library's other kernels.

use super::data::{Walk, keep_below};
use super::elf_files::{ElfFiles, Inspected};
use super::ledger::Ledger;
use super::mount::join;
use super::targets::{Mention, PLACEHOLDER, mentions, mentions_any, near};
use super::world::World;
use super::{Mounted, Request, Rule, is_version_of, missing_edge};
use crate::elf::ElfFile;
use crate::error::{Error, Result};
use crate::gfx::GfxTarget;
use crate::recipe::{Edge, Target};
use crate::tree::path::{file_name, parent};
use crate::tree::{Listing, Node, show};
use crate::upstream::rocm::families_with;

/// Keeps the kernel files of the library at `path`, if it has any: those for the target and those for all GPUs.
pub(super) fn keep(
    files: &mut ElfFiles,
    world: &World,
    ledger: &mut Ledger,
    path: &[u8],
    file: &ElfFile,
    request: &Request,
) -> Result<()> {
    if world.rocm.relative(path).is_none() {
        return Ok(());
    }
    for edge in request.edges {
        let Target::Kernels(directory) = &edge.to else { continue };
        if !is_version_of(file_name(path), &edge.from) {
            continue;
        }
        let directory = join(parent(path), directory.as_bytes());
        let found = world.find(&directory).filter(|found| found.directory);
        let mut all: Vec<Tables> = request.targets.iter().map(|target| Tables::new(edge, target)).collect();
        if let Some(found) = &found {
            let mut fits = |name: &[u8]| {
                for tables in &mut all {
                    tables.see(name);
                }
                mentions_any(name, request.targets) != Mention::Others
            };
            keep_below(world, ledger, found, &mut Walk { rule: Rule::Kernels, by: Some(path), fits: &mut fits });
            let without = all.iter().find(|tables| !tables.ours);
            if let Some(tables) = without.filter(|_| edge.tables.is_empty() && file.kpack_refs.is_empty()) {
                let error =
                    Error::failure(format!("a library has a directory of kernels, but none for {}", tables.target));
                let error = ledger.explain(error, path).fact("looked in", show(&directory));
                return Err(error.hint("use a tree that was built for this GPU"));
            }
        } else if edge.required {
            return Err(missing_edge(ledger, path, edge));
        }
        for tables in all {
            if tables.are_missing(found.is_some() || files.mentions(path, file, &tables.word())?) {
                return Err(tables.missing(|error| ledger.explain(error, path), &directory));
            }
        }
    }
    Ok(())
}

/// Fails if a library of a ROCm tree that reads tables of kernels has none for one of the targets. Run before anything
/// is built with the tree.
pub fn demand_tables(rocm: Mounted, targets: &[GfxTarget], edges: &[Edge]) -> Result<()> {
    let empty = Listing::new(Vec::new());
    // A prefix that no tree has.
    let llama = Mounted { dir: rocm.dir, listing: &empty, prefix: "/.none" };
    let world = World::new(&Request { rocm, llama, roots: &[], targets, edges, base: None });
    let mut files = ElfFiles::new(&world);
    for edge in edges.iter().filter(|edge| !edge.tables.is_empty()) {
        let Target::Kernels(directory) = &edge.to else { continue };
        let named =
            |path: &[u8], node: &Node| matches!(node, Node::File { .. }) && is_version_of(file_name(path), &edge.from);
        for (path, _) in world.rocm.below(b"").filter(|(path, node)| named(path, node)) {
            let path = world.rocm.path(path);
            let Inspected::Native(file) = files.read(&path)? else { continue };
            let directory = join(parent(&path), directory.as_bytes());
            let found = world.find(&directory).filter(|found| found.directory);
            let mut all: Vec<Tables> = targets.iter().map(|target| Tables::new(edge, target)).collect();
            if let Some(found) = &found {
                let mut see = |name: &[u8]| {
                    for tables in &mut all {
                        tables.see(name);
                    }
                    mentions_any(name, targets) != Mention::Others
                };
                super::data::below(&world, found, &mut see);
            }
            for tables in all {
                if tables.are_missing(found.is_some() || files.mentions(&path, &file, &tables.word())?) {
                    return Err(tables.missing(|error| error.fact("library", show(&path)), &directory));
                }
            }
        }
    }
    Ok(())
}

/// The tables of a library for one target that were found so far.
struct Tables<'e> {
    edge: &'e Edge,
    target: &'e GfxTarget,
    /// True if there is a table.
    found: bool,
    /// True if there is any file for the target alone.
    ours: bool,
    /// Number of files.
    files: usize,
    /// Number of files for other GPUs.
    others: usize,
}

impl<'e> Tables<'e> {
    fn new(edge: &'e Edge, target: &'e GfxTarget) -> Self {
        Self { edge, target, found: false, ours: false, files: 0, others: 0 }
    }

    fn see(&mut self, name: &[u8]) {
        let mention = mentions(name, self.target);
        self.files += 1;
        self.ours |= mention == Mention::Target;
        self.others += usize::from(mention == Mention::Others);
        let fits = |pattern: &String| is_table(file_name(name), pattern, self.target);
        self.found |= mention != Mention::Others && self.edge.tables.iter().any(fits);
    }

    /// Returns a word that is among the constants of a library that reads tables.
    fn word(&self) -> Vec<u8> {
        let first = self.edge.tables.first().map(String::as_str).unwrap_or_default();
        first.split(['@', '*', '.', '_']).next().unwrap_or_default().as_bytes().to_vec()
    }

    fn are_missing(&self, wanted: bool) -> bool {
        !self.edge.tables.is_empty() && !self.found && wanted
    }

    fn missing(&self, explain: impl Fn(Error) -> Error, directory: &[u8]) -> Error {
        let (library, target) = (&self.edge.from, self.target);
        let error = explain(Error::failure(format!("this ROCm build has no kernels of {library} for {target}")));
        let name = |pattern: &String| pattern.replace(PLACEHOLDER, target.as_str());
        let expected: Vec<String> = self.edge.tables.iter().map(name).collect();
        let there = match (self.files, self.others) {
            (0, _) => "nothing".to_owned(),
            (files, 0) => format!("no such table among {files} files"),
            (files, others) => format!("no such table among {files} files, of which {others} are for other GPUs"),
        };
        let error = error.fact("looked in", show(directory)).fact("expected", expected.join(" or "));
        let families = families_with(std::slice::from_ref(target)).join(", ");
        error.fact("there is", there).fact("families", families).hint(
            "choose another version or family in the manifest (`strixlock list rocm` lists them); if this one has \
             tables with other names, name them in an edge of your own with `kernels` and `tables`",
        )
    }
}

/// Returns whether a file name matches the pattern of a table, for this target or for all GPUs.
fn is_table(name: &[u8], pattern: &str, target: &GfxTarget) -> bool {
    let ends = |rest: &[u8], end: &str| match end.strip_suffix('*') {
        Some(start) => rest.starts_with(start.as_bytes()),
        None => rest == end.as_bytes(),
    };
    let Some((before, behind)) = pattern.split_once(PLACEHOLDER) else { return ends(name, pattern) };
    let Some(rest) = name.strip_prefix(before.as_bytes()) else { return false };
    (0..=rest.len()).any(|at| near(&rest[..at], target).is_some() && ends(&rest[at..], behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_known_by_their_names() {
        let target = "gfx1151".parse().unwrap();
        for (name, pattern, expected) in [
            ("TensileLibrary_lazy_gfx1151.dat", "TensileLibrary_lazy_@GFXARCH@.dat*", true),
            ("TensileLibrary_lazy_gfx1151.dat.zlib", "TensileLibrary_lazy_@GFXARCH@.dat*", true),
            ("TensileLibrary_lazy_gfx11-generic.dat", "TensileLibrary_lazy_@GFXARCH@.dat*", true),
            ("TensileLibrary_lazy_gfx1100.dat", "TensileLibrary_lazy_@GFXARCH@.dat*", false),
            ("TensileLibrary_lazy_gfx1151.co", "TensileLibrary_lazy_@GFXARCH@.dat*", false),
            ("TensileLibrary_Type_SS_fallback.dat", "TensileLibrary_@GFXARCH@.dat*", false),
            ("TensileLibrary_Type_SS_gfx1151.dat", "TensileLibrary_@GFXARCH@.dat*", false),
            ("TensileLibrary.dat", "TensileLibrary.dat*", true),
            ("TensileLibrary.data", "TensileLibrary.dat", false),
        ] {
            assert_eq!(is_table(name.as_bytes(), pattern, &target), expected, "{name} {pattern}");
        }
    }
}
