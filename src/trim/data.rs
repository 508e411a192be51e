//! What is kept by its place: whole directories, device bitcode, provenance.

use std::collections::BTreeSet;

use super::Rule;
use super::ledger::Ledger;
use super::world::{Found, World, file_name, join};
use crate::tree::Node;

/// How a directory is kept.
pub(super) struct Walk<'f> {
    pub rule: Rule,
    pub by: Option<&'f [u8]>,
    /// Whether a file is wanted, by its path below the directory.
    pub fits: &'f mut dyn FnMut(&[u8]) -> bool,
}

/// Keeps the wanted files below a directory of the ROCm tree, through links as well.
pub(super) fn keep_below(world: &World, ledger: &mut Ledger, directory: &Found, walk: &mut Walk) {
    ledger.keep_found(directory, walk.rule, walk.by);
    let mut seen = BTreeSet::new();
    let mut open = vec![(directory.real.clone(), Vec::new())];
    while let Some((real, name)) = open.pop() {
        // Links may lead in circles, or twice to the same place.
        let Some(relative) = world.rocm.relative(&real).filter(|_| seen.insert(real.clone())) else { continue };
        for (path, node) in world.rocm.below(relative) {
            let inner = path[relative.len()..].strip_prefix(b"/").unwrap_or(path);
            let inner = if name.is_empty() { inner.to_vec() } else { join(&name, inner) };
            let path = world.rocm.path(path);
            match node {
                Node::File { .. } if (walk.fits)(&inner) => ledger.keep(&path, walk.rule, walk.by),
                Node::File { .. } | Node::Directory => {}
                Node::Link { .. } => {
                    let found = world.find(&path).filter(|found| world.rocm.relative(&found.real).is_some());
                    let Some(found) = found.filter(|_| (walk.fits)(&inner)) else { continue };
                    ledger.keep_found(&found, walk.rule, walk.by);
                    if found.directory {
                        open.push((found.real, inner));
                    }
                }
            }
        }
    }
}

/// Keeps the device bitcode, and the links that lead to it, if something that compiles at run time is kept.
pub(super) fn keep_bitcode(world: &World, ledger: &mut Ledger) {
    let compiles = |path: &[u8]| {
        let name = file_name(path);
        world.rocm.relative(path).is_some() && (name.starts_with(b"libamd_comgr") || name.starts_with(b"libhiprtc"))
    };
    let Some(by) = ledger.reasons().keys().find(|path| compiles(path)).cloned() else { return };
    let directory = |path: &[u8]| world.find(&world.rocm.path(path)).filter(|found| found.directory);
    let Some(bitcode) = directory(b"lib/llvm/amdgcn/bitcode") else { return };
    let mut walk = Walk { rule: Rule::Bitcode, by: Some(&by), fits: &mut |_| true };
    keep_below(world, ledger, &bitcode, &mut walk);

    // `amdgcn` and `llvm` beside `lib` are how compilers of other ages come there.
    let Some(llvm) = directory(b"lib/llvm") else { return };
    let within = |path: &[u8], directory: &[u8]| {
        path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    };
    for (path, node) in world.rocm.below(b"") {
        if !matches!(node, Node::Link { .. }) {
            continue;
        }
        let Some(found) = directory(path) else { continue };
        if within(&found.real, &llvm.real) && within(&bitcode.real, &found.real) {
            ledger.keep_found(&found, Rule::Bitcode, Some(&by));
        }
    }
}

/// Keeps what says where the tree comes from, and the licences.
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
