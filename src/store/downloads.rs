//! Downloads: partial ones under `tmp/partial/`, verified ones by their digest.

use std::fs::{File, Metadata};
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::owners::is_ours;
use super::remove::remove_beneath;
use super::trees::no_hard_link;
use super::{Store, open_lock, sync_directory};
use crate::digest::Sha256Digest;
use crate::error::{Error, Result};
use crate::tree::confined::Root;

/// Number of attempts to open the file of a partial download, after removing something else that had its name.
const TRIES: usize = 3;
/// Greatest size of a recorded server answer, in bytes.
const MOST_STATE: u64 = 64 << 10;

/// A partial download. While this value lives no other process downloads the same thing: a second process waits for the
/// lock, and then finds the result of the first one in the store.
#[derive(Debug)]
pub struct Partial {
    /// Path of the bytes so far. They are opened with [`Self::open`].
    pub data: PathBuf,
    directory: Root,
    name: String,
    me: u32,
    _lock: File,
}

impl Partial {
    /// Opens the bytes so far, for reading and writing. Anything but a regular file of our own without other hard links
    /// is removed first, so that nothing else is written to.
    pub fn open(&self) -> Result<File> {
        let name = format!("{}.part", self.name);
        for _ in 0..TRIES {
            if let Ok(file) = self.directory.open_kept(name.as_bytes(), 0o600)
                && file.metadata().is_ok_and(|found| found.is_file() && found.nlink() == 1 && found.uid() == self.me)
            {
                return Ok(file);
            }
            remove_beneath(self.directory.as_fd(), name.as_bytes())?;
        }
        Err(Error::failure("cannot open the file of a partial download").fact("file", self.data.display()))
    }

    /// Returns the recorded server answer for the file, which is needed to resume.
    #[must_use]
    pub fn read_state(&self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        let file = self.directory.open_file(self.state().as_bytes()).ok()?;
        file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        file.take(MOST_STATE).read_to_end(&mut text).ok()?;
        Some(text)
    }

    /// Records the server's answer. The lock makes this process the only writer, so the temporary file has a fixed
    /// name, and the next run begins by removing it.
    pub fn write_state(&self, text: &[u8]) -> Result<()> {
        let new = format!("{}.json.new", self.name);
        remove_beneath(self.directory.as_fd(), new.as_bytes())?;
        let mut file = self.directory.create_file(new.as_bytes())?;
        file.write_all(text)?;
        file.sync_all()?;
        rustix::fs::renameat(&self.directory, &*new, &self.directory, &*self.state()).map_err(std::io::Error::from)?;
        Ok(())
    }

    /// Removes the recorded server answer.
    pub fn forget_state(&self) {
        let _ = self.directory.remove_file(self.state().as_bytes());
    }

    /// Removes the partial download.
    pub fn discard(&self) {
        let _ = self.directory.remove_file(format!("{}.part", self.name).as_bytes());
        self.forget_state();
    }

    fn state(&self) -> String {
        format!("{}.json", self.name)
    }
}

/// Record of a finished download from a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The URL.
    pub url: String,
    /// Size in bytes.
    pub size: u64,
    /// Digest of the bytes.
    pub digest: Sha256Digest,
    /// Validator that the server sent with these bytes: a strong ETag, or a modification time.
    pub validator: String,
}

impl Store {
    /// Locks the download that `key` names (a digest, or a URL if no digest is known). Waits while another process has
    /// it.
    pub fn partial(&self, key: &str) -> Result<Partial> {
        let name = Sha256Digest::of(key.as_bytes()).hex();
        let directory = self.beneath()?.directory(b"tmp/partial")?;
        let place = self.root.join("tmp/partial");
        let (held, data) = (place.join(format!("{name}.held")), place.join(format!("{name}.part")));
        let lock = open_lock(&held)?;
        self.waiting.patiently(&lock, &held)?;
        Ok(Partial { data, directory, name, me: self.me, _lock: lock })
    }

    /// Records a download from a URL.
    pub fn note_origin(&self, origin: &Origin) -> Result<()> {
        let path = self.make_directory("downloads/origins")?.join(origin_name(&origin.url));
        let text =
            serde_json::to_vec(origin).map_err(|error| Error::failure("cannot record a download").because(&error))?;
        self.write(&path, &text)
    }

