//! Both trees as one file system, as they will lie in the system that runs them, with links followed.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::base::Base;
use super::{Mounted, Request};
use crate::tree::MOST_LINKS;
use crate::tree::Node;
pub(super) use crate::tree::path::{file_name, parent};

/// The part of the system's file system that is known: two trees and the directories above them. The base system lies beside
/// it: nothing in it is ever kept.
pub(super) struct World<'a> {
    pub rocm: Mount<'a>,
    pub llama: Mount<'a>,
    pub base: Option<Base<'a>>,
    /// What `$LIB` in a search path may stand for.
    pub libs: Vec<&'static [u8]>,
}

/// A tree in its place.
pub(super) struct Mount<'a> {
    /// Absolute, without a slash at the end.
    pub prefix: Vec<u8>,
    dir: &'a Path,
    nodes: BTreeMap<&'a [u8], &'a Node>,
}

/// Where a path of the system leads.
pub(super) enum Place {
    Found(Found),
    /// Somewhere in the trees, where there is nothing.
    Nothing,
    /// Out of both trees, into the base system.
    Outside,
}

impl Place {
    pub fn found(self) -> Option<Found> {
        if let Self::Found(found) = self { Some(found) } else { None }
    }
}

/// A path of the system, followed to its end.
#[derive(Clone)]
pub(super) struct Found {
    /// The links on the way, each by its own place, in order.
    pub links: Vec<Vec<u8>>,
    /// The file or directory itself: no part of this path is a link.
    pub real: Vec<u8>,
    pub directory: bool,
}

/// What stands at a path.
pub(super) enum At<'a> {
    Directory,
    File,
    Link(&'a [u8]),
    Nothing,
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

    /// The path in the tree of a path of the system; empty for the tree's root.
    pub fn relative<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        let rest = path.strip_prefix(self.prefix.as_slice())?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"/") }
    }

    pub fn node(&self, relative: &[u8]) -> Option<&'a Node> {
        self.nodes.get(relative).copied()
    }

    /// What stands at a path in the tree.
    pub fn at(&self, relative: &[u8]) -> At<'a> {
        match (relative, self.node(relative)) {
            (b"", _) | (_, Some(Node::Directory)) => At::Directory,
            (_, Some(Node::File { .. })) => At::File,
            (_, Some(Node::Link { target })) => At::Link(target),
            (_, None) => At::Nothing,
        }
    }

    /// Where the file at a path of the system is now, where it is in this tree. The path must have been followed already.
    pub fn on_disk(&self, real: &[u8]) -> Option<PathBuf> {
        Some(self.dir.join(OsStr::from_bytes(self.relative(real)?)))
    }

    /// All that lies below a directory of the tree (`b""` for all), by path in the tree.
    pub fn below(&self, directory: &[u8]) -> impl Iterator<Item = (&'a [u8], &'a Node)> {
        let prefix = if directory.is_empty() { Vec::new() } else { [directory, b"/"].concat() };
        let from =
            self.nodes.range::<[u8], _>((std::ops::Bound::Included(prefix.as_slice()), std::ops::Bound::Unbounded));
        let entries: Vec<_> =
            from.map(|(path, node)| (*path, *node)).take_while(|(path, _)| path.starts_with(&prefix)).collect();
        entries.into_iter()
    }

    /// The names in a directory of the tree that begin so.
    fn names_beginning(&self, directory: &[u8], prefix: &[u8]) -> Vec<&'a [u8]> {
        let start = if directory.is_empty() { prefix.to_vec() } else { join(directory, prefix) };
        let skip = start.len() - prefix.len();
        let from =
            self.nodes.range::<[u8], _>((std::ops::Bound::Included(start.as_slice()), std::ops::Bound::Unbounded));
        let names = from.map(|(path, _)| *path).take_while(|path| path.starts_with(&start)).map(|path| &path[skip..]);
        names.filter(|name| !name.contains(&b'/')).collect()
    }

    /// The path of the system for one in the tree.
    pub fn path(&self, relative: &[u8]) -> Vec<u8> {
        join(&self.prefix, relative)
    }
}

impl<'a> World<'a> {
    pub fn new(request: &Request<'a>) -> Self {
        let base = request.base.map(Base::new);
        let libs = Base::libs(base.as_ref());
        Self { rocm: Mount::new(request.rocm), llama: Mount::new(request.llama), base, libs }
    }

