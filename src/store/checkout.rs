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

/// How files get from the store into a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkMode {
    /// Shared blocks where the file system can, else a copy.
    #[default]
    Auto,
    /// Shared blocks, or an error.
    Reflink,
    /// The same file under a second name: no space, read-only, and a write through it damages the store.
    Hardlink,
    /// The bytes once more.
    Copy,
}

/// How the names of unfinished copies begin.
const WORK: &str = ".strixlock-copy-";

/// Puts a copy of `tree` at `target`, whole or not at all. A directory that holds the same tree already is left alone;
/// one that holds something else is an error unless `replace`.
pub fn checkout(tree: &StoredTree, target: &Path, mode: LinkMode, replace: bool) -> Result<()> {
    let listing = tree.listing()?;
    let there = fs_err::symlink_metadata(target).is_ok();
    if there {
        if target.is_dir() && scan::scan(target).is_ok_and(|found| found.digest() == tree.digest) {
            return Ok(());
        }
        if !replace {
            return Err(Error::failure("something else stands where the copy should go")
                .fact("path", target.display())
                .hint("name another directory with --to, or replace it with --force"));
        }
    }
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs_err::create_dir_all(parent)?;
    // One at a time in this directory; what is under our names then was left by a process that was killed.
    let held = fs_err::File::open(parent)?;
    Waiting::default().alone(held.file(), parent)?;
    // Whoever else may write to it can exchange what stands there: it is reached by descriptors that follow no link.
    let above = Root::open(parent)?;
    for (name, _) in above.names()? {
        if name.starts_with(WORK.as_bytes()) {
            remove_beneath(above.as_fd(), &name)?;
        }
    }
    if fs_err::symlink_metadata(target).is_ok() != there {
        // Somebody wrote it while we waited: look again.
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
        // Both change places at once; a file system that cannot do that is asked for two renames.
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
    // What was replaced is in the way of removing the working directory if it is read-only.
    remove_tree(&copy)
}

/// Fills the empty directory `to`, which messages call `copy`.
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
                        // Hashed as it passes, so that damage in the store does not spread. (Shared blocks are not read:
                        // like hard links they are the store's own, and `verify` sees both.)
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
    Error::failure("this file system cannot share files with the store in the way that was asked for")
        .fact("copy", copy.display())
        .because(error)
        .hint("use --link-mode copy")
}
