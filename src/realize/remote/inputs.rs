//! The tree that a build runs in: what the sandbox would show, out of the listings of the store.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use strixlock_reapi::{BlobDigest, Contents, InputTree, Merkle, Node};

use super::super::build::Build;
use super::super::web_ui::lay_ui;
use super::script::{DERIVATION, PINNED};
use crate::digest::DerivationId;
use crate::error::{Error, Kind, Result};
use crate::recipe::build;
use crate::sandbox::TOP;
use crate::store::StoredTree;
use crate::tree::scan::scan;
use crate::tree::{Entry, Listing, Node as ListedNode};

/// Directories that workers mount something at.
const MOUNTED: [&str; 4] = ["dev", "proc", "tmp", "var"];

/// The tree of a build, and the contents of all its files and directories.
pub(super) struct Inputs {
    pub root: BlobDigest,
    pub blobs: BTreeMap<BlobDigest, Contents>,
}

impl Inputs {
    /// Collects the inputs of a build. `staging` gets a copy of sources that files are laid into.
    pub fn new(of: &Build, derivation: DerivationId, staging: &Path, absolute_links: bool) -> Result<Self> {
        let mut parts = Parts::default();
        let root = of.sysroot.as_ref().ok_or_else(needs_sysroot)?;
        let is_visible = |entry: &&Entry| {
            let top = entry.path.split(|byte| *byte == b'/').next().unwrap_or_default();
            TOP.iter().any(|name| name.as_bytes() == top)
        };
        parts.tree("", &root.path, root.listing()?.entries().iter().filter(is_visible))?;
        let source = if of.recipe.writes_source() { PINNED } else { build::SOURCE };
        let (path, listing) = sources(of, staging)?;
        parts.tree(source, &path, listing.entries().iter())?;
        if let Some((hip, tree)) = &of.rocm {
            parts.tree(&hip.prefix, &tree.path, tree.listing()?.entries().iter())?;
            parts.bytes(&format!("{}/hip-launcher", build::TOOLS), build::HIP_LAUNCHER.as_bytes(), true)?;
        }
        for name in MOUNTED {
            parts.tree.add(name.as_bytes(), Node::Directory)?;
        }
        // By this file a command knows where its tree is.
        parts.bytes(DERIVATION, format!("{}\n", derivation.hex()).as_bytes(), false)?;
        let Merkle { root, directories } = parts.tree.finish(!absolute_links);
        parts.blobs.extend(directories.into_iter().map(|(digest, bytes)| (digest, Contents::Bytes(bytes))));
        Ok(Self { root, blobs: parts.blobs })
    }
}

/// Returns the error for a build whose root is the host's.
pub(in crate::realize) fn needs_sysroot() -> Error {
    Error::new(Kind::Invalid, "a build in the root of this machine cannot be done by a remote builder")
        .fact("expected", "an output with a sysroot")
        .hint("give the output a `sysroot` in the manifest, or build it here with `--builder local`")
}

/// Returns the directory with the sources, and its listing.
fn sources(of: &Build, staging: &Path) -> Result<(PathBuf, Listing)> {
    match &of.ui {
        None => Ok((of.tree.path.clone(), StoredTree::listing(&of.tree)?)),
        Some((ui, directory)) => {
            let copy = staging.join("source");
            lay_ui(&of.tree, ui, directory, &copy)?;
            let listing = scan(&copy)?;
            Ok((copy, listing))
        }
    }
}

#[derive(Default)]
struct Parts {
    tree: InputTree,
    blobs: BTreeMap<BlobDigest, Contents>,
}

impl Parts {
    /// Adds entries of the tree at `from`, at a path inside.
    fn tree<'e>(&mut self, inside: &str, from: &Path, entries: impl Iterator<Item = &'e Entry>) -> Result<()> {
        self.tree.add(inside.as_bytes(), Node::Directory)?;
        for entry in entries {
            let node = match &entry.node {
                ListedNode::Directory => Node::Directory,
                ListedNode::Link { target } => Node::Link { target: text(target)? },
                ListedNode::File { executable, size, digest } => {
                    let digest = BlobDigest { sha256: *digest, size: *size };
                    let path = from.join(OsStr::from_bytes(&entry.path));
                    self.blobs.entry(digest).or_insert(Contents::File(path));
                    Node::File { digest, executable: *executable }
                }
            };
            self.tree.add(&[inside.as_bytes(), &entry.path].join(&b'/'), node)?;
        }
        Ok(())
    }

    /// Adds a file of ours.
    fn bytes(&mut self, path: &str, bytes: &[u8], executable: bool) -> Result<()> {
        let digest = BlobDigest::of(bytes);
        self.blobs.insert(digest, Contents::Bytes(bytes.to_vec()));
        self.tree.add(path.as_bytes(), Node::File { digest, executable })
    }
}

/// Returns the target of a link as text.
fn text(target: &[u8]) -> Result<String> {
    String::from_utf8(target.to_vec()).map_err(|_| {
        Error::new(Kind::Invalid, "invalid name for the Remote Execution API: not UTF-8")
            .fact("target of a link", crate::tree::show(target))
    })
}
