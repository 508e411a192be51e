//! The base system, if it is a tree whose files are all known.
//!
//! Files that must come from the base system are only listed, never kept. Two things depend on it: the value of `$LIB`
//! in its ld.so, and the files of its libraries. Nothing is looked up on the machine that trims. If the base system is
//! not a tree, neither is known, and the result of trimming does not depend on them.

use super::Mounted;
use super::mount::{Found, Mount, follow, join};
use crate::tree::Node;
use crate::tree::path::parent;

/// Default search directories of glibc: those of Debian, then those of others.
pub const DIRECTORIES: [&[u8]; 6] =
    [b"/lib/x86_64-linux-gnu", b"/usr/lib/x86_64-linux-gnu", b"/lib64", b"/usr/lib64", b"/lib", b"/usr/lib"];
/// Values of `$LIB`: on Debian; on Fedora and in unpatched glibc; on Arch.
const LIBS: [&[u8]; 3] = [b"lib/x86_64-linux-gnu", b"lib64", b"lib"];

/// A whole system whose files are known.
pub struct Base<'a>(Mount<'a>);

impl<'a> Base<'a> {
    /// Mounts the tree of a whole system: its prefix is empty.
    #[must_use]
    pub fn new(tree: Mounted<'a>) -> Self {
        Self(Mount::new(tree))
    }

    /// Returns the file at a path of the system.
    #[must_use]
    pub fn find(&self, path: &[u8]) -> Option<Found> {
        let found = follow(path, |path| self.0.lookup(path.strip_prefix(b"/").unwrap_or(path)));
        found.found().filter(|found| !found.directory)
    }

    /// Returns the file that ld.so finds by this name in its default directories.
    #[must_use]
    pub fn library(&self, name: &[u8]) -> Option<Found> {
        DIRECTORIES.iter().find_map(|directory| self.find(&join(directory, name)))
    }

    /// Returns the value of `$LIB` in its ld.so. It is the directory of libc, since one configuration installs both.
    fn lib(&self) -> Option<&'static [u8]> {
        let libc = self.library(b"libc.so.6")?.real;
        let directory = parent(&libc).strip_prefix(b"/usr").unwrap_or(parent(&libc));
        LIBS.into_iter().find(|lib| directory.strip_prefix(b"/") == Some(*lib))
    }

    /// Returns the possible values of `$LIB`: one if the base system is known, otherwise all, in the order in which
    /// they are tried.
    pub(super) fn libs(base: Option<&Self>) -> Vec<&'static [u8]> {
        base.and_then(Self::lib).map_or(LIBS.to_vec(), |lib| vec![lib])
    }

    /// Returns the files and links below a directory of the system, which is not a link, by path in the system.
    pub fn below(&self, directory: &[u8]) -> Vec<Vec<u8>> {
        let directory = directory.strip_prefix(b"/").unwrap_or(directory);
        let files = self.0.below(directory).filter(|(_, node)| !matches!(node, Node::Directory));
        files.map(|(path, _)| join(b"", path)).collect()
    }

    /// Returns the present path on disk for a real path of the system.
    #[must_use]
    pub fn on_disk(&self, real: &[u8]) -> Option<std::path::PathBuf> {
        self.0.on_disk(real)
    }
}
