//! Plain copies of trees outside the store.

use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, RenameFlags};

use super::remove::{remove_beneath, remove_tree};
use super::{StoredTree, Waiting};
use crate::digest::HashingWriter;
use crate::error::{Error, Result};
use crate::tree::confined::{Root, seal_file, times};
use crate::tree::{Listing, Node, scan};

/// Way in which a copy gets its files from the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkMode {
    /// Shared blocks if the file system can, otherwise a copy.
    #[default]
    Auto,
    /// Shared blocks, or an error.
    Reflink,
    /// Hard links: no space, read-only, and a write through one damages the store.
    Hardlink,
    /// A copy of the bytes.
    Copy,
}

/// Prefix of the names of unfinished copies.
const WORK: &str = ".strixlock-copy-";

/// Puts a copy of `tree` at `target` atomically. Leaves a directory alone that holds the same tree already. Fails if
/// something else is there, unless `replace`.
pub fn checkout(tree: &StoredTree, target: &Path, mode: LinkMode, replace: bool) -> Result<()> {
    let listing = tree.listing()?;
    let there = fs_err::symlink_metadata(target).is_ok();
    if there {
        if target.is_dir() && scan::scan(target).is_ok_and(|found| found.digest() == tree.digest) {
            return Ok(());
        }
        if !replace {
            return Err(Error::failure("the target of the copy exists and is not this tree")
                .fact("path", target.display())
                .hint("name another directory with --to, or replace it with --force"));
        }
    }
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs_err::create_dir_all(parent)?;
    // One copy at a time in this directory. With the lock held, our prefix marks what killed processes left.
    let held = fs_err::File::open(parent)?;
    Waiting::default().alone(held.file(), parent)?;
    // Others who can write to the directory could replace entries, so those are opened without following links.
    let above = Root::open(parent)?;
    for (name, _) in above.names()? {
        if name.starts_with(WORK.as_bytes()) {
            remove_beneath(above.as_fd(), &name)?;
        }
    }
    if fs_err::symlink_metadata(target).is_ok() != there {
        // The target was created or removed while we waited: start again.
        drop(held);
        return checkout(tree, target, mode, replace);
    }
    let work = tempfile::Builder::new().prefix(WORK).tempdir_in(parent)?;
    let copy = work.path().join("new");
    fs_err::create_dir(&copy)?;
    let inside = [work.path().file_name().unwrap_or_default().as_bytes(), b"new"].join(&b'/');
    fill(tree, &listing, &above.directory(&inside)?, &copy, mode)?;
    rustix::fs::syncfs(held.file()).map_err(std::io::Error::from)?;
    if there {
        // One atomic exchange, or two renames if the file system has no exchange.
        let exchanged = rustix::fs::renameat_with(CWD, &copy, CWD, target, RenameFlags::EXCHANGE);
        if exchanged.is_err() {
            let old = parent.join(format!("{WORK}old-{}", std::process::id()));
            fs_err::rename(target, &old)?;
            fs_err::rename(&copy, target)?;
            remove_tree(&old)?;
        }
    } else {
        fs_err::rename(&copy, target)?;
    }
    fs_err::File::open(parent)?.sync_all()?;
    // After an exchange, `copy` holds the replaced directory. The working directory cannot remove it if it is
    // read-only.
    remove_tree(&copy)
}

/// Makes a directory of hard links to a tree's files, for a use that ends with this process: it is not synced.
pub fn link_tree(tree: &StoredTree, to: &Path) -> Result<()> {
    fs_err::create_dir(to)?;
    fill(tree, &tree.listing()?, &Root::open(to)?, to, LinkMode::Hardlink)
}

/// Fills the empty directory `to`. Messages call it `copy`.
fn fill(tree: &StoredTree, listing: &Listing, to: &Root, copy: &Path, mode: LinkMode) -> Result<()> {
    let from = Root::open(&tree.path)?;
    for entry in listing.entries() {
        match &entry.node {
            Node::Directory => to.create_directory(&entry.path)?,
            Node::Link { target } => to.create_link(&entry.path, target)?,
            Node::File { .. } if mode == LinkMode::Hardlink => {
                from.in_parent(&entry.path, |old_parent, name| {
                    Ok(to.in_parent(&entry.path, |new_parent, new_name| {
                        rustix::fs::linkat(old_parent, name, new_parent, new_name, AtFlags::empty())
                    }))
                })
                .and_then(|made| made)
                .map_err(|error| cannot_link(copy, &error))?;
            }
            Node::File { executable, .. } => {
                let (mut source, file) = (from.open_file(&entry.path)?, to.create_file(&entry.path)?);
                let shared =
                    if mode == LinkMode::Copy { None } else { Some(rustix::fs::ioctl_ficlone(&file, &source)) };
                match shared {
                    Some(Ok(())) => {}
                    Some(Err(error)) if mode == LinkMode::Reflink => return Err(cannot_link(copy, &error.into())),
                    _ => {
                        // Hashed while it is copied, so that damage in the store does not spread. (Shared blocks and
                        // hard links are not read: they are the store's own, and `verify` reads them.)
                        let mut writer = HashingWriter::new(&file);
                        std::io::copy(&mut source, &mut writer)?;
                        let (found, copied, _) = writer.finish();
                        entry.demand_contents(found, copied)?;
                    }
                }
                seal_file(&file, if *executable { 0o755 } else { 0o644 })?;
            }
        }
    }
    for entry in listing.entries().iter().rev().filter(|entry| entry.node == Node::Directory) {
        to.seal_directory(&entry.path, 0o755)?;
    }
    rustix::fs::fchmod(to, Mode::from_raw_mode(0o755)).map_err(std::io::Error::from)?;
    rustix::fs::futimens(to, &times()).map_err(std::io::Error::from)?;
    Ok(())
}

fn cannot_link(copy: &Path, error: &std::io::Error) -> Error {
    Error::failure("this file system does not support the requested way to share files with the store")
        .fact("copy", copy.display())
        .because(error)
        .hint("use --link-mode copy")
}