    /// Returns the record of the last download from a URL, if the store still has the file. Only the server can say
    /// whether the URL gives the same now.
    #[must_use]
    pub fn origin(&self, url: &str) -> Option<Origin> {
        let place = format!("downloads/origins/{}", origin_name(url));
        self.own(&place)?;
        let mut text = Vec::new();
        self.beneath().ok()?.open_file(place.as_bytes()).ok()?.take(MOST_STATE).read_to_end(&mut text).ok()?;
        let origin: Origin = serde_json::from_slice(&text).ok()?;
        let held = self.own(&format!("downloads/sha256/{}", origin.digest.hex()))?.len();
        (origin.url == url && held == origin.size).then_some(origin)
    }

    /// Removes the records of downloads that the store no longer has.
    pub(super) fn forget_origins(&self) -> Result<()> {
        let Ok(entries) = fs_err::read_dir(self.root.join("downloads/origins")) else { return Ok(()) };
        for entry in entries {
            let path = entry?.path();
            let origin = fs_err::read(&path).ok().and_then(|text| serde_json::from_slice::<Origin>(&text).ok());
            if origin.is_none_or(|origin| self.download(origin.digest).is_none()) {
                fs_err::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Returns the path that the verified download with this digest has, or would have.
    #[must_use]
    pub fn download_path(&self, digest: Sha256Digest) -> PathBuf {
        self.root.join("downloads/sha256").join(digest.hex())
    }

    /// Returns the verified download with this digest, if the store has it.
    #[must_use]
    pub fn download(&self, digest: Sha256Digest) -> Option<PathBuf> {
        let found = self.own(&format!("downloads/sha256/{}", digest.hex()));
        found.filter(Metadata::is_file).map(|_| self.download_path(digest))
    }

    /// Hard-links a verified download into the blob store.
    pub fn share_download(&self, digest: Sha256Digest) -> Result<()> {
        let (from, blob) = (self.download_path(digest), self.blob(digest, false));
        self.make_blob_directory(digest)?;
        match fs_err::hard_link(&from, &blob) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => return other.map_err(|error| no_hard_link(&blob, error)),
        }
        let (new, old) = (fs_err::symlink_metadata(&from)?, fs_err::symlink_metadata(&blob)?);
        // A write to a blob changes its time. A blob that was written to, or is another user's, is replaced.
        let same = (old.len(), old.mtime(), old.mode()) == (new.len(), new.mtime(), new.mode());
        if old.is_file() && same && is_ours(&old, self.me) {
            return Ok(());
        }
        let staging = self.stage()?;
        let link = staging.path().join("blob");
        fs_err::hard_link(&from, &link)?;
        Ok(fs_err::rename(&link, &blob)?)
    }

    /// Keeps bytes that are in memory as a download, unless the store has them. Returns their digest.
    pub fn publish_bytes(&self, bytes: &[u8]) -> Result<Sha256Digest> {
        let digest = Sha256Digest::of(bytes);
        if self.download(digest).is_none() {
            let partial = self.partial(&digest.to_string())?;
            let mut file = partial.open()?;
            file.set_len(0)?;
            file.write_all(bytes)?;
            drop(file);
            self.publish_download(&partial, digest)?;
        }
        Ok(digest)
    }

    /// Publishes a finished download. The caller has checked that the bytes have this digest.
    pub fn publish_download(&self, partial: &Partial, digest: Sha256Digest) -> Result<PathBuf> {
        let path = self.download_path(digest);
        let file = partial.open()?;
        file.sync_all()?;
        fs_err::rename(&partial.data, &path)?;
        // Made read-only after the rename, so that a run killed before it can write to the file again.
        crate::tree::confined::seal_file(&file, 0o444)?;
        sync_directory(path.parent().unwrap_or(Path::new("/")))?;
        partial.discard();
        Ok(path)
    }

    /// Moves the bytes of a download to a path in a staging directory, for a file that is needed only once.
    pub fn move_download(&self, partial: &Partial, to: &Path) -> Result<()> {
        fs_err::rename(&partial.data, to)?;
        partial.discard();
        Ok(())
    }
}

fn origin_name(url: &str) -> String {
    Sha256Digest::of(url.as_bytes()).hex()
}
