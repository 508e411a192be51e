//! Removes directories with everything in them, however deep a build nested them.
//!
//! Very deep nesting exhausts a walk that keeps one descriptor per level (descriptors), one that uses paths (path
//! length), and one that recurses (stack). So each directory that is not empty is moved up into the topmost one, and
//! they are emptied one after the other. Two descriptors are open at a time.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// Removes a directory with everything in it, also if directories are read-only, or the file or link with this path.
/// Succeeds if there is nothing.
pub(super) fn remove_tree(path: &Path) -> Result<()> {
    remove_beneath(CWD, path.as_os_str().as_encoded_bytes())
        .map_err(|error| Error::failure("cannot remove a directory").fact("path", path.display()).because(&error))
}

/// Removes the entry `name` of the directory `parent`, like [`remove_tree`]. Follows no link.
pub(super) fn remove_beneath(parent: BorrowedFd, name: &[u8]) -> io::Result<()> {
    match open(parent, name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Ok(rustix::fs::unlinkat(parent, name, AtFlags::empty())?)
        }
        Err(error) => Err(error),
        Ok(top) => {
            empty_all(&top)?;
            Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
        }
    }
}

fn empty_all(top: &OwnedFd) -> io::Result<()> {
    let mut moved = Moved { top, names: Vec::new(), number: 0 };
    for name in empty(top, &mut moved)? {
        moved.names.push(name);
    }
    while let Some(name) = moved.names.pop() {
        let directory = open(top.as_fd(), &name)?;
        empty(&directory, &mut moved)?;
        drop(directory);
        rustix::fs::unlinkat(top, &*name, AtFlags::REMOVEDIR)?;
    }
    Ok(())
}

/// Directories inside the topmost one that are still to be emptied: its own, and those that were moved there.
struct Moved<'a> {
    top: &'a OwnedFd,
    names: Vec<Vec<u8>>,
    number: u64,
}

/// Removes the entries of a directory. Subdirectories that are not empty are moved up; those of the topmost directory
/// are returned.
fn empty(directory: &OwnedFd, moved: &mut Moved) -> io::Result<Vec<Vec<u8>>> {
    let is_top = std::ptr::eq(directory, moved.top);
    let mut left = Vec::new();
    for name in names(directory)? {
        let file = rustix::fs::unlinkat(directory, &*name, AtFlags::empty());
        // POSIX has EPERM for a directory, Linux EISDIR.
        let removed = match file {
            Err(Errno::ISDIR | Errno::PERM) => rustix::fs::unlinkat(directory, &*name, AtFlags::REMOVEDIR),
            other => other,
        };
        match removed {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) if is_top => left.push(name),
            Err(Errno::NOTEMPTY | Errno::EXIST) => moved.take(directory, &name)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(left)
}

impl Moved<'_> {
    fn take(&mut self, from: &OwnedFd, name: &[u8]) -> io::Result<()> {
        loop {
            let free = format!("removed-{}", self.number).into_bytes();
            self.number += 1;
            let renamed = match rustix::fs::renameat(from, name, self.top, &*free) {
                // Moving a directory changes its `..`, which needs write access to the directory itself.
                Err(Errno::ACCESS) => {
                    drop(open(from.as_fd(), name)?);
                    rustix::fs::renameat(from, name, self.top, &*free)
                }
                other => other,
            };
            match renamed {
                Ok(()) => {
                    self.names.push(free);
                    return Ok(());
                }
                // The build used this name already.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn names(directory: &OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            all.push(name.to_vec());
        }
    }
    Ok(all)
}

/// Opens a directory without following links, and gives its owner all rights to it.
fn open(parent: BorrowedFd, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = rustix::fs::openat(parent, name, flags | OFlags::PATH, Mode::empty())?;
    // Only the owner can change the mode. Others who may empty the directory need no change.
    let _ = std::fs::set_permissions(format!("/proc/self/fd/{}", place.as_raw_fd()), PermissionsExt::from_mode(0o700));
    Ok(rustix::fs::openat(&place, ".", flags | OFlags::RDONLY, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    /// More levels than descriptors, and a longer path than Linux allows.
    const DEPTH: usize = 6000;

    /// Creates nested directories, each with a file beside it.
    fn dig(place: &Path) {
        fs_err::create_dir(place).unwrap();
        let mut here = open(CWD, place.as_os_str().as_encoded_bytes()).unwrap();
        for _ in 0..DEPTH {
            rustix::fs::mkdirat(&here, "removed-1", Mode::from_raw_mode(0o755)).unwrap();
            let flags = OFlags::CREATE | OFlags::WRONLY;
            rustix::fs::openat(&here, "removed-0", flags, Mode::from_raw_mode(0o644)).unwrap();
            here = rustix::fs::openat(&here, "removed-1", OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
    }

    #[test]
    fn the_deepest_directory_is_removed() {
        let outside = tempfile::tempdir().unwrap();
        let place = outside.path().join("deep");
        dig(&place);
        remove_tree(&place).unwrap();
        assert_eq!(fs_err::read_dir(outside.path()).unwrap().count(), 0);
        remove_tree(&place).unwrap();
    }

    #[test]
    fn what_a_killed_build_left_is_removed_when_the_store_is_opened() {
        let place = tempfile::tempdir().unwrap();
        let tmp = place.path().join("tmp");
        drop(Store::open(place.path()).unwrap());
        fs_err::write(tmp.join("stage-killed.lock"), "").unwrap();
        dig(&tmp.join("stage-killed"));
        Store::open(place.path()).unwrap();
        assert_eq!(fs_err::read_dir(&tmp).unwrap().count(), 1, "only tmp/partial is left");
    }

    #[test]
    fn closed_directories_are_removed_and_links_are_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        let (place, kept) = (outside.path().join("place"), outside.path().join("kept"));
        fs_err::create_dir_all(place.join("a/b/c")).unwrap();
        fs_err::create_dir(&kept).unwrap();
        fs_err::write(kept.join("file"), "x").unwrap();
        fs_err::os::unix::fs::symlink(&kept, place.join("a/link")).unwrap();
        for closed in ["a/b/c", "a/b", "a"] {
            fs_err::set_permissions(place.join(closed), PermissionsExt::from_mode(0o000)).unwrap();
        }
        remove_tree(&place).unwrap();
        assert!(!place.exists());
        assert_eq!(fs_err::read_to_string(kept.join("file")).unwrap(), "x");
        fs_err::os::unix::fs::symlink(&kept, &place).unwrap();
        remove_tree(&place).unwrap();
        assert!(!place.is_symlink() && kept.join("file").exists());
    }
}
