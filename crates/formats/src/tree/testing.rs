//! Test support: a guarded directory to unpack hostile archives into, and trees with odd links.

// These functions fail a test by a panic.
#![allow(clippy::missing_panics_doc, clippy::must_use_candidate, clippy::new_without_default)]

use std::path::{Path, PathBuf};

use super::{Listing, scan::scan};

/// An empty directory `place` beside a canary that must stay untouched.
pub struct Surroundings {
    directory: tempfile::TempDir,
    before: Listing,
}

impl Surroundings {
    /// Creates both in a temporary directory.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let canary = directory.path().join("canary");
        fs_err::create_dir(&canary).unwrap();
        fs_err::create_dir(directory.path().join("place")).unwrap();
        fs_err::write(canary.join("file"), "untouched").unwrap();
        let before = scan(&canary).unwrap();
        Self { directory, before }
    }

    /// Returns the directory that holds both.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the empty directory.
    pub fn place(&self) -> PathBuf {
        self.path().join("place")
    }

    /// Fails the test if anything was written beside the place; `others` is the number of further entries that the
    /// test itself put there.
    pub fn check(&self, others: usize) {
        let after = scan(&self.path().join("canary")).unwrap();
        assert_eq!(after, self.before, "something was written beside the destination");
        assert_eq!(fs_err::read_dir(self.path()).unwrap().count(), 2 + others);
    }
}

/// Fills an empty directory with links whose targets a tidying program would change, and with long ones, under
/// short and long names.
pub fn odd_links(directory: &Path) -> Listing {
    fs_err::create_dir(directory.join("a")).unwrap();
    let long = |length: usize| format!("a/{}", "./".repeat(length))[..length].to_owned();
    let long = [99, 100, 101, 300].map(long);
    let targets = ["a//b", "./a", "a/./b", "a/", "a/../a", ".", "/a//b"].into_iter();
    for (at, target) in targets.chain(long.iter().map(String::as_str)).enumerate() {
        for name in ["link", &"n".repeat(120)] {
            fs_err::os::unix::fs::symlink(target, directory.join(format!("{name}-{at}"))).unwrap();
        }
    }
    scan(directory).unwrap()
}
