//! Puts back what verification found to be wrong, and nothing else.
//!
//! A file's contents come from its blob, if that is whole. A tree's file and its blob are one file under two names, so a
//! write through either damages both: such a blob is taken away first, and whoever can bring its contents again
//! (a kept download, a new one, a git cache) is asked for exactly these. Each replacement is one rename.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt;

use rustix::fs::AtFlags;

use super::{Damage, Fault};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::store::remove::remove_tree;
use crate::store::{Store, StoredTree};
use crate::tree::beneath::Root;
use crate::tree::{Entry, Listing, Node, scan};

/// What a repair did.
#[derive(Debug, Default)]
pub struct Repaired {
    /// How many entries were put right.
    pub entries: usize,
}

/// Repairs `damages` of a tree in the store. `bring` is called once, only if contents are needed that no whole blob has:
/// it must put them into the blob store.
pub fn repair(
    store: &Store,
    tree: &StoredTree,
    listing: &Listing,
    damages: &[Damage],
    bring: &mut dyn FnMut(&BTreeSet<Sha256Digest>) -> Result<()>,
) -> Result<Repaired> {
    let mut lacking = BTreeSet::new();
    for damage in damages {
        if let Some(Entry { node: Node::File { executable, digest, .. }, .. }) = listing.get(&damage.path) {
            let blob = store.blob(*digest, *executable);
            let whole = scan::hash_file(&blob).is_ok_and(|(found, _)| found == *digest);
            if !whole {
                let _ = fs_err::remove_file(&blob);
                lacking.insert(*digest);
            }
        }
    }
    if !lacking.is_empty() {
        bring(&lacking)?;
    }
    let root = Root::open(&tree.path)?;
    // Directories first: what is in them may be missing too.
    let mut opened = BTreeSet::new();
    for damage in damages {
        open_parents(tree, &damage.path, &mut opened)?;
        put_right(store, tree, &root, listing, damage)?;
    }
    for directory in opened.iter().rev().filter(|path| !path.is_empty()) {
        root.seal_directory(directory, 0o555)?;
    }
    fs_err::set_permissions(&tree.path, PermissionsExt::from_mode(0o555))?;
    store.sync()?;
    Ok(Repaired { entries: damages.len() })
}

/// Makes the directories above a path writable for a while.
fn open_parents(tree: &StoredTree, path: &[u8], opened: &mut BTreeSet<Vec<u8>>) -> Result<()> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    for end in std::iter::once(0).chain(slashes) {
        let parent = path[..end].to_vec();
        let on_disk = tree.path.join(OsStr::from_bytes(&parent));
        if fs_err::symlink_metadata(&on_disk).is_ok_and(|metadata| metadata.is_dir()) && opened.insert(parent) {
            fs_err::set_permissions(&on_disk, PermissionsExt::from_mode(0o755))?;
        }
    }
    Ok(())
}

fn put_right(store: &Store, tree: &StoredTree, root: &Root, listing: &Listing, damage: &Damage) -> Result<()> {
    let path = tree.path.join(OsStr::from_bytes(&damage.path));
    let Some(entry) = listing.get(&damage.path) else {
        return remove_tree(&path);
    };
    match &entry.node {
        Node::Directory => {
            if damage.fault != Fault::Mode {
                remove_tree(&path)?;
                root.create_directory(&entry.path)?;
            }
            root.seal_directory(&entry.path, 0o555)?;
        }
        Node::Link { target } => {
            remove_tree(&path)?;
            root.create_link(&entry.path, target)?;
        }
        Node::File { executable, digest, .. } => {
            let blob = store.blob(*digest, *executable);
            let mode = if *executable { 0o555 } else { 0o444 };
            crate::tree::beneath::seal_file(fs_err::File::open(&blob)?.file(), mode)?;
            if fs_err::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
                remove_tree(&path)?;
            }
            let staging = store.stage()?;
            let new = staging.path().join("file");
            match rustix::fs::linkat(rustix::fs::CWD, &blob, rustix::fs::CWD, &new, AtFlags::empty()) {
                Ok(()) => {}
                Err(rustix::io::Errno::MLINK) => drop(fs_err::copy(&blob, &new)?),
                Err(error) => {
                    return Err(Error::new(
                        Kind::Damaged,
                        format!("the contents of `{}` could not be brought", entry.display()),
                    )
                    .because(&error));
                }
            }
            fs_err::rename(&new, &path)?;
            // Where both were one file already, the rename did nothing and the staging directory removes the link.
        }
    }
    Ok(())
}
