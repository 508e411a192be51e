//! Directories that a job wrote, out of one message with all of their parts.

use std::collections::{BTreeMap, BTreeSet};

use prost::encoding::{DecodeContext, decode_key, skip_field};
use prost::{DecodeError, Message};

use crate::blob::BlobDigest;
use crate::error::{Error, Kind, Result};
use crate::outcome::Outcome;
use crate::proto::{Directory, FileNode};
use crate::service::Service;
use crate::text::visible;
use crate::tree::{DEEPEST, Node};

/// Most entries of a tree. A small message can name a directory many times, at each level.
const MOST: usize = 100_000;
/// Most bytes of messages of directories, counted as often as a directory is named.
const MOST_BYTES: usize = 64 << 20;

/// An entry of a tree that a job wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputEntry {
    /// Its path below the tree's root.
    pub path: String,
    /// The entry itself.
    pub node: Node,
}

/// A directory that a job wrote. Each directory comes before what is in it, and no path is there twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputTree {
    /// Its entries.
    pub entries: Vec<OutputEntry>,
}

/// Returns the number of fields of a message. In memory each may take a hundred times its size.
fn fields(mut message: &[u8]) -> Result<usize, DecodeError> {
    let mut count = 0;
    while !message.is_empty() {
        let (tag, kind) = decode_key(&mut message)?;
        skip_field(kind, tag, &mut message, DecodeContext::default())?;
        count += 1;
    }
    Ok(count)
}

/// Decodes a message that has no more fields than a tree may have entries.
fn decode<T: Message + Default>(message: &[u8], what: &str) -> Result<T> {
    let invalid = |error: &DecodeError| odd(&format!("{what} cannot be read")).because(error);
    if fields(message).map_err(|error| invalid(&error))? > MOST {
        return Err(too_many());
    }
    T::decode(message).map_err(|error| invalid(&error))
}

/// The message of a tree with the bytes of its directories, whose digests name them.
#[derive(Clone, PartialEq, Message)]
struct RawTree {
    #[prost(bytes = "vec", tag = "1")]
    root: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    children: Vec<Vec<u8>>,
}

impl Service {
    /// Returns the tree of an output that the job was asked for. Fails if the message that describes it has more than
    /// `most` bytes.
    pub fn output(&self, outcome: &Outcome, path: &str, most: u64) -> Result<OutputTree> {
        let found = outcome.directories.iter().find(|(there, _)| there == path);
        let (_, digest) = found.ok_or_else(|| {
            Error::new(Kind::Mismatch, "the remote builder returned no such output").fact("expected", path)
        })?;
        let message = self.runtime.block_on(self.remote.read_small(*digest, most, "a tree"))?;
        OutputTree::read(&message).map_err(|error| error.fact("builder", &self.remote.settings.address))
    }
}

impl OutputTree {
    /// Reads the message of a tree.
    fn read(message: &[u8]) -> Result<Self> {
        let raw: RawTree = decode(message, "its message")?;
        let children: BTreeMap<BlobDigest, &[u8]> =
            raw.children.iter().map(|child| (BlobDigest::of(child), &child[..])).collect();
        let mut tree = Self::default();
        tree.add(&raw.root, "", 0, &children, &mut { MOST_BYTES })?;
        Ok(tree)
    }

