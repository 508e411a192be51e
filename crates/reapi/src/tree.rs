//! Directories as the protocol has them: messages that name their files and directories by digest (a Merkle tree).

use std::collections::BTreeMap;

use prost::Message as _;

use crate::blob::BlobDigest;
use crate::error::{Error, Kind, Result};
use crate::proto::{Directory, DirectoryNode, FileNode, SymlinkNode};
use crate::text::visible;

/// Greatest depth of a tree.
pub(crate) const DEEPEST: usize = 64;

/// An entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// The name of its contents.
        digest: BlobDigest,
        /// True if it is executable.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// The path that it points to.
        target: String,
    },
}

/// A tree that is put together for a job.
#[derive(Debug, Default, Clone)]
pub struct InputTree {
    names: BTreeMap<String, Place>,
}

#[derive(Debug, Clone)]
enum Place {
    Directory(InputTree),
    /// A directory whose messages were made already. Nothing can be added to it.
    Sealed(BlobDigest),
    Other(Node),
}

/// A finished tree.
#[derive(Debug, Clone)]
pub struct Merkle {
    /// The name of the topmost directory.
    pub root: BlobDigest,
    /// The messages of all directories.
    pub directories: BTreeMap<BlobDigest, Vec<u8>>,
}

impl InputTree {
    /// Adds an entry at a path, and the directories above it. What is there already may only be the same.
    pub fn add(&mut self, path: &[u8], node: Node) -> Result<()> {
        let refused = |message: &str| {
            Error::new(Kind::Invalid, message.to_owned()).fact("path", visible(&String::from_utf8_lossy(path)))
        };
        let text =
            std::str::from_utf8(path).map_err(|_| refused("invalid name for the Remote Execution API: not UTF-8"))?;
        let names: Vec<&str> = text.split('/').filter(|name| !name.is_empty()).collect();
        if names.len() > DEEPEST || names.iter().any(|name| matches!(*name, "." | "..")) {
            return Err(refused("not a path for a tree of a remote build"));
        }
        let Some((last, above)) = names.split_last() else {
            return if node == Node::Directory { Ok(()) } else { Err(refused("the root of a tree is a directory")) };
        };
        let mut at = self;
        for name in above {
            at = at.directory(name).ok_or_else(|| refused("two trees of a remote build have different things here"))?;
        }
        let is_same = match node {
            Node::Directory => at.directory(last).is_some(),
            node => match at.names.entry((*last).to_owned()).or_insert_with(|| Place::Other(node.clone())) {
                Place::Other(there) => *there == node,
                Place::Directory(_) | Place::Sealed(_) => false,
            },
        };
        if is_same { Ok(()) } else { Err(refused("two trees of a remote build have different things here")) }
    }

    /// Returns the directory with this name, which is made if there is nothing.
    fn directory(&mut self, name: &str) -> Option<&mut Self> {
        match self.names.entry(name.to_owned()).or_insert_with(|| Place::Directory(Self::default())) {
            Place::Directory(directory) => Some(directory),
            Place::Sealed(_) | Place::Other(_) => None,
        }
    }

    /// Makes the messages of all directories at the top now, so that copies of the tree have them without work. Nothing
    /// can be added to these directories any more. Returns the messages.
    pub fn seal(&mut self, relative_links: bool) -> BTreeMap<BlobDigest, Vec<u8>> {
        let mut all = BTreeMap::new();
        for place in self.names.values_mut() {
            if let Place::Directory(below) = place {
                *place = Place::Sealed(below.encode(1, relative_links, &mut all));
            }
        }
        all
    }

    /// Returns the messages of all directories. With `relative_links`, absolute targets of links become relative ones,
    /// for services that allow no others; the tree is the root of the file system for those who follow them.
    #[must_use]
    pub fn finish(&self, relative_links: bool) -> Merkle {
        let mut directories = BTreeMap::new();
        let root = self.encode(0, relative_links, &mut directories);
        Merkle { root, directories }
    }

    fn encode(&self, depth: usize, relative: bool, all: &mut BTreeMap<BlobDigest, Vec<u8>>) -> BlobDigest {
        // Each list is sorted by name, because the map is.
        let mut message = Directory::default();
        for (name, place) in &self.names {
            let name = name.clone();
            match place {
                Place::Directory(below) => {
                    let digest = below.encode(depth + 1, relative, all);
                    message.directories.push(DirectoryNode { name, digest: Some(digest.to_proto()) });
                }
                Place::Sealed(digest) => {
                    message.directories.push(DirectoryNode { name, digest: Some(digest.to_proto()) });
                }
                Place::Other(Node::File { digest, executable }) => message.files.push(FileNode {
                    name,
                    digest: Some(digest.to_proto()),
                    is_executable: *executable,
                    node_properties: None,
                }),
                Place::Other(Node::Link { target }) => {
                    let target = if relative { relative_target(target, depth) } else { target.clone() };
                    message.symlinks.push(SymlinkNode { name, target, node_properties: None });
                }
                Place::Other(Node::Directory) => {}
            }
        }
        let bytes = message.encode_to_vec();
        let digest = BlobDigest::of(&bytes);
        all.insert(digest, bytes);
        digest
    }
}

