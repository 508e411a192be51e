//! Puts back what verification found to be wrong, and nothing else.
//!
//! A file's contents come from its blob, if that is whole. A tree's file and its blob are one file under two names, so a
//! write through either damages both: then whoever can bring its contents again (a kept download, a new one, a git cache, a
//! build) is asked for exactly these. Each replacement is one rename.

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

/// The contents of a file as the store keeps them: executable or not is another file, since a mode belongs to the inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contents {
    /// Of the bytes.
    pub digest: Sha256Digest,
    /// Whether the file can be executed.
    pub executable: bool,
}

impl Contents {
    /// Those of an entry that is a file.
    #[must_use]
    pub fn of(entry: &Entry) -> Option<Self> {
        match entry.node {
            Node::File { executable, digest, .. } => Some(Self { digest, executable }),
            _ => None,
        }
    }
}

impl Store {
    /// Whether there is a blob with these contents, and it has them. Reads all of it.
    #[must_use]
    pub fn has_whole(&self, Contents { digest, executable }: Contents) -> bool {
        let read = self.open_blob(digest, executable).and_then(hash_reader);
        read.is_ok_and(|(found, _)| found == digest)
    }
}

/// Repairs `damages` of a tree in the store. `bring` is called once, only if contents are needed that no whole blob has:
/// it must put them into the blob store. What can be put right is, also where something else cannot.
pub fn repair(
    store: &Store,
    tree: &StoredTree,
    listing: &Listing,
    damages: &[Damage],
    bring: &mut dyn FnMut(&BTreeSet<Contents>) -> Result<()>,
) -> Result<()> {
    let needed = damages.iter().filter_map(|damage| listing.get(&damage.path)).filter_map(Contents::of);
    let mut lacking: BTreeSet<Contents> =
        needed.inspect(|contents| make_readable(store, *contents)).filter(|one| !store.has_whole(*one)).collect();
    let brought = if lacking.is_empty() { Ok(()) } else { bring_in_place(store, &lacking, bring) };
    lacking.retain(|contents| !store.has_whole(*contents));
    let root = Root::open(&tree.path)?;
    // Directories first: what is in them may be missing too.
    let mut opened = BTreeSet::new();
    let mut mended = Ok(());
    for damage in damages {
        let entry = listing.get(&damage.path);
        let put = if entry.and_then(Contents::of).is_some_and(|contents| lacking.contains(&contents)) {
            Err(Error::new(Kind::Damaged, format!("the contents of `{}` are lost", damage.display())).hint(
                "a lock that has what it comes from can bring it again: run this where that lock is, or with --lock",
            ))
        } else {
            open_parents(tree, &damage.path, &mut opened).and_then(|there| match (there, entry) {
                (true, _) => put_right(store, tree, &root, entry, damage),
                // What it was in went already.
                (false, None) => Ok(()),
                (false, Some(_)) => {
                    Err(Error::failure(format!("the directory of `{}` is not there", damage.display())))
                }
            })
        };
        mended = mended.and(put);
    }
    // Whatever happened, what was opened is closed.
    for directory in opened.iter().rev().filter(|path| !path.is_empty()) {
        // One that a file had the place of may be gone.
        mended = mended.and(root.seal_directory(directory, 0o555).map_err(Error::from));
    }
    fs_err::set_permissions(&tree.path, PermissionsExt::from_mode(0o555))?;
    store.sync()?;
    brought.and(mended)
}

/// Has `bring` put contents where blobs are that do not hold them. Such a blob goes only when another takes its place:
/// half of it may be all that is left. It is marked by its time, so that it is not taken for a whole one.
fn bring_in_place(
    store: &Store,
    lacking: &BTreeSet<Contents>,
    bring: &mut dyn FnMut(&BTreeSet<Contents>) -> Result<()>,
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
    bring(lacking)
}

/// A blob and a tree's file are one: what closed the one closed the other, and its bytes may be right all the same.
fn make_readable(store: &Store, Contents { digest, executable }: Contents) {
    let blob = store.blob(digest, executable);
    if fs_err::symlink_metadata(&blob).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o400 == 0) {
        // Where it cannot be, reading fails and tells.
        let _ = fs_err::set_permissions(&blob, PermissionsExt::from_mode(stored_mode(executable)));
    }
}

/// Makes the directories above a path writable for a while. Whether all are there; what is no directory is not looked through.
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

/// Makes it what `entry` says, nothing where that is none. The directories above are there, and no links.
fn put_right(store: &Store, tree: &StoredTree, root: &Root, entry: Option<&Entry>, damage: &Damage) -> Result<()> {
    let path = tree.path.join(OsStr::from_bytes(&damage.path));
    let Some(entry) = entry else {
        return remove_tree(&path);
    };
    match &entry.node {
        Node::Directory => {
            if damage.fault == Fault::Mode {
                // Else it might not even be opened.
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
