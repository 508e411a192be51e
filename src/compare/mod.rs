//! Compares two trees that should be the same, and guesses the causes of differences.
//!
//! Goes from the listings to the files that differ, and in each of those to the parts that differ: sections of ELF
//! files, members of archives, lines of text. The causes are guesses from the bytes around the first differences. Files
//! come from builds and may be hostile: every reader here is total and bounded, and unreadable formats are compared as
//! bytes.

mod archive;
mod bytes;
mod cause;
mod excerpt;
mod parts;
mod sections;
#[cfg(test)]
mod tests;
mod text;

use std::path::Path;

use serde::Serialize;

use crate::elf::FileBytes;
use crate::error::{About as _, Result};
use crate::tree::confined::Root;
use crate::tree::{Entry, Listing, Node, show};

pub use parts::{Part, differing_parts};

/// Number of files that are compared in detail. Further ones are only named.
const MAX_FILES: usize = 1000;

/// One of two trees.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The tree's directory.
    pub directory: &'a Path,
    /// The tree's listing.
    pub listing: &'a Listing,
}

/// A difference between two trees.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    /// The path, for people.
    pub path: String,
    /// The kind of difference.
    #[serde(flatten)]
    pub change: Change,
}

/// A kind of difference.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum Change {
    /// Only the first tree has the path.
    Removed,
    /// Only the second tree has the path.
    Added,
    /// The kind of entry differs.
    Kind {
        /// In the first tree.
        first: &'static str,
        /// In the second.
        second: &'static str,
    },
    /// The target of a link differs.
    Target {
        /// In the first tree.
        first: String,
        /// In the second.
        second: String,
    },
    /// Only the execute bit differs.
    Mode {
        /// True if the file is executable in the first tree.
        first: bool,
        /// In the second.
        second: bool,
    },
    /// The contents differ.
    Contents {
        /// Size in the first tree, in bytes.
        first: u64,
        /// Size in the second, in bytes.
        second: u64,
        /// The differing parts.
        parts: Vec<Part>,
    },
}

/// Compares two trees. Returns their differences, sorted by path.
pub fn trees(first: Side, second: Side) -> Result<Vec<Difference>> {
    let (one, other) = (Root::open(first.directory)?, Root::open(second.directory)?);
    let mut differences = Vec::new();
    let mut looked = 0;
    for entry in first.listing.entries() {
        let path = entry.display();
        let Some(there) = second.listing.get(&entry.path) else {
            differences.push(Difference { path, change: Change::Removed });
            continue;
        };
        if there.node == entry.node {
            continue;
        }
        let change = match (&entry.node, &there.node) {
            (Node::Link { target: a }, Node::Link { target: b }) => Change::Target { first: show(a), second: show(b) },
            (
                Node::File { executable: a, size, digest },
                Node::File { executable: b, size: other_size, digest: other_digest },
            ) => {
                if digest == other_digest {
                    Change::Mode { first: *a, second: *b }
                } else {
                    looked += 1;
                    let parts = if looked > MAX_FILES { Vec::new() } else { parts(&one, &other, entry)? };
                    Change::Contents { first: *size, second: *other_size, parts }
                }
            }
            (a, b) => Change::Kind { first: kind(a), second: kind(b) },
        };
        differences.push(Difference { path, change });
    }
    let added = second.listing.entries().iter().filter(|entry| first.listing.get(&entry.path).is_none());
    differences.extend(added.map(|entry| Difference { path: entry.display(), change: Change::Added }));
    differences.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(differences)
}

fn parts(one: &Root, other: &Root, entry: &Entry) -> Result<Vec<Part>> {
    let open = |root: &Root| -> Result<FileBytes<'static>> {
        let file = root.open_file(&entry.path)?;
        FileBytes::file(fs_err::File::from_parts(file, entry.display()))
    };
    differing_parts(&open(one)?, &open(other)?).about(entry.display())
}

fn kind(node: &Node) -> &'static str {
    match node {
        Node::Directory => "a directory",
        Node::Link { .. } => "a link",
        Node::File { .. } => "a file",
    }
}
