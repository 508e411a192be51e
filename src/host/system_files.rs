//! Small system files below a root, read up to a bound.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Number of bytes that are read of a file. The kernel's files have at most a page, others a few lines.
const BOUND: u64 = 64 * 1024;

/// System files below a root directory.
#[derive(Clone, Copy)]
pub(super) struct SystemFiles<'r> {
    pub root: &'r Path,
}

impl SystemFiles<'_> {
    /// Returns the path below the root.
    pub fn path(self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub fn exists(self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Returns the first 64 KiB of a file as text.
    pub fn text(self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        std::fs::File::open(self.path(path)).ok()?.take(BOUND).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Returns the first line of a file, with control characters replaced.
    pub fn line(self, path: &str) -> Option<String> {
        let text = self.text(path)?;
        let line = text.lines().next()?.trim();
        Some(line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect())
    }

    /// Returns the number in a file that holds only that.
    pub fn number(self, path: &str) -> Option<u64> {
        self.line(path)?.parse().ok()
    }

    /// Returns up to a thousand names in a directory, sorted.
    pub fn names(self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(path)).into_iter().flatten().take(1000);
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}