    /// Adds a directory with all that is below it. `left` is the number of bytes that may still be decoded.
    fn add(
        &mut self,
        bytes: &[u8],
        at: &str,
        depth: usize,
        children: &BTreeMap<BlobDigest, &[u8]>,
        left: &mut usize,
    ) -> Result<()> {
        if depth > DEEPEST {
            return Err(odd("it is too deep").fact("limit", DEEPEST));
        }
        *left = left.checked_sub(bytes.len()).ok_or_else(too_many)?;
        let message: Directory = decode(bytes, "a directory")?;
        let mut names = BTreeSet::new();
        let mut place = |name: &str| -> Result<String> {
            let fits = !name.is_empty() && !matches!(name, "." | "..") && !name.contains(['/', '\0']);
            if !fits || name.len() > 255 || !names.insert(name.to_owned()) {
                return Err(odd("it has a name that no directory can have, or has it twice")
                    .fact("directory", visible(at))
                    .fact("name", visible(name)));
            }
            Ok(if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") })
        };
        for file in &message.files {
            let FileNode { name, digest, is_executable, .. } = file;
            let node = Node::File { digest: BlobDigest::read(digest.as_ref(), "a file")?, executable: *is_executable };
            self.entries.push(OutputEntry { path: place(name)?, node });
        }
        for link in &message.symlinks {
            if link.target.is_empty() || link.target.contains('\0') {
                return Err(odd("a link has no target").fact("link", visible(&link.name)));
            }
            self.entries
                .push(OutputEntry { path: place(&link.name)?, node: Node::Link { target: link.target.clone() } });
        }
        let directories: Vec<_> =
            message.directories.iter().map(|below| Ok((place(&below.name)?, below))).collect::<Result<_>>()?;
        for (path, below) in directories {
            let digest = BlobDigest::read(below.digest.as_ref(), "a directory")?;
            let bytes =
                children.get(&digest).ok_or_else(|| odd("it lacks a directory").fact("directory", visible(&path)))?;
            self.entries.push(OutputEntry { path: path.clone(), node: Node::Directory });
            self.add(bytes, &path, depth + 1, children, left)?;
        }
        if self.entries.len() > MOST {
            return Err(too_many());
        }
        Ok(())
    }
}

fn too_many() -> Error {
    odd("it has too many entries").fact("limit", MOST)
}

fn odd(why: &str) -> Error {
    Error::new(Kind::Mismatch, format!("the remote builder returned an invalid tree: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{DirectoryNode, SymlinkNode};
    use crate::tree::InputTree;

    fn message(root: &Directory, children: &[Directory]) -> Vec<u8> {
        let encode = |directory: &Directory| directory.encode_to_vec();
        RawTree { root: encode(root), children: children.iter().map(encode).collect() }.encode_to_vec()
    }

    fn below(name: &str, directory: &Directory) -> DirectoryNode {
        let digest = Some(BlobDigest::of(&directory.encode_to_vec()).to_proto());
        DirectoryNode { name: name.to_owned(), digest }
    }

    fn file(name: &str) -> FileNode {
        let digest = Some(BlobDigest::of(b"x").to_proto());
        FileNode { name: name.to_owned(), digest, ..FileNode::default() }
    }

    #[test]
    fn a_tree_comes_out_as_it_went_in() {
        let mut input = InputTree::default();
        let digest = BlobDigest::of(b"x");
        let link = Node::Link { target: "../a".to_owned() };
        let nodes = [
            ("a", Node::File { digest, executable: true }),
            ("b", Node::Directory),
            ("b/c", link),
            ("d", Node::Directory),
            ("d/e", Node::Directory),
            ("d/e/f", Node::File { digest, executable: false }),
        ];
        for (path, node) in &nodes {
            input.add(path.as_bytes(), node.clone()).unwrap();
        }
        let merkle = input.finish(false);
        let raw = RawTree {
            root: merkle.directories[&merkle.root].clone(),
            children: merkle.directories.values().cloned().collect(),
        };
        let tree = OutputTree::read(&raw.encode_to_vec()).unwrap();
        let found: Vec<(&str, &Node)> = tree.entries.iter().map(|entry| (entry.path.as_str(), &entry.node)).collect();
        assert_eq!(found, nodes.iter().map(|(path, node)| (*path, node)).collect::<Vec<_>>());
    }

    #[test]
    fn what_no_directory_can_have_is_refused() {
        let refused = |message: &[u8]| OutputTree::read(message).unwrap_err().to_string();
        for name in ["", ".", "..", "a/b", "/etc", "a\0b", &"n".repeat(256)] {
            let root = Directory { files: vec![file(name)], ..Directory::default() };
            assert!(refused(&message(&root, &[])).contains("no directory can have"), "{name:?}");
        }
        let twice = Directory {
            files: vec![file("a")],
            symlinks: vec![SymlinkNode { name: "a".to_owned(), target: "/etc".to_owned(), ..SymlinkNode::default() }],
            ..Directory::default()
        };
        assert!(refused(&message(&twice, &[])).contains("twice"));
        let empty = Directory::default();
        let lacking = Directory { directories: vec![below("a", &twice)], ..Directory::default() };
        assert!(refused(&message(&lacking, &[empty])).contains("lacks a directory"));
        assert!(refused(b"\xff\xff\xff").contains("cannot be read"));
        assert!(OutputTree::read(b"").unwrap().entries.is_empty());
    }

    #[test]
    fn a_small_message_makes_no_large_tree() {
        // Each level names the one below it ten times.
        let mut levels = vec![Directory { files: vec![file("x")], ..Directory::default() }];
        for _ in 0..8 {
            let last = levels.last().unwrap();
            let directories = (0..10).map(|number| below(&number.to_string(), last)).collect();
            levels.push(Directory { directories, ..Directory::default() });
        }
        let root = levels.pop().unwrap();
        let error = OutputTree::read(&message(&root, &levels)).unwrap_err().to_string();
        assert!(error.contains("too many entries"), "{error}");
    }

    #[test]
    fn what_is_large_once_decoded_is_counted_first() {
        // Two bytes for each child, and for each file; then a directory of a megabyte that is named a thousand times.
        let child = [0x12, 0].repeat(MOST + 1);
        let root = RawTree { root: [0x0a, 0].repeat(MOST + 1), children: Vec::new() }.encode_to_vec();
        let long = |number: usize| SymlinkNode {
            name: number.to_string(),
            target: "x".repeat(1 << 20),
            ..SymlinkNode::default()
        };
        let large = Directory { symlinks: vec![long(0)], ..Directory::default() };
        let directories = (0..1000).map(|number| below(&number.to_string(), &large)).collect();
        let named = message(&Directory { directories, ..Directory::default() }, &[large]);
        for message in [child, root, named] {
            let error = OutputTree::read(&message).unwrap_err().to_string();
            assert!(error.contains("too many entries"), "{error}");
        }
    }
}
