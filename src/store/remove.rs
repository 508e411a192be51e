//! Removes directories with all that is in them, whatever a build made of them.
//!
//! A build may leave directories so deep that a walk with one descriptor a level has too few of them, one with paths too
//! long a path, and one that calls itself too small a stack. So none of the three: each directory that is not empty is
//! moved up into the topmost one, and they are emptied one after the other. Two descriptors are open at a time.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// Removes a directory with all that is in it, also where directories are read-only; or the file or link that stands in
/// its place. What is absent is removed.
pub(super) fn remove_tree(path: &Path) -> Result<()> {
    remove_beneath(CWD, path.as_os_str().as_encoded_bytes())
        .map_err(|error| Error::failure("cannot remove a directory").fact("path", path.display()).because(&error))
}

/// Removes what has this name in the directory `at`. No link is followed.
pub(super) fn remove_beneath(at: BorrowedFd, name: &[u8]) -> io::Result<()> {
    match open(at, name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Ok(rustix::fs::unlinkat(at, name, AtFlags::empty())?)
        }
        Err(error) => Err(error),
        Ok(top) => {
            empty_all(&top)?;
            Ok(rustix::fs::unlinkat(at, name, AtFlags::REMOVEDIR)?)
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

/// The directories that were moved into the topmost one, and those that were there.
struct Moved<'a> {
    top: &'a OwnedFd,
    names: Vec<Vec<u8>>,
    number: u64,
}

/// Removes what is in a directory. Directories that are not empty are moved up; those of the topmost one are given back.
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
                // A directory that goes elsewhere has its own `..` changed, which takes the right to write to it.
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
                // The build had the same idea of a name.
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

/// Opens a directory, no link to one, and makes it open to its owner.
fn open(at: BorrowedFd, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = rustix::fs::openat(at, name, flags | OFlags::PATH, Mode::empty())?;
    // Only its owner can; whoever else may empty it has no need to.
    let _ = std::fs::set_permissions(format!("/proc/self/fd/{}", place.as_raw_fd()), PermissionsExt::from_mode(0o700));
    Ok(rustix::fs::openat(&place, ".", flags | OFlags::RDONLY, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    /// Far deeper than there are descriptors, and longer than a path may be.
    const DEPTH: usize = 6000;

    /// A directory in a directory in a directory, each with a file beside it.
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
