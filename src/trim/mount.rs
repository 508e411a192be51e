//! A tree at its place in the system, and paths followed through it.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsStr;
use std::ops::Bound;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::Mounted;
use crate::tree::path::parent;
use crate::tree::{MOST_LINKS, Node};

/// A tree at its place in the system.
pub(super) struct Mount<'a> {
    /// The absolute path of the tree's root in the system, without a slash at the end.
    pub prefix: Vec<u8>,
    dir: &'a Path,
    nodes: BTreeMap<&'a [u8], &'a Node>,
}

/// Result of following a path of the system.
pub(super) enum Resolved {
    Found(Found),
    /// The path leads into the trees, but nothing is there.
    Missing,
    /// The path leads out of both trees, into the base system.
    Outside,
}

impl Resolved {
    pub fn found(self) -> Option<Found> {
        if let Self::Found(found) = self { Some(found) } else { None }
    }
}

/// A file or directory that a path of the system leads to.
#[derive(Clone)]
pub struct Found {
    /// The paths of the links on the way, in order.
    pub links: Vec<Vec<u8>>,
    /// The real path of the file or directory: no part of it is a link.
    pub real: Vec<u8>,
    /// True for a directory.
    pub directory: bool,
}

/// The entry at a path, without following it.
pub(super) enum Lookup<'a> {
    Directory,
    File,
    Link(&'a [u8]),
    Missing,
    Outside,
}

impl<'a> Mount<'a> {
    pub fn new(tree: Mounted<'a>) -> Self {
        Self {
            prefix: tree.prefix.as_bytes().to_vec(),
            dir: tree.dir,
            nodes: tree.listing.entries().iter().map(|entry| (entry.path.as_slice(), &entry.node)).collect(),
        }
    }

    /// Returns the path in the tree for a path of the system: empty for the tree's root, `None` outside of the tree.
    pub fn relative<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        let rest = path.strip_prefix(self.prefix.as_slice())?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"/") }
    }

    pub fn node(&self, relative: &[u8]) -> Option<&'a Node> {
        self.nodes.get(relative).copied()
    }

    /// Returns the entry at a path in the tree.
    pub fn lookup(&self, relative: &[u8]) -> Lookup<'a> {
        match (relative, self.node(relative)) {
            (b"", _) | (_, Some(Node::Directory)) => Lookup::Directory,
            (_, Some(Node::File { .. })) => Lookup::File,
            (_, Some(Node::Link { target })) => Lookup::Link(target),
            (_, None) => Lookup::Missing,
        }
    }

    /// Returns the present path on disk for a real path of the system, if that is in this tree.
    pub fn on_disk(&self, real: &[u8]) -> Option<PathBuf> {
        Some(self.dir.join(OsStr::from_bytes(self.relative(real)?)))
    }

    /// Returns the entries below a directory of the tree (`b""` for all), by path in the tree.
    pub fn below(&self, directory: &[u8]) -> impl Iterator<Item = (&'a [u8], &'a Node)> {
        let prefix = if directory.is_empty() { Vec::new() } else { [directory, b"/"].concat() };
        let from = self.nodes.range::<[u8], _>((Bound::Included(prefix.as_slice()), Bound::Unbounded));
        let entries: Vec<_> =
            from.map(|(path, node)| (*path, *node)).take_while(|(path, _)| path.starts_with(&prefix)).collect();
        entries.into_iter()
    }

    /// Returns the names in a directory of the tree that begin with `prefix`.
    pub fn names_beginning(&self, directory: &[u8], prefix: &[u8]) -> Vec<&'a [u8]> {
        let start = if directory.is_empty() { prefix.to_vec() } else { join(directory, prefix) };
        let skip = start.len() - prefix.len();
        let from = self.nodes.range::<[u8], _>((Bound::Included(start.as_slice()), Bound::Unbounded));
        let names = from.map(|(path, _)| *path).take_while(|path| path.starts_with(&start)).map(|path| &path[skip..]);
        names.filter(|name| !name.contains(&b'/')).collect()
    }

    /// Returns the path of the system for a path in the tree.
    pub fn path(&self, relative: &[u8]) -> Vec<u8> {
        join(&self.prefix, relative)
    }
}

/// Follows an absolute path as the kernel does: `..` starts from the directory to which links led. `lookup` returns the
/// entry at a path.
pub(super) fn follow<'a>(path: &[u8], lookup: impl Fn(&[u8]) -> Lookup<'a>) -> Resolved {
    let parts = |path: &[u8]| -> Vec<Vec<u8>> { path.split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect() };
    let mut ahead = VecDeque::from(parts(path));
    let (mut real, mut links, mut directory) = (Vec::new(), Vec::new(), true);
    while let Some(part) = ahead.pop_front() {
        match part.as_slice() {
            b"" | b"." => continue,
            _ if !directory => return Resolved::Missing,
            b".." => {
                real.truncate(parent(&real).len());
                continue;
            }
            _ => {}
        }
        let next = join(&real, &part);
        match lookup(&next) {
            Lookup::Outside => return Resolved::Outside,
            Lookup::Missing => return Resolved::Missing,
            Lookup::Link(_) if links.len() == MOST_LINKS => return Resolved::Missing,
            Lookup::Link(target) => {
                if target.starts_with(b"/") {
                    real.clear();
                }
                for part in parts(target).into_iter().rev() {
                    ahead.push_front(part);
                }
                links.push(next);
            }
            Lookup::Directory => real = next,
            Lookup::File => (real, directory) = (next, false),
        }
    }
    Resolved::Found(Found { links, real, directory })
}

/// Joins a directory of the system and a name. Unlike `tree::path::join`, takes an empty directory for `/`.
pub(super) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    [directory, b"/", name].concat()
}
