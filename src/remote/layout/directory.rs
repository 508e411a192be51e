//! The files of a layout in a directory.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::super::address::Address;
use super::{Change, Files, MARKER};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::store::{UNFINISHED, mark_directory};

/// The directory of blobs, below the layout's.
const BLOBS: &str = "blobs/sha256";
/// Bytes that are copied between two reports of progress.
const STEP: usize = 1 << 20;

/// A layout in a directory.
///
/// Whoever writes to it holds its marker shared, and whoever sweeps it exclusively (flock), so that no blob disappears
/// that a push is about to refer to. The index is changed by one process at a time.
pub struct Directory {
    path: PathBuf,
    held: Mutex<Option<File>>,
}

impl Directory {
    /// Returns the layout at a path, where nothing needs to be yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, held: Mutex::new(None) }
    }

    /// Holds the marker until `self` is dropped.
    fn hold(&self, how: FlockOperation) -> Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match held.take() {
            Some(file) => file,
            None => fs_err::File::open(self.path.join(MARKER.0))?.into_parts().0,
        };
        let locked = flock(&file, how);
        *held = Some(file);
        locked.map_err(|error| {
            if error == Errno::WOULDBLOCK {
                return Error::new(Kind::Busy, "another process writes to this remote")
                    .fact("path", self.path.display())
                    .hint("run the command again when that one is done");
            }
            self.failed(MARKER.0, &error.into()).hint("the file system must have locks (flock)")
        })
    }

    fn failed(&self, path: &str, error: &std::io::Error) -> Error {
        let message = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk of the remote is full",
            _ => "cannot use a file of the remote",
        };
        Error::failure(message).fact("path", self.path.join(path).display()).because(error)
    }

    /// Opens a file, if it is there.
    fn open(&self, path: &str) -> Result<Option<(File, u64)>> {
        let failed = |error: std::io::Error| self.failed(path, &error);
        let file = match File::open(self.path.join(path)) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let found = file.metadata().map_err(failed)?;
        if found.is_file() { Ok(Some((file, found.len()))) } else { Ok(None) }
    }

    /// Writes a file, and gives it its name when it is whole and on the disk.
    fn write(&self, path: &str, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
        let place = self.path.join(path);
        let parent = place.parent().unwrap_or(&self.path);
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(parent)?;
            let mut new = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(parent)?;
            write(new.as_file_mut())?;
            new.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
            new.as_file().sync_all()?;
            new.persist(&place)?;
            File::open(parent)?.sync_all()
        };
        write().map_err(|error| self.failed(path, &error))
    }
}

impl Files for Directory {
    fn address(&self) -> String {
        Address::Directory(self.path.clone()).to_string()
    }

    fn size(&self, path: &str) -> Result<Option<u64>> {
        Ok(self.open(path)?.map(|(_, size)| size))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let Some((file, _)) = self.open(path)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| self.failed(path, &error))?;
        if bytes.len() as u64 > limit {
            return Err(Error::new(Kind::Mismatch, "a document of the remote is too long")
                .fact("path", self.path.join(path).display())
                .fact("limit", format!("{limit} bytes")));
        }
        Ok(Some(bytes))
    }

    fn part(&self, path: &str, offset: u64, length: u64, size: u64) -> Result<Bytes> {
        let missing =
            || Error::new(Kind::NotFound, "the remote lacks a blob").fact("path", self.path.join(path).display());
        let (file, found) = self.open(path)?.ok_or_else(missing)?;
        if found != size {
            return Err(Error::new(Kind::Mismatch, "a blob of the remote has another size")
                .fact("path", self.path.join(path).display())
                .fact("expected", format!("{size} bytes"))
                .fact("found", format!("{found} bytes")));
        }
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, offset).map_err(|error| self.failed(path, &error))?;
        Ok(bytes.into())
    }

    fn prepare(&self) -> Result<()> {
        if self.held.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        mark_directory(&self.path, MARKER.0, MARKER.1, "an OCI image layout")?;
        self.hold(FlockOperation::LockShared)
    }

    fn add(&self, path: &str, file: &File, size: u64, sent: &(dyn Fn(u64) + Sync)) -> Result<()> {
        self.write(path, |new| {
            let (mut buffer, mut at) = (vec![0; STEP], 0);
            while at < size {
                let step = buffer.len().min((size - at) as usize);
                file.read_exact_at(&mut buffer[..step], at)?;
                new.write_all(&buffer[..step])?;
                at += step as u64;
                sent(at);
            }
            Ok(())
        })
    }

    fn add_small(&self, path: &str, bytes: &[u8]) -> Result<()> {
        if self.read(path, bytes.len() as u64).is_ok_and(|found| found.as_deref() == Some(bytes)) {
            return Ok(());
        }
        self.write(path, |new| new.write_all(bytes))
    }

    fn change(&self, path: &str, limit: u64, change: &mut Change) -> Result<()> {
        // The marker is held for the whole of a push, so another file says who changes the index now.
        let place = self.path.join(format!("{path}.lock"));
        let held = File::options().create(true).append(true).open(place).map_err(|error| self.failed(path, &error))?;
        flock(&held, FlockOperation::LockExclusive).map_err(|error| self.failed(path, &error.into()))?;
        let new = change(self.read(path, limit)?.as_deref())?;
        self.write(path, |file| file.write_all(&new))
    }

    fn remove(&self, path: &str) -> Result<()> {
        match std::fs::remove_file(self.path.join(path)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.failed(path, &error)),
            _ => Ok(()),
        }
    }

    fn begin_removal(&self) -> Result<()> {
        self.hold(FlockOperation::NonBlockingLockExclusive)
    }

    fn settled_blobs(&self) -> Result<Vec<Sha256Digest>> {
        // Nobody else can be in the middle of a push from now on.
        self.begin_removal()?;
        let directory = self.path.join(BLOBS);
        let mut blobs = Vec::new();
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(blobs),
            entries => entries.map_err(|error| self.failed(BLOBS, &error))?,
        };
        for entry in entries {
            let name = entry.map_err(|error| self.failed(BLOBS, &error))?.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.starts_with(UNFINISHED) {
                // Of a process that was killed.
                self.remove(&format!("{BLOBS}/{name}"))?;
            }
            blobs.extend(Sha256Digest::from_hex(name));
        }
        blobs.sort();
        Ok(blobs)
    }
}
