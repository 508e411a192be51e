//! The names of all libraries in both trees, and whether one that was not found should have been.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{Mount, World, file_name};
use crate::error::Error;
use crate::tree::Node;

/// How ROCm's own libraries begin; what does is never looked for in the base system.
const OWN: [&[u8]; 4] = [b"libhip", b"libroc", b"libamd", b"libhsa"];

pub(super) struct Names {
    /// Names with their places in the system.
    rocm: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    llama: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    /// What stands before `.so` in the names of files. Links do not count: ROCm has a `libz.so` that leads to a copy
    /// under a name of its own, and a `libgomp.so` that leads to `libomp.so`; neither stands for the system's library.
    stems: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
}

impl Names {
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

    /// Whether the ROCm tree has a library with this name, or, for a name that ends in `.`, one that begins so.
    pub fn in_rocm(&self, name: &[u8]) -> bool {
        if name.ends_with(b".") { self.beginning_with(name).next().is_some() } else { self.rocm.contains_key(name) }
    }

    /// The names in the ROCm tree under which this library is there, in whatever versions.
    pub fn versions_of(&self, library: &str) -> Vec<Vec<u8>> {
        let known = self.rocm.range(library.as_bytes().to_vec()..).map(|(known, _)| known);
        let known = known.take_while(|known| known.starts_with(library.as_bytes()));
        known.filter(|known| super::is_version_of(known, library)).cloned().collect()
    }

    /// The places in the ROCm tree at which there is something of this name.
    pub fn places(&self, name: &[u8]) -> &[Vec<u8>] {
        self.rocm.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The names in the ROCm tree that begin so.
    pub fn beginning_with(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
        let known = self.rocm.range(name.to_vec()..).map(|(known, _)| known.as_slice());
        known.take_while(move |known| known.starts_with(name)).collect::<BTreeSet<_>>().into_iter()
    }

    /// The places at which a library that was not found is all the same, under its name or for another version.
    pub fn elsewhere(&self, name: &[u8]) -> Vec<Vec<u8>> {
        let name = file_name(name);
        let mut places: Vec<_> =
            [&self.rocm, &self.llama].into_iter().filter_map(|names| names.get(name)).flatten().collect();
        if places.is_empty() {
            places.extend(stem(name).and_then(|stem| self.stems.get(stem)).into_iter().flatten());
        }
        places.into_iter().cloned().collect()
    }

    /// The error for a library that was not found, unless it can be the base system's.
    pub fn judge(&self, name: &[u8]) -> Option<Error> {
        let plain = file_name(name);
        let message = if self.rocm.contains_key(plain) || self.llama.contains_key(plain) {
            "a needed library is in the trees, but not where the loader looks for it"
        } else if !self.elsewhere(name).is_empty() {
            "a needed library is in the trees only in another version"
        } else if OWN.iter().any(|own| plain.starts_with(own)) {
            "a ROCm library is needed, but the tree does not have it"
        } else {
            return None;
        };
        Some(Error::failure(message).hint(
            "libraries find each other by the layout they were built with: use the whole tree as it was published, and \
             the build that was made with it",
        ))
    }
}

/// What stands before `.so` or `.so.<version>` in a library's name.
pub(super) fn stem(name: &[u8]) -> Option<&[u8]> {
    let at = name.windows(3).position(|window| window == b".so")?;
    let rest = &name[at + 3..];
    (rest.is_empty() || rest.starts_with(b".")).then(|| &name[..at])
}
