//! Small files below a root, read up to a bound.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The kernel's files are a page at most, the others a few lines.
const BOUND: u64 = 64 * 1024;

/// A root directory to look below.
#[derive(Clone, Copy)]
pub(super) struct Files<'r> {
    pub root: &'r Path,
}

impl Files<'_> {
    /// Where a path is.
    pub fn path(self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub fn exists(self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The text of a file, its first 64 KiB.
    pub fn text(self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        std::fs::File::open(self.path(path)).ok()?.take(BOUND).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The first line of a file, with nothing in it that a terminal would obey.
    pub fn line(self, path: &str) -> Option<String> {
        let text = self.text(path)?;
        let line = text.lines().next()?.trim();
        Some(line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect())
    }

    /// A file that holds one number.
    pub fn number(self, path: &str) -> Option<u64> {
        self.line(path)?.parse().ok()
    }

    /// The names in a directory, sorted; the first thousand that the kernel gives.
    pub fn names(self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(path)).into_iter().flatten().take(1000);
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}
