//! Downloads: begun ones under `tmp/partial/`, verified ones under their digest.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Store, open_lock, sync_directory};
use crate::digest::Sha256Digest;
use crate::error::Result;

/// A begun download. While it lives no other process downloads the same thing: the second one waits for the lock,
/// and then finds the first one's result in the store.
#[derive(Debug)]
pub struct Partial {
    /// The bytes that are there so far.
    pub data: PathBuf,
    /// What the server said of the file they belong to: needed to resume.
    pub state: PathBuf,
    _lock: File,
}

impl Partial {
    /// Writes what the server said. Whoever holds the download is alone with its files, so the unfinished one has a fixed
    /// name and the next run writes over it.
    pub fn write_state(&self, text: &[u8]) -> Result<()> {
        let new = self.state.with_extension("json.new");
        fs_err::write(&new, text)?;
        fs_err::File::open(&new)?.sync_all()?;
        Ok(fs_err::rename(&new, &self.state)?)
    }

    /// Forgets the begun download.
    pub fn discard(&self) {
        let _ = fs_err::remove_file(&self.data);
        let _ = fs_err::remove_file(&self.state);
    }
}

impl Store {
    /// Waits for the right to download the thing that `key` (a digest, or a URL when none is known) stands for.
    pub fn partial(&self, key: &str) -> Result<Partial> {
        let name = Sha256Digest::of(key.as_bytes()).hex();
        let directory = self.root.join("tmp/partial");
        let lock = open_lock(&directory.join(format!("{name}.held")))?;
        lock.lock()?;
        Ok(Partial {
            data: directory.join(format!("{name}.part")),
            state: directory.join(format!("{name}.json")),
            _lock: lock,
        })
    }

    /// Where the verified download with this digest is, or would be.
    #[must_use]
    pub fn download_path(&self, digest: Sha256Digest) -> PathBuf {
        self.root.join("downloads/sha256").join(digest.hex())
    }

    /// The verified download with this digest, if it is here.
    #[must_use]
    pub fn download(&self, digest: Sha256Digest) -> Option<PathBuf> {
        let path = self.download_path(digest);
        path.is_file().then_some(path)
    }

    /// Makes a verified download the contents of its digest in the blob store: one more name for the same file.
    pub fn share_download(&self, digest: Sha256Digest) -> Result<()> {
        let (from, blob) = (self.download_path(digest), self.blob(digest, false));
        fs_err::create_dir_all(blob.parent().unwrap_or(&self.root))?;
        match fs_err::hard_link(&from, &blob) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => return Ok(other?),
        }
        let (new, old) = (fs_err::metadata(&from)?, fs_err::symlink_metadata(&blob)?);
        // Whoever writes to a blob changes its time; such a one gives way.
        if old.is_file() && (old.len(), old.mtime(), old.mode()) == (new.len(), new.mtime(), new.mode()) {
            return Ok(());
        }
        let staging = self.stage()?;
        let aside = staging.path().join("blob");
        fs_err::hard_link(&from, &aside)?;
        Ok(fs_err::rename(&aside, &blob)?)
    }

    /// Gives a finished download its name. The caller has checked that the bytes have this digest.
    pub fn publish_download(&self, partial: &Partial, digest: Sha256Digest) -> Result<PathBuf> {
        let path = self.download_path(digest);
        let file = fs_err::File::open(&partial.data)?;
        file.sync_all()?;
        fs_err::rename(&partial.data, &path)?;
        // Only now: a run that was killed before must be able to write to it again.
        crate::tree::beneath::seal_file(file.file(), 0o444)?;
        sync_directory(path.parent().unwrap_or(Path::new("/")))?;
        partial.discard();
        Ok(path)
    }
}