    /// The tree that a path of the system lies in.
    pub fn mount(&self, path: &[u8]) -> Option<&Mount<'a>> {
        [&self.rocm, &self.llama].into_iter().find(|mount| mount.relative(path).is_some())
    }

    /// Where the file at a path of the system is now. The path must have been followed already.
    pub fn on_disk(&self, real: &[u8]) -> Option<PathBuf> {
        self.mount(real)?.on_disk(real)
    }

    /// The names in a directory of the system that begin so.
    pub fn names_beginning(&self, directory: &[u8], prefix: &[u8]) -> Vec<&'a [u8]> {
        let found = self.find(directory).filter(|found| found.directory);
        let names = found.and_then(|found| {
            let mount = self.mount(&found.real)?;
            Some(mount.names_beginning(mount.relative(&found.real)?, prefix))
        });
        names.unwrap_or_default()
    }

    /// Follows an absolute path as the kernel does: each link where it stands, `..` from where the links led.
    pub fn follow(&self, path: &[u8]) -> Place {
        follow(path, |path| self.at(path))
    }

    /// [`Self::follow`], where only what was found matters.
    pub fn find(&self, path: &[u8]) -> Option<Found> {
        self.follow(path).found()
    }

    fn at(&self, path: &[u8]) -> At<'a> {
        if let Some(mount) = self.mount(path) {
            return mount.relative(path).map_or(At::Nothing, |relative| mount.at(relative));
        }
        let above = [&self.rocm, &self.llama].iter().any(|mount| mount.prefix.starts_with(&join(path, b"")));
        if above { At::Directory } else { At::Outside }
    }
}

/// Follows an absolute path where `at` says what stands at each: links where they stand, `..` from where the links led.
pub(super) fn follow<'a>(path: &[u8], at: impl Fn(&[u8]) -> At<'a>) -> Place {
    let parts = |path: &[u8]| -> Vec<Vec<u8>> { path.split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect() };
    let mut ahead = VecDeque::from(parts(path));
    let (mut real, mut links, mut directory) = (Vec::new(), Vec::new(), true);
    while let Some(part) = ahead.pop_front() {
        match part.as_slice() {
            b"" | b"." => continue,
            _ if !directory => return Place::Nothing,
            b".." => {
                real.truncate(parent(&real).len());
                continue;
            }
            _ => {}
        }
        let next = join(&real, &part);
        match at(&next) {
            At::Outside => return Place::Outside,
            At::Nothing => return Place::Nothing,
            At::Link(_) if links.len() == MOST_LINKS => return Place::Nothing,
            At::Link(target) => {
                if target.starts_with(b"/") {
                    real.clear();
                }
                for part in parts(target).into_iter().rev() {
                    ahead.push_front(part);
                }
                links.push(next);
            }
            At::Directory => real = next,
            At::File => (real, directory) = (next, false),
        }
    }
    Place::Found(Found { links, real, directory })
}

/// `directory/name`.
pub(super) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    [directory, b"/", name].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;
    use crate::tree::{Entry, Listing};

    fn listing(nodes: &[(&str, &str)]) -> Listing {
        let entry = |(path, target): &(&str, &str)| Entry {
            path: path.as_bytes().to_vec(),
            node: match *target {
                "directory" => Node::Directory,
                "file" => Node::File { executable: false, size: 0, digest: Sha256Digest::of(b"") },
                target => Node::Link { target: target.as_bytes().to_vec() },
            },
        };
        Listing::new(nodes.iter().map(entry).collect())
    }

    #[test]
    fn links_are_followed_as_the_kernel_does() {
        let rocm = listing(&[
            ("lib", "directory"),
            ("lib/a.so", "file"),
            ("lib/math", "directory"),
            ("lib/math/b.so", "../a.so"),
            ("math", "lib/math"),
            ("round", "and"),
            ("and", "round"),
            ("out", "/usr/lib"),
            ("up", "../../opt/llama/x"),
        ]);
        let llama = listing(&[("x", "file")]);
        let mounted = |listing, prefix| Mounted { dir: Path::new("nowhere"), listing, prefix };
        let target = "gfx1151".parse().unwrap();
        let world = World::new(&Request {
            rocm: mounted(&rocm, "/opt/rocm"),
            llama: mounted(&llama, "/opt/llama"),
            roots: &[],
            target: &target,
            edges: &[],
            base: None,
        });
        let lead = |path: &str| match world.follow(path.as_bytes()) {
            Place::Found(found) => String::from_utf8(found.real).unwrap(),
            Place::Nothing => "nothing".to_owned(),
            Place::Outside => "outside".to_owned(),
        };
        for (path, expected) in [
            ("/opt/rocm/lib/./a.so", "/opt/rocm/lib/a.so"),
            ("/opt/rocm/math/b.so", "/opt/rocm/lib/a.so"),
            // Where the link led, not where it stands.
            ("/opt/rocm/math/../a.so", "/opt/rocm/lib/a.so"),
            ("/opt/rocm/a.so", "nothing"),
            ("/opt/rocm/lib/a.so/..", "nothing"),
            ("/opt/rocm/lib/a.so/c", "nothing"),
            ("/opt/rocm/round", "nothing"),
            ("/opt/rocm/out/libc.so.6", "outside"),
            ("/opt/rocm/up", "/opt/llama/x"),
            ("/../opt/rocm/../rocm/lib", "/opt/rocm/lib"),
            ("/opt/rocm", "/opt/rocm"),
            ("/opt", "/opt"),
            ("/opt/rocm2/lib", "outside"),
        ] {
            assert_eq!(lead(path), expected, "{path}");
        }
    }
}
