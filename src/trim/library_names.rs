//! The names of all libraries in both trees, and errors for libraries that should have been found.

use std::collections::{BTreeMap, BTreeSet};

use super::mount::Mount;
use super::world::World;
use crate::error::Error;
use crate::tree::Node;
use crate::tree::path::file_name;

/// Prefixes of ROCm's own libraries, which are never expected in the base system.
const OWN: [&[u8]; 4] = [b"libhip", b"libroc", b"libamd", b"libhsa"];

pub(super) struct LibraryNames {
    /// Names with their paths in the system.
    rocm: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    llama: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    /// Paths of files by the part of their name before `.so`. Links do not count: ROCm has a `libz.so` that leads to a
    /// copy under another name, and a `libgomp.so` that leads to `libomp.so`. Neither replaces the system's library.
    stems: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
}

impl LibraryNames {
    pub fn new(world: &World) -> Self {
        let mut stems: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut collect = |mount: &Mount| {
            let mut names: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for (path, node) in mount.below(b"") {
                let name = file_name(path);
                let Some(stem) = stem(name).filter(|_| *node != Node::Directory) else { continue };
                names.entry(name.to_vec()).or_default().push(mount.path(path));
                if matches!(node, Node::File { .. }) {
                    stems.entry(stem.to_vec()).or_default().push(mount.path(path));
                }
            }
            names
        };
        Self { rocm: collect(&world.rocm), llama: collect(&world.llama), stems }
    }

    /// Returns whether the ROCm tree has a library with this name or, if the name ends in `.`, with this prefix.
    pub fn in_rocm(&self, name: &[u8]) -> bool {
        if name.ends_with(b".") { self.beginning_with(name).next().is_some() } else { self.rocm.contains_key(name) }
    }

    /// Returns the names of this library in the ROCm tree, in all versions.
    pub fn versions_of(&self, library: &str) -> Vec<Vec<u8>> {
        let known = self.rocm.range(library.as_bytes().to_vec()..).map(|(known, _)| known);
        let known = known.take_while(|known| known.starts_with(library.as_bytes()));
        known.filter(|known| super::is_version_of(known, library)).cloned().collect()
    }

    /// Returns the paths in the ROCm tree that have this file name.
    pub fn paths(&self, name: &[u8]) -> &[Vec<u8>] {
        self.rocm.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the names in the ROCm tree that begin with `name`.
    pub fn beginning_with(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
        let known = self.rocm.range(name.to_vec()..).map(|(known, _)| known.as_slice());
        known.take_while(move |known| known.starts_with(name)).collect::<BTreeSet<_>>().into_iter()
    }

    /// Returns the paths of a library that the loader did not find, under its name or in another version.
    pub fn elsewhere(&self, name: &[u8]) -> Vec<Vec<u8>> {
        let name = file_name(name);
        let mut paths: Vec<_> =
            [&self.rocm, &self.llama].into_iter().filter_map(|names| names.get(name)).flatten().collect();
        if paths.is_empty() {
            paths.extend(stem(name).and_then(|stem| self.stems.get(stem)).into_iter().flatten());
        }
        paths.into_iter().cloned().collect()
    }

    /// Returns the error for a library that was not found. `None` if the library can be the base system's.
    pub fn missing(&self, name: &[u8]) -> Option<Error> {
        let plain = file_name(name);
        let message = if self.rocm.contains_key(plain) || self.llama.contains_key(plain) {
            "a needed library is in the trees, but not where the loader looks for it"
        } else if !self.elsewhere(name).is_empty() {
            "a needed library is in the trees only in another version"
        } else if OWN.iter().any(|own| plain.starts_with(own)) {
            "a needed ROCm library is missing from the tree"
        } else {
            return None;
        };
        Some(Error::failure(message).hint(
            "libraries find each other by the layout that they were built with: use the whole tree as it was \
             published, and the build that was made with it",
        ))
    }
}

/// Returns the part of a library's name before `.so` or `.so.<version>`.
pub(super) fn stem(name: &[u8]) -> Option<&[u8]> {
    let at = name.windows(3).position(|window| window == b".so")?;
    let rest = &name[at + 3..];
    (rest.is_empty() || rest.starts_with(b".")).then(|| &name[..at])
}
