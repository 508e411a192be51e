//! What differs between two trees that should be the same, and why, as far as the bytes tell.
//!
//! Goes from the listings to the files that differ, and in each of them to the parts that do: sections of ELF files,
//! members of archives, lines of text. The likely causes are guesses from the bytes around the first places. Files come from
//! builds and are hostile: every reader here is total and bounded, and what it cannot read is compared as bytes.

mod archive;
mod bytes;
mod cause;
mod contents;
mod excerpt;
mod sections;
#[cfg(test)]
mod tests;
mod text;

use std::path::Path;

use serde::Serialize;

use crate::elf::Source;
use crate::error::{About as _, Result};
use crate::tree::confined::Root;
use crate::tree::{Entry, Listing, Node, show};

pub use contents::{Part, contents};

/// Files beyond this are named, but not looked into.
const MOST_FILES: usize = 1000;

/// One of two trees.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Where it is.
    pub directory: &'a Path,
    /// What is in it.
    pub listing: &'a Listing,
}

/// A path that is not the same in both.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    /// The path, for people.
    pub path: String,
    /// What is different about it.
    #[serde(flatten)]
    pub change: Change,
}

/// What is different.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum Change {
    /// Only the first tree has it.
    Removed,
    /// Only the second tree has it.
    Added,
    /// It is another kind of thing.
    Kind {
        /// In the first tree.
        first: &'static str,
        /// In the second.
        second: &'static str,
    },
    /// It is a link to somewhere else.
    Target {
        /// In the first tree.
        first: String,
        /// In the second.
        second: String,
    },
    /// Only its execute bit differs.
    Mode {
        /// Whether it can be executed in the first tree.
        first: bool,
        /// In the second.
        second: bool,
    },
    /// Its contents differ.
    Contents {
        /// Bytes in the first tree.
        first: u64,
        /// Bytes in the second.
        second: u64,
        /// Where.
        parts: Vec<Part>,
    },
}

/// Compares two trees; nothing when they are equal.
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
                    let parts = if looked > MOST_FILES { Vec::new() } else { parts(&one, &other, entry)? };
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
    let open = |root: &Root| -> Result<Source<'static>> {
        let file = root.open_file(&entry.path)?;
        Source::file(fs_err::File::from_parts(file, entry.display()))
    };
    contents(&open(one)?, &open(other)?).about(entry.display())
}

fn kind(node: &Node) -> &'static str {
    match node {
        Node::Directory => "a directory",
        Node::Link { .. } => "a link",
        Node::File { .. } => "a file",
    }
}
