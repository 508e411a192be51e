//! Files that are kept by their paths: data that a library reads, such as device bitcode, and provenance.

use std::collections::BTreeSet;

use super::ledger::Ledger;
use super::mount::{Found, join};
use super::world::World;
use super::{Rule, is_version_of, missing_edge};
use crate::error::Result;
use crate::recipe::{Edge, Target};
use crate::tree::Node;
use crate::tree::path::file_name;

/// Parameters of keeping a directory.
pub(super) struct Walk<'f> {
    pub rule: Rule,
    pub by: Option<&'f [u8]>,
    /// Returns whether to keep a file, by its path below the directory.
    pub fits: &'f mut dyn FnMut(&[u8]) -> bool,
}

/// Keeps the wanted files below a directory of the ROCm tree. Follows links.
pub(super) fn keep_below(world: &World, ledger: &mut Ledger, directory: &Found, walk: &mut Walk) {
    ledger.keep_found(directory, walk.rule, walk.by);
    for found in below(world, directory, walk.fits) {
        ledger.keep_found(&found, walk.rule, walk.by);
    }
}

/// Returns the wanted files below a directory of the ROCm tree, and the links to directories. Follows links.
pub(super) fn below(world: &World, directory: &Found, fits: &mut dyn FnMut(&[u8]) -> bool) -> Vec<Found> {
    let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
    let mut open = vec![(directory.real.clone(), Vec::new())];
    while let Some((real, name)) = open.pop() {
        // Links may lead in circles, or twice to one directory.
        let Some(relative) = world.rocm.relative(&real).filter(|_| seen.insert(real.clone())) else { continue };
        for (path, node) in world.rocm.below(relative) {
            let inner = path[relative.len()..].strip_prefix(b"/").unwrap_or(path);
            let inner = if name.is_empty() { inner.to_vec() } else { join(&name, inner) };
            let path = world.rocm.path(path);
            match node {
                Node::File { .. } if fits(&inner) => {
                    all.push(Found { links: Vec::new(), real: path, directory: false });
                }
                Node::File { .. } | Node::Directory => {}
                Node::Link { .. } => {
                    let found = world.find(&path).filter(|found| world.rocm.relative(&found.real).is_some());
                    let Some(found) = found.filter(|_| fits(&inner)) else { continue };
                    if found.directory {
                        open.push((found.real.clone(), inner));
                    }
                    all.push(found);
                }
            }
        }
    }
    all
}

/// Keeps the files and directories that edges from kept files name, such as the device bitcode, with the links that
/// lead to the directories.
pub(super) fn keep_paths(world: &World, ledger: &mut Ledger, edges: &[Edge]) -> Result<()> {
    for (number, edge) in edges.iter().enumerate() {
        let Target::Path(path) = &edge.to else { continue };
        let reads = |path: &[u8]| world.mount(path).is_some() && is_version_of(file_name(path), &edge.from);
        let Some(by) = ledger.reasons().keys().find(|path| reads(path)).cloned() else { continue };
        let Some(found) = world.find(&world.rocm.path(path.as_bytes())) else {
            if edge.required {
                return Err(missing_edge(ledger, &by, edge));
            }
            continue;
        };
        let rule = Rule::Data(number);
        if found.directory {
            keep_below(world, ledger, &found, &mut Walk { rule, by: Some(&by), fits: &mut |_| true });
            keep_ways(world, ledger, &found.real, rule, &by);
        } else {
            ledger.keep_found(&found, rule, Some(&by));
        }
    }
    Ok(())
}

/// Keeps all links in the tree that lead to a directory or one above it: compilers of other versions reach the bitcode
/// by `amdgcn` and `llvm` beside `lib`. Skips links to a whole top directory, as `lib64` to `lib`: they lead to
/// everything.
fn keep_ways(world: &World, ledger: &mut Ledger, data: &[u8], rule: Rule, by: &[u8]) {
    for (path, node) in world.rocm.below(b"") {
        if !matches!(node, Node::Link { .. }) {
            continue;
        }
        let Some(found) = directory(world, path) else { continue };
        let above = data.strip_prefix(found.real.as_slice());
        let leads_there = above.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
        if leads_there && world.rocm.relative(&found.real).is_some_and(|inner| inner.contains(&b'/')) {
            ledger.keep_found(&found, rule, Some(by));
        }
    }
}

fn directory(world: &World, path: &[u8]) -> Option<Found> {
    world.find(&world.rocm.path(path)).filter(|found| found.directory)
}

/// Keeps the files about the origin of the tree, and the licences.
pub(super) fn keep_provenance(world: &World, ledger: &mut Ledger) {
    for directory in [b".info".as_slice(), b"share/therock", b"share/doc"] {
        let Some(found) = world.find(&world.rocm.path(directory)).filter(|found| found.directory) else { continue };
        let mut fits = |path: &[u8]| directory != b"share/doc" || is_licence(file_name(path));
        keep_below(world, ledger, &found, &mut Walk { rule: Rule::Provenance, by: None, fits: &mut fits });
    }
}

fn is_licence(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    [b"license".as_slice(), b"licence", b"copying", b"copyright", b"notice"]
        .iter()
        .any(|word| name.windows(word.len()).any(|window| window == *word))
}
