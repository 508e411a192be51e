//! The base system, where it is a tree of which every file is known.
//!
//! What must come from it is only listed, never kept. But two things depend on it: what its ld.so puts in for `$LIB`, and
//! which file stands behind a library's name there. Nothing is looked up in the machine that trims: where the base system is
//! no tree, neither is known, and what trimming gives does not depend on it.

use super::Mounted;
use super::world::{Found, Mount, follow, join, parent};

/// Where glibc looks without being told so, in the order of Debian and then of others.
const DIRECTORIES: [&[u8]; 6] =
    [b"/lib/x86_64-linux-gnu", b"/usr/lib/x86_64-linux-gnu", b"/lib64", b"/usr/lib64", b"/lib", b"/usr/lib"];
/// What `$LIB` is on Debian; on Fedora and in glibc as it is published; on Arch.
const LIBS: [&[u8]; 3] = [b"lib/x86_64-linux-gnu", b"lib64", b"lib"];

pub(super) struct Base<'a>(Mount<'a>);

impl<'a> Base<'a> {
    /// The tree is that of the whole system: its prefix is empty.
    pub fn new(tree: Mounted<'a>) -> Self {
        Self(Mount::new(tree))
    }

    /// The file at a path of the system.
    pub fn find(&self, path: &[u8]) -> Option<Found> {
        let found = follow(path, |path| self.0.at(path.strip_prefix(b"/").unwrap_or(path)));
        found.found().filter(|found| !found.directory)
    }

    /// The file that ld.so finds by this name in its own directories.
    pub fn library(&self, name: &[u8]) -> Option<Found> {
        DIRECTORIES.iter().find_map(|directory| self.find(&join(directory, name)))
    }

    /// What its ld.so puts in for `$LIB`: the directory in which its own libc lies, since both are installed by the same
    /// configuration.
    fn lib(&self) -> Option<&'static [u8]> {
        let libc = self.library(b"libc.so.6")?.real;
        let directory = parent(&libc).strip_prefix(b"/usr").unwrap_or(parent(&libc));
        LIBS.into_iter().find(|lib| directory.strip_prefix(b"/") == Some(*lib))
    }

    /// What `$LIB` may be: one name where the base system is known, else all that there are, in the order in which they are tried.
    pub fn libs(base: Option<&Self>) -> Vec<&'static [u8]> {
        base.and_then(Self::lib).map_or(LIBS.to_vec(), |lib| vec![lib])
    }

    pub fn on_disk(&self, real: &[u8]) -> Option<std::path::PathBuf> {
        self.0.on_disk(real)
    }
}