/// Makes an absolute target relative to a directory at this depth below the root.
fn relative_target(target: &str, depth: usize) -> String {
    match target.strip_prefix('/') {
        None => target.to_owned(),
        Some("") if depth == 0 => ".".to_owned(),
        Some(rest) => format!("{}{rest}", "../".repeat(depth)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str, executable: bool) -> Node {
        Node::File { digest: BlobDigest::of(text.as_bytes()), executable }
    }

    fn link(target: &str) -> Node {
        Node::Link { target: target.to_owned() }
    }

    /// A tree with everything: `casupload --dry-run` of buildbox 1.4.30 named the same tree on disk
    /// by the digest in the test below.
    fn example() -> InputTree {
        let mut tree = InputTree::default();
        for (path, node) in [
            ("usr/bin/tool", file("#!/bin/sh\n", true)),
            ("usr/bin/a", file("", false)),
            ("bin", link("usr/bin")),
            ("etc/absolute", link("/usr/bin/tool")),
            ("empty/below", Node::Directory),
            ("usr/lib/\u{fc}ber", file("x\n", false)),
            ("usr/bin-2/z", file("z", false)),
            ("usr", Node::Directory),
        ] {
            tree.add(path.as_bytes(), node).unwrap();
        }
        tree
    }

    #[test]
    fn another_implementation_has_the_same_digest() {
        let merkle = example().finish(false);
        assert_eq!(merkle.root.sha256.hex(), "7ec89d70c6aab150ba5ca1f6c314e8694482bd810350928b9bdf9ced139695db");
        assert_eq!(merkle.root.size, 250);
        assert_eq!(merkle.directories.len(), 8);
    }

    #[test]
    fn equal_directories_are_one_message() {
        let mut tree = InputTree::default();
        for path in ["a/x", "b/x", "c/d/x"] {
            tree.add(path.as_bytes(), file("x", false)).unwrap();
        }
        assert_eq!(tree.finish(false).directories.len(), 3);
        let mut other = InputTree::default();
        for path in ["c/d/x", "b/x", "a/x", "a/x"] {
            other.add(path.as_bytes(), file("x", false)).unwrap();
        }
        assert_eq!(tree.finish(false).root, other.finish(false).root);
    }

    #[test]
    fn a_sealed_tree_has_the_same_digest() {
        for relative in [false, true] {
            let (mut sealed, mut usual) = (example(), example());
            let before = sealed.seal(relative);
            for tree in [&mut sealed, &mut usual] {
                tree.add(b"build/more", file("more", false)).unwrap();
            }
            let (sealed, usual) = (sealed.finish(relative), usual.finish(relative));
            assert_eq!(sealed.root, usual.root);
            assert_eq!(before.into_iter().chain(sealed.directories).collect::<BTreeMap<_, _>>(), usual.directories);
        }
        let mut sealed = example();
        sealed.seal(false);
        assert!(sealed.add(b"usr/more", file("more", false)).is_err() && sealed.add(b"usr", link("x")).is_err());
    }

    #[test]
    fn absolute_links_can_be_made_relative() {
        for (target, depth, expected) in
            [("/usr/bin/x", 2, "../../usr/bin/x"), ("/x", 0, "x"), ("x/y", 3, "x/y"), ("/", 1, "../"), ("/", 0, ".")]
        {
            assert_eq!(relative_target(target, depth), expected);
        }
        assert_ne!(example().finish(true).root, example().finish(false).root);
    }

    #[test]
    fn what_has_no_place_is_refused() {
        let mut tree = example();
        for (path, node) in [
            (&b"usr/bin/a"[..], file("other", false)),
            (b"usr/bin/a", file("", true)),
            (b"usr/bin/a/below", Node::Directory),
            (b"usr", link("elsewhere")),
            (b"bin", Node::Directory),
            (b"", link("x")),
            (b"a/../b", Node::Directory),
            (b"not-\xff-utf8", Node::Directory),
            ("d/".repeat(65).as_bytes(), Node::Directory),
        ] {
            assert!(tree.add(path, node).is_err(), "{}", String::from_utf8_lossy(path));
        }
        assert!(tree.add(b"", Node::Directory).is_ok());
    }
}
