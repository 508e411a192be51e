//! Access to files below one directory, by descriptor only.
//!
//! Names come from archives, so they are hostile: every look-up is relative to the root's descriptor, may not leave
//! the root and may not pass through a symbolic link. The kernel enforces that (`openat2`). If the kernel is too old
//! or a container's filter forbids the call, the path is walked part by part with `O_NOFOLLOW`, which is as safe and
//! slower.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::path::split;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps};
use rustix::io::Errno;

/// The modification time of everything in a store or export, in seconds: 1980-01-01, the earliest that every archive
/// format can hold.
pub const MTIME: i64 = 315_532_800;

/// A directory that look-ups through this type cannot leave.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
}

impl Root {
    /// Opens the directory at `path`, which is trusted.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = fs_err::File::open(path)?;
        Ok(Self { fd: OwnedFd::from(file.into_parts().0) })
    }

    /// Creates a file and opens it for writing. Fails if the name exists.
    pub fn create_file(&self, path: &[u8]) -> io::Result<File> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW;
        self.open_beneath(path, flags, Mode::from_raw_mode(0o600)).map(File::from)
    }

    /// Opens a file for reading. Does not block if the name is a pipe's.
    pub fn open_file(&self, path: &[u8]) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        self.open_beneath(path, flags, Mode::empty()).map(File::from)
    }

    /// Opens a file that persists, such as a lock file, for reading and writing; creates it if it is missing. Does
    /// not block if the name is a pipe's.
    pub fn open_kept(&self, path: &[u8], mode: u32) -> io::Result<File> {
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        self.open_beneath(path, flags, Mode::from_raw_mode(mode)).map(File::from)
    }

    /// Opens an existing file for reading and writing.
    pub fn reopen(&self, path: &[u8]) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        self.open_beneath(path, flags, Mode::empty()).map(File::from)
    }

    /// Opens a directory below this one.
    pub fn directory(&self, path: &[u8]) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        Ok(Self { fd: self.open_beneath(path, flags, Mode::empty())? })
    }

    /// Returns the metadata of this directory itself.
    pub fn own_metadata(&self) -> io::Result<std::fs::Metadata> {
        File::from(self.fd.try_clone()?).metadata()
    }

    /// Returns the names in this directory with their types, as far as the directory's entries tell them.
    pub fn names(&self) -> io::Result<Vec<(Vec<u8>, FileType)>> {
        let mut all = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                all.push((name.to_vec(), entry.file_type()));
            }
        }
        Ok(all)
    }

    /// Removes a name that is not a directory's.
    pub fn remove_file(&self, path: &[u8]) -> io::Result<()> {
        self.in_parent(path, |parent, name| rustix::fs::unlinkat(parent, name, AtFlags::empty()))
    }

    /// Returns the metadata of `path`. Does not follow a symlink and needs no permission to read.
    pub fn metadata(&self, path: &[u8]) -> io::Result<std::fs::Metadata> {
        File::from(self.open_beneath(path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())?).metadata()
    }

    /// Returns the target of a symbolic link.
    pub fn read_link(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        Ok(self.in_parent(path, |parent, name| rustix::fs::readlinkat(parent, name, Vec::new()))?.into_bytes())
    }

    /// Creates a directory that its owner can write to until [`Self::seal_directory`].
    pub fn create_directory(&self, path: &[u8]) -> io::Result<()> {
        self.in_parent(path, |parent, name| rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)))
    }

    /// Moves a directory below the root to `place`, which is trusted. Does not follow symlinks on the way to
    /// `path`.
    pub fn take_directory(&self, path: &[u8], place: &Path) -> io::Result<()> {
        drop(self.open_beneath(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?);
        self.in_parent(path, |parent, name| rustix::fs::renameat(parent, name, rustix::fs::CWD, place))
    }

    /// Creates a symbolic link.
    pub fn create_link(&self, path: &[u8], target: &[u8]) -> io::Result<()> {
        self.in_parent(path, |parent, name| {
            rustix::fs::symlinkat(target, parent, name)?;
            rustix::fs::utimensat(parent, name, &times(), AtFlags::SYMLINK_NOFOLLOW)
        })
    }

    /// Sets the final mode and time of a directory. All of its entries must exist already.
    pub fn seal_directory(&self, path: &[u8], mode: u32) -> io::Result<()> {
        let fd = self.open_beneath(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode))?;
        Ok(rustix::fs::futimens(&fd, &times())?)
    }

    /// Calls `action` with the descriptor of the directory that holds `path`, and with the last part of `path`.
    pub fn in_parent<T>(
        &self,
        path: &[u8],
        action: impl FnOnce(BorrowedFd<'_>, &[u8]) -> Result<T, Errno>,
    ) -> io::Result<T> {
        let Some((parent, name)) = split(path) else {
            return Ok(action(self.fd.as_fd(), path)?);
        };
        let parent = self.open_beneath(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(action(parent.as_fd(), name)?)
    }

    fn open_beneath(&self, path: &[u8], flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        loop {
            match rustix::fs::openat2(&self.fd, path, flags, mode, resolve) {
                // EAGAIN: the kernel saw a concurrent rename and asks the caller to try again.
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(Errno::NOSYS | Errno::PERM) => return Ok(self.walk(path, flags, mode)?),
                answer => return Ok(answer?),
            }
        }
    }

    fn walk(&self, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        let mut parts = path.split(|byte| *byte == b'/').peekable();
        let mut current: Option<OwnedFd> = None;
        while let Some(part) = parts.next() {
            if matches!(part, b"" | b"." | b"..") {
                return Err(Errno::XDEV);
            }
            let at = current.as_ref().map_or(self.fd.as_fd(), AsFd::as_fd);
            if parts.peek().is_none() {
                return rustix::fs::openat(at, part, flags, mode);
            }
            let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            current = Some(rustix::fs::openat(at, part, step, Mode::empty())?);
        }
        Err(Errno::NOENT)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Returns the mode of a file in a store.
#[must_use]
pub fn stored_mode(executable: bool) -> u32 {
    if executable { 0o555 } else { 0o444 }
}

/// Sets the final mode and time of an open file.
pub fn seal_file(file: &impl AsFd, mode: u32) -> io::Result<()> {
    rustix::fs::fchmod(file, Mode::from_raw_mode(mode))?;
    Ok(rustix::fs::futimens(file, &times())?)
}

/// Returns [`MTIME`] in the form of the system calls.
#[must_use]
pub fn times() -> Timestamps {
    let time = Timespec { tv_sec: MTIME, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_created_outside_or_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
        fs_err::create_dir(&inside).unwrap();
        fs_err::create_dir(&outside).unwrap();
        let root = Root::open(&inside).unwrap();
        root.create_link(b"way", b"../out").unwrap();
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
        for path in [b"../out/x".as_slice(), b"way/x", b"/tmp/x", b"a/../../out/x"] {
            assert!(root.create_file(path).is_err(), "{}", path.escape_ascii());
            assert!(root.walk(path, flags, Mode::from_raw_mode(0o600)).is_err(), "{}", path.escape_ascii());
            assert!(root.create_directory(path).is_err(), "{}", path.escape_ascii());
            assert!(root.create_link(path, b"t").is_err(), "{}", path.escape_ascii());
        }
        assert_eq!(fs_err::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn both_ways_of_walking_reach_the_same_file() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        root.create_directory(b"a").unwrap();
        root.create_file(b"a/b").unwrap();
        assert!(root.walk(b"a/b", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).is_ok());
        assert!(root.open_file(b"a/b").is_ok());
    }

    #[test]
    fn a_link_is_seen_and_never_looked_through() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        root.create_directory(b"a").unwrap();
        root.create_file(b"a/b").unwrap();
        root.create_link(b"link", b"a").unwrap();
        let path = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let walked = |name: &[u8]| File::from(root.walk(name, path, Mode::empty()).unwrap()).metadata().unwrap();
        assert!(root.metadata(b"link").unwrap().is_symlink() && walked(b"link").is_symlink());
        assert!(root.metadata(b"a").unwrap().is_dir() && walked(b"a/b").is_file());
        assert_eq!(root.read_link(b"link").unwrap(), b"a");
        assert!(root.metadata(b"link/b").is_err() && root.read_link(b"a/b").is_err());
    }
}
