//! Both trees as one file system, as they will lie in the system that runs them, with links followed.

use std::path::PathBuf;

use super::Request;
use super::base::Base;
use super::mount::{Found, Lookup, Mount, Resolved, follow, join};

/// The known part of the system's file system: two trees and the directories above them. Files of the base system are
/// looked up, but never kept.
pub(super) struct World<'a> {
    pub rocm: Mount<'a>,
    pub llama: Mount<'a>,
    pub base: Option<Base<'a>>,
    /// The possible values of `$LIB` in a search path.
    pub libs: Vec<&'static [u8]>,
}

impl<'a> World<'a> {
    pub fn new(request: &Request<'a>) -> Self {
        let base = request.base.map(Base::new);
        let libs = Base::libs(base.as_ref());
        Self { rocm: Mount::new(request.rocm), llama: Mount::new(request.llama), base, libs }
    }

    /// Returns the tree that contains a path of the system.
    pub fn mount(&self, path: &[u8]) -> Option<&Mount<'a>> {
        [&self.rocm, &self.llama].into_iter().find(|mount| mount.relative(path).is_some())
    }

    /// Returns the present path on disk for a real path of the system.
    pub fn on_disk(&self, real: &[u8]) -> Option<PathBuf> {
        self.mount(real)?.on_disk(real)
    }

    /// Returns the names in a directory of the system that begin with `prefix`.
    pub fn names_beginning(&self, directory: &[u8], prefix: &[u8]) -> Vec<&'a [u8]> {
        let found = self.find(directory).filter(|found| found.directory);
        let names = found.and_then(|found| {
            let mount = self.mount(&found.real)?;
            Some(mount.names_beginning(mount.relative(&found.real)?, prefix))
        });
        names.unwrap_or_default()
    }

    /// Follows an absolute path as the kernel does.
    pub fn follow(&self, path: &[u8]) -> Resolved {
        follow(path, |path| self.lookup(path))
    }

    /// Like [`Self::follow`], but returns only files and directories in the trees.
    pub fn find(&self, path: &[u8]) -> Option<Found> {
        self.follow(path).found()
    }

    fn lookup(&self, path: &[u8]) -> Lookup<'a> {
        if let Some(mount) = self.mount(path) {
            return mount.relative(path).map_or(Lookup::Missing, |relative| mount.lookup(relative));
        }
        let above = [&self.rocm, &self.llama].iter().any(|mount| mount.prefix.starts_with(&join(path, b"")));
        if above { Lookup::Directory } else { Lookup::Outside }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::digest::Sha256Digest;
    use crate::tree::{Entry, Listing, Node};
    use crate::trim::Mounted;

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
        let targets = ["gfx1151".parse().unwrap()];
        let world = World::new(&Request {
            rocm: mounted(&rocm, "/opt/rocm"),
            llama: mounted(&llama, "/opt/llama"),
            roots: &[],
            targets: &targets,
            edges: &[],
            base: None,
        });
        let lead = |path: &str| match world.follow(path.as_bytes()) {
            Resolved::Found(found) => String::from_utf8(found.real).unwrap(),
            Resolved::Missing => "nothing".to_owned(),
            Resolved::Outside => "outside".to_owned(),
        };
        for (path, expected) in [
            ("/opt/rocm/lib/./a.so", "/opt/rocm/lib/a.so"),
            ("/opt/rocm/math/b.so", "/opt/rocm/lib/a.so"),
            // `..` starts at the link's target, not at the link.
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
