//! Bounded reads of small files below a root.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The limit for a file, in bytes. The kernel's files have at most a page, the others a few lines.
const BOUND: u64 = 64 * 1024;

/// A root directory and its files.
#[derive(Clone, Copy)]
pub(super) struct Files<'r> {
    pub root: &'r Path,
}

impl Files<'_> {
    /// Returns a path below the root.
    pub fn path(self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Returns whether a file exists.
    pub fn exists(self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Reads the first 64 KiB of a file as text.
    pub fn text(self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        std::fs::File::open(self.path(path)).ok()?.take(BOUND).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reads the first line of a file, with control characters replaced.
    pub fn line(self, path: &str) -> Option<String> {
        let text = self.text(path)?;
        let line = text.lines().next()?.trim();
        Some(line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect())
    }

    /// Reads a file that holds one number.
    pub fn number(self, path: &str) -> Option<u64> {
        self.line(path)?.parse().ok()
    }

    /// Returns the names in a directory, sorted; at most the first thousand that the kernel lists.
    pub fn names(self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(path)).into_iter().flatten().take(1000);
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}
