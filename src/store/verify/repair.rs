//! Repairs the damage that verification found, and touches nothing else.
//!
//! A file's contents come from its blob, if that is intact. A tree's file and its blob are hard links of one file, so a
//! write through either damages both. Then the caller is asked to restore exactly the lost contents, from a kept or new
//! download, a git cache, or a build. Each replacement is one rename.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW};

use super::{Damage, Fault};
use crate::digest::{Sha256Digest, hash_reader};
use crate::error::{Error, Kind, Result};
use crate::store::remove::remove_tree;
use crate::store::{Store, StoredTree};
use crate::tree::confined::{Root, seal_file, stored_mode};
use crate::tree::{Entry, Listing, Node};

/// The key of a blob. Executable files have blobs of their own, since a mode belongs to the inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contents {
    /// The digest of the bytes.
    pub digest: Sha256Digest,
    /// True for executable files.
    pub executable: bool,
}

impl Contents {
    /// Returns the key for an entry, if that is a file.
    #[must_use]
    pub fn of(entry: &Entry) -> Option<Self> {
        match entry.node {
            Node::File { executable, digest, .. } => Some(Self { digest, executable }),
            _ => None,
        }
    }
}

impl Store {
    /// Returns whether the blob exists and its bytes have its digest. Reads all of them.
    #[must_use]
    pub fn has_whole(&self, Contents { digest, executable }: Contents) -> bool {
        let read = self.open_blob(digest, executable).and_then(hash_reader);
        read.is_ok_and(|(found, _)| found == digest)
    }
}

/// Repairs `damages` of a tree in the store. `restore` is called once, and only if contents are needed that no intact
/// blob has: it must put those into the blob store. Repairs as much as possible, even if some damage cannot be
/// repaired.
pub fn repair(
    store: &Store,
    tree: &StoredTree,
    listing: &Listing,
    damages: &[Damage],
    restore: &mut dyn FnMut(&BTreeSet<Contents>) -> Result<()>,
) -> Result<()> {
    let needed = damages.iter().filter_map(|damage| listing.get(&damage.path)).filter_map(Contents::of);
    let mut lacking: BTreeSet<Contents> =
        needed.inspect(|contents| make_readable(store, *contents)).filter(|one| !store.has_whole(*one)).collect();
    let restored = if lacking.is_empty() { Ok(()) } else { restore_blobs(store, &lacking, restore) };
    lacking.retain(|contents| !store.has_whole(*contents));
    let root = Root::open(&tree.path)?;
    // Damages are sorted, so a missing directory is created before the files in it.
    let mut opened = BTreeSet::new();
    let mut repaired = Ok(());
    for damage in damages {
        let entry = listing.get(&damage.path);
        let put = if entry.and_then(Contents::of).is_some_and(|contents| lacking.contains(&contents)) {
            Err(Error::new(Kind::Damaged, format!("the contents of `{}` are lost", damage.display())).hint(
                "a lock with the input that the file comes from can restore it: run this beside that lock, or with \
                 --lock",
            ))
        } else {
            open_parents(tree, &damage.path, &mut opened).and_then(|there| match (there, entry) {
                (true, _) => repair_entry(store, tree, &root, entry, damage),
                // It was removed with the directory that it was in.
                (false, None) => Ok(()),
                (false, Some(_)) => Err(Error::failure(format!("the directory of `{}` is missing", damage.display()))),
            })
        };
        repaired = repaired.and(put);
    }
    // Whatever happened, opened directories become read-only again.
    for directory in opened.iter().rev().filter(|path| !path.is_empty()) {
        // Fails if the directory was replaced by a file since, and is gone.
        repaired = repaired.and(root.seal_directory(directory, 0o555).map_err(Error::from));
    }
    fs_err::set_permissions(&tree.path, PermissionsExt::from_mode(0o555))?;
    store.sync()?;
    restored.and(repaired)
}

/// Calls `restore` to replace damaged blobs. A damaged blob stays until it is replaced, because it may hold all that is
/// left of its contents. Its time is changed, so that it is not taken for an intact one.
fn restore_blobs(
    store: &Store,
    lacking: &BTreeSet<Contents>,
    restore: &mut dyn FnMut(&BTreeSet<Contents>) -> Result<()>,
) -> Result<()> {
    for Contents { digest, executable } in lacking {
        let blob = store.blob(*digest, *executable);
        if let Ok(metadata) = fs_err::symlink_metadata(&blob) {
            if metadata.is_file() {
                let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
                let times = Timestamps { last_access: now, last_modification: now };
                rustix::fs::utimensat(CWD, &blob, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(std::io::Error::from)?;
            } else {
                remove_tree(&blob)?;
            }
        }
    }
    restore(lacking)
}

/// Makes a blob readable. It is one file with the tree's, so it lost its mode with that, and its bytes may be right.
fn make_readable(store: &Store, Contents { digest, executable }: Contents) {
    let blob = store.blob(digest, executable);
    if fs_err::symlink_metadata(&blob).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o400 == 0) {
        // If this fails, so does reading, which reports it.
        let _ = fs_err::set_permissions(&blob, PermissionsExt::from_mode(stored_mode(executable)));
    }
}

/// Makes the directories above a path writable for the repair. Returns `false` if one is missing or is not a directory.
fn open_parents(tree: &StoredTree, path: &[u8], opened: &mut BTreeSet<Vec<u8>>) -> Result<bool> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    for end in std::iter::once(0).chain(slashes) {
        let parent = path[..end].to_vec();
        let on_disk = tree.path.join(OsStr::from_bytes(&parent));
        if !fs_err::symlink_metadata(&on_disk).is_ok_and(|metadata| metadata.is_dir()) {
            return Ok(false);
        }
        if opened.insert(parent) {
            fs_err::set_permissions(&on_disk, PermissionsExt::from_mode(0o755))?;
        }
    }
    Ok(true)
}

/// Makes the damaged path what `entry` says, or removes it if there is no entry. The caller has checked that the
/// directories above exist and are no links.
fn repair_entry(store: &Store, tree: &StoredTree, root: &Root, entry: Option<&Entry>, damage: &Damage) -> Result<()> {
    let path = tree.path.join(OsStr::from_bytes(&damage.path));
    let Some(entry) = entry else {
        return remove_tree(&path);
    };
    match &entry.node {
        Node::Directory => {
            if damage.fault == Fault::Mode {
                // Without this, opening it to seal it might fail.
                fs_err::set_permissions(&path, PermissionsExt::from_mode(0o755))?;
            } else {
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
            seal_file(&store.open_blob(*digest, *executable)?, stored_mode(*executable))?;
            if fs_err::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
                remove_tree(&path)?;
            }
            let staging = store.stage()?;
            let new = staging.path().join("file");
            match rustix::fs::linkat(CWD, &blob, CWD, &new, AtFlags::empty()) {
                Ok(()) => {}
                Err(rustix::io::Errno::MLINK) => drop(fs_err::copy(&blob, &new)?),
                Err(error) => {
                    return Err(Error::new(
                        Kind::Damaged,
                        format!("cannot link the contents of `{}`", entry.display()),
                    )
                    .because(&error));
                }
            }
            fs_err::rename(&new, &path)?;
            // If both were one file already, the rename did nothing, and the staging directory removes the link.
        }
    }
    Ok(())
}
