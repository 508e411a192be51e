//! The store: where verified downloads, file contents, trees and realized outputs live.
//!
//! ```text
//! STORE/
//!   version                        "strixlock-store 1"
//!   lock                           flock: shared while a process uses the store, exclusive for gc
//!   downloads/sha256/<hex>         verified downloads, whole
//!   blobs/<2 hex>/<62 hex>[x]      file contents by digest; `x` where executable, since a mode belongs to the inode
//!   trees/<hex>/listing            what is in the tree (strix-tree-1)
//!   trees/<hex>/tree/              the tree: hard links to blobs, all of it read-only; or
//!   trees/<hex>/cold               the chunks that it can be brought back from (see `cold`)
//!   chunks/<2 hex>/<62 hex>        pieces of cold trees, compressed
//!   outputs/<hex>/output.json      what the recipe with this derivation id gave; beside it the build's log and about.json
//!   outputs/<hex>/second/          what `check --keep` kept: a second tree that differs, its log, what diffoscope says
//!   git/<hex of the URL>/          bare repositories, a cache: objects are named by their own hashes
//!   generations/<n>/               generation.json, the lock, and one link per output into trees/
//!   locks/<hex>                    paths of locks whose things must stay
//!   current                        link to the generation that is switched to
//!   tmp/                           everything unfinished
//! ```
//!
//! Rules:
//! * What has a name outside `tmp/` is complete and on disk: it is written under `tmp/`, the file system is synced,
//!   and one rename makes it visible. A single `syncfs` in place of an fsync per file is enough, because names are only
//!   given after it: a name can then never stand before its bytes, and what has no name yet may be lost.
//! * Each directory under `tmp/` is locked by the process that fills it. One that nobody holds was left by a
//!   process that was killed, and the next process to open the store removes it. `tmp/partial/` alone is kept: begun
//!   downloads, to be resumed.
//! * No database: every fact here is a file whose name says what it must contain.

mod checkout;
mod cold;
mod downloads;
pub mod gc;
mod generations;
mod in_use;
mod outputs;
mod remove;
mod staging;
mod trees;
mod usage;
pub mod verify;

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};

pub use checkout::{LinkMode, checkout};
pub use cold::{ColdTree, Packed, PackedTree};
pub use downloads::Partial;
pub use generations::{Generation, GenerationOutput};
pub use outputs::OutputRecord;
pub use staging::Staging;
pub use trees::{StoredTree, normalise};
pub use usage::{TreeUsage, Usage};

const VERSION: &str = "strixlock-store 1\n";

/// An open store. Holds the shared lock while it lives.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    lock: File,
}

impl Store {
    /// Opens the store at `root` and makes it if it is not there. Removes what killed processes left under `tmp/`.
    pub fn open(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root)?;
        for below in
            ["downloads/sha256", "blobs", "chunks", "trees", "outputs", "git", "generations", "locks", "tmp/partial"]
        {
            fs_err::create_dir_all(root.join(below)).map_err(|error| {
                Error::failure("cannot make the store")
                    .fact("store", root.display())
                    .because(&error)
                    .hint("choose a directory that you may write to, with --store or STRIXLOCK_STORE")
            })?;
        }
        // A store that somebody else made can be read: a shared lock needs no more than that.
        let lock_path = root.join("lock");
        let lock = match open_lock(&lock_path) {
            Err(_) if lock_path.exists() => fs_err::File::open(&lock_path)?.into_parts().0,
            other => other?,
        };
        lock.lock_shared()?;
        let store = Self { root, lock };
        store.demand_version()?;
        staging::sweep(&store.root.join("tmp"))?;
        Ok(store)
    }

    /// Refuses a store of another format; a new store gets this one's.
    fn demand_version(&self) -> Result<()> {
        let version = self.root.join("version");
        match fs_err::read_to_string(&version) {
            Ok(text) if text == VERSION => Ok(()),
            Ok(text) => Err(Error::new(Kind::Invalid, "the store has a format that this strixlock does not know")
                .fact("store", self.root.display())
                .fact("expected", VERSION.trim())
                .fact("found", text.trim().chars().take(80).collect::<String>())
                .hint("use the strixlock that made it, or another --store")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.write(&version, VERSION.as_bytes()),
            Err(error) => Err(error.into()),
        }
    }

    /// The store's directory, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the bare repository for a git URL is kept.
    #[must_use]
    pub fn git_cache(&self, url: &str) -> PathBuf {
        self.root.join("git").join(crate::digest::Sha256Digest::of(url.as_bytes()).hex())
    }

    /// Writes a small file of the store, whole or not at all; unfinished it lies under `tmp/`, where it is swept.
    fn write(&self, path: &Path, contents: &[u8]) -> Result<()> {
        let staging = self.stage()?;
        let new = staging.path().join("file");
        fs_err::write(&new, contents)?;
        self.place(&new, path)
    }

    /// Gives a finished file under `tmp/` its name.
    fn place(&self, new: &Path, path: &Path) -> Result<()> {
        fs_err::File::open(new)?.sync_all()?;
        fs_err::rename(new, path)?;
        sync_directory(path.parent().unwrap_or(&self.root))
    }

    /// Makes sure that so many bytes can be written, before hours are spent on finding out.
    pub fn demand_space(&self, bytes: u64) -> Result<()> {
        let free = rustix::fs::statvfs(&self.root).map_err(std::io::Error::from)?;
        let free = free.f_bavail.saturating_mul(free.f_frsize);
        if free >= bytes {
            return Ok(());
        }
        Err(Error::failure("there is not enough space in the store")
            .fact("store", self.root.display())
            .fact("needed", crate::text::bytes(bytes))
            .fact("free", crate::text::bytes(free))
            .hint("`strixlock gc --keep 2` drops old generations; --store puts the store elsewhere"))
    }

    /// Writes everything that was written to the store's file system so far to the disk.
    fn sync(&self) -> Result<()> {
        // By a file that has been open since before: a new one would not be told of what could not be written until then.
        Ok(rustix::fs::syncfs(self.lock.as_fd()).map_err(std::io::Error::from)?)
    }
}

/// Opens a file that only serves to be locked.
fn open_lock(path: &Path) -> Result<File> {
    let file = fs_err::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
    Ok(file.into_parts().0)
}

/// Writes a small file so that it is there whole or not at all, whenever the machine stops.
pub fn replace_file(path: &Path, contents: &[u8]) -> Result<()> {
    use std::io::Write as _;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".strixlock-")
        .tempfile_in(parent)
        .map_err(|error| Error::failure(format!("cannot write {}", path.display())).because(&error))?;
    file.write_all(contents)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(mode)?;
    file.as_file().sync_all()?;
    file.persist(path)
        .map_err(|error| Error::failure(format!("cannot write {}", path.display())).because(&error.error))?;
    sync_directory(parent)
}

/// Makes a rename in `directory` survive a power cut.
fn sync_directory(directory: &Path) -> Result<()> {
    Ok(fs_err::File::open(directory)?.sync_all()?)
}

/// The bytes of all files below a directory.
fn size_below(directory: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in fs_err::read_dir(directory)? {
        let path = entry?.path();
        let metadata = fs_err::symlink_metadata(&path)?;
        size += if metadata.is_dir() { size_below(&path)? } else { metadata.len() };
    }
    Ok(size)
}
