//! The trees that actions run in: what the sandbox would show, out of the listings of the store.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use strixlock_reapi::{BlobDigest, Contents, InputTree, Merkle, Node, Shared};

use super::super::build::Build;
use super::super::web_ui::lay_ui;
use super::script::{MARK, PINNED};
use crate::error::{Error, Kind, Result};
use crate::recipe::build;
use crate::sandbox::TOP;
use crate::store::StoredTree;
use crate::tree::scan::scan;
use crate::tree::{Entry, Listing, Node as ListedNode};

/// Directories that workers mount something at.
const MOUNTED: [&str; 4] = ["dev", "proc", "tmp", "var"];

/// The inputs of a build.
pub(super) struct Inputs {
    /// The root and the ROCm tree.
    base: InputTree,
    /// The place of the sources in the tree.
    place: &'static str,
    /// The directory with the sources.
    pub source: PathBuf,
    /// The sources.
    pub listing: Listing,
    /// True for a build with HIP.
    has_hip: bool,
    relative_links: bool,
    /// The contents of the root, of the ROCm tree and of the sources.
    pub shared: Shared,
}

/// The tree of an action.
pub(super) struct ActionTree {
    pub root: BlobDigest,
    /// The contents that it does not share with other actions of the build.
    pub own: BTreeMap<BlobDigest, Contents>,
}

impl Inputs {
    /// Collects the inputs of a build. `staging` gets a copy of sources that files are laid into.
    pub fn new(of: &Build, staging: &Path, absolute_links: bool) -> Result<Self> {
        let mut parts = Laying::default();
        let root = of.sysroot.as_ref().ok_or_else(needs_sysroot)?;
        let is_visible = |entry: &&Entry| {
            let top = entry.path.split(|byte| *byte == b'/').next().unwrap_or_default();
            TOP.iter().any(|name| name.as_bytes() == top)
        };
        parts.tree("", &root.path, root.listing()?.entries().iter().filter(is_visible))?;
        if let Some((hip, tree)) = &of.rocm {
            parts.tree(&hip.prefix, &tree.path, tree.listing()?.entries().iter())?;
        }
        for name in MOUNTED {
            parts.tree.add(name.as_bytes(), Node::Directory)?;
        }
        let relative_links = !absolute_links;
        parts.blobs.extend(messages(parts.tree.seal(relative_links)));
        let base = parts.tree.clone();
        let (source, listing) = sources(of, staging)?;
        let place = if of.recipe.writes_source() { PINNED } else { build::SOURCE };
        // For the contents alone.
        parts.tree(place, &source, listing.entries().iter())?;
        let (shared, has_hip) = (parts.blobs.into(), of.rocm.is_some());
        Ok(Self { base, place, source, listing, has_hip, relative_links, shared })
    }

    /// Begins the tree of an action that sees no sources. HIP compilers have this launcher.
    pub fn bare(&self, hip_launcher: &str) -> Result<Laying> {
        let mut laying = Laying { tree: self.base.clone(), relative_links: self.relative_links, ..Laying::default() };
        if self.has_hip {
            laying.program(build::HIP_LAUNCHER_AT, hip_launcher)?;
        }
        Ok(laying)
    }

    /// Begins the tree of an action that sees the sources.
    pub fn whole(&self, hip_launcher: &str) -> Result<Laying> {
        let mut laying = self.bare(hip_launcher)?;
        laying.tree(self.place, &self.source, self.listing.entries().iter())?;
        // These are shared.
        let own = |contents: &Contents| !matches!(contents, Contents::File(_));
        laying.blobs.retain(|_, contents| own(contents));
        Ok(laying)
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

fn messages(all: BTreeMap<BlobDigest, Vec<u8>>) -> impl Iterator<Item = (BlobDigest, Contents)> {
    all.into_iter().map(|(digest, bytes)| (digest, Contents::Bytes(bytes)))
}

/// The tree of an action, which files are laid into.
#[derive(Default)]
pub(super) struct Laying {
    tree: InputTree,
    blobs: BTreeMap<BlobDigest, Contents>,
    relative_links: bool,
}

impl Laying {
    /// Adds entries of the tree at `from`, at a path inside.
    fn tree<'e>(&mut self, inside: &str, from: &Path, entries: impl Iterator<Item = &'e Entry>) -> Result<()> {
        self.directory(inside)?;
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

    /// Adds a directory.
    pub fn directory(&mut self, path: &str) -> Result<()> {
        self.tree.add(path.as_bytes(), Node::Directory)
    }

    /// Adds a file whose contents are shared, or an output of another action.
    pub fn file(&mut self, path: &str, digest: BlobDigest, executable: bool) -> Result<()> {
        self.tree.add(path.as_bytes(), Node::File { digest, executable })
    }

    /// Adds a file with these contents.
    pub fn text(&mut self, path: &str, text: &str) -> Result<()> {
        self.bytes(path, text.as_bytes(), false)
    }

    /// Adds a program of ours.
    pub fn program(&mut self, path: &str, text: &str) -> Result<()> {
        self.bytes(path, text.as_bytes(), true)
    }

    /// Adds a file of ours.
    fn bytes(&mut self, path: &str, bytes: &[u8], executable: bool) -> Result<()> {
        let digest = BlobDigest::of(bytes);
        self.blobs.insert(digest, Contents::Bytes(bytes.to_vec()));
        self.file(path, digest, executable)
    }

    /// Finishes the tree. By the mark a command knows where its tree is.
    pub fn finish(mut self, mark: &str) -> Result<ActionTree> {
        self.text(MARK, &format!("{mark}\n"))?;
        let Merkle { root, directories } = self.tree.finish(self.relative_links);
        self.blobs.extend(messages(directories));
        Ok(ActionTree { root, own: self.blobs })
    }
}

/// Returns the target of a link as text.
fn text(target: &[u8]) -> Result<String> {
    String::from_utf8(target.to_vec()).map_err(|_| {
        Error::new(Kind::Invalid, "invalid name for the Remote Execution API: not UTF-8")
            .fact("target of a link", crate::tree::show(target))
    })
}
