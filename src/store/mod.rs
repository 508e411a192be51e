//! The store: where verified downloads, file contents, trees and realized outputs live.
//!
//! ```text
//! STORE/
//!   version                        "strixlock-store 2"
//!   lock                           flock: shared while a process uses the store, exclusive for gc
//!   downloads/sha256/<hex>         verified downloads, whole
//!   downloads/origins/<hex>        last answer of the URL with this digest: size, digest, validator
//!   blobs/<2 hex>/<62 hex>[x]      file contents by digest; `x` if executable, since a mode belongs to the inode
//!   trees/<hex>/listing            the tree's listing (strix-tree-1)
//!   trees/<hex>/tree/              the tree: hard links to blobs, all of it read-only; or
//!   trees/<hex>/cold               the chunks that the tree can be thawed from (see `cold`)
//!   chunks/<2 hex>/<62 hex>        pieces of cold trees, compressed
//!   outputs/<hex>/output.json      tree of the derivation with this id; beside it the build's log and about.json
//!   outputs/<hex>/received         where the tree was received from, if it was not made here
//!   outputs/<hex>/made-again       the tree that a second build had too, written by `check`
//!   outputs/<hex>/second/          kept by `check --keep`: a second tree that differs, its log, diffoscope's report
//!   git/<hex of the URL>/          bare repositories, a cache: objects are named by their own hashes
//!   compile-cache/<hex>/           objects of earlier compilations (see `compile_cache`)
//!   profiles/<name>/               the generations of one project (see `profiles`):
//!     generations/<n>/               generation.json, the lock, and one link per output into trees/
//!     current                        link to the current generation, and `previous` to the one before
//!   locks/<hex>                    path of a registered lock: `gc` keeps its inputs and outputs
//!   current                        link to profiles/<name>/current of the first profile, for programs that were
//!                                  configured before there were profiles. If that profile is dropped, another
//!                                  one takes its place once it is the store's only one
//!   tmp/                           everything unfinished
//! ```
//!
//! Rules:
//! * Everything outside `tmp/` is complete and on disk: a file is written under `tmp/`, the file system is synced, and
//!   one rename makes the file visible. One `syncfs` replaces an fsync per file, because names are only given after it:
//!   no name reaches the disk before its bytes, and files without a name may be lost.
//! * Each directory under `tmp/` is locked by the process that fills it. An unlocked one was left by a process that was
//!   killed, and the next process to open the store removes it. Only `tmp/partial/` is kept: partial downloads, to be
//!   resumed.
//! * No database: every fact here is a file whose name says what it must contain.
//! * Format 1 had no profiles: `generations/` and `current` stood at the top, one list for all projects. Opening such a
//!   store migrates it to format 2 (see `migrate`). A strixlock of format 1 refuses format 2 by its number, because it
//!   would collect trees that only profiles lead to.

mod checkout;
mod cold;
mod compile_cache;
mod downloads;
pub mod gc;
mod generations;
mod holders;
mod in_use;
mod mark;
mod migrate;
mod outputs;
mod owners;
mod profiles;
mod read_only;
mod remove;
mod staging;
mod trees;
mod usage;
pub mod verify;
mod waiting;

use std::fs::{File, Metadata};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::error::{Error, Kind, Result};
use crate::tree::confined::Root;

pub use checkout::{LinkMode, checkout, link_tree};
pub use cold::{ColdShelf, ColdTree, LARGEST_CHUNK, LARGEST_INDEX};
pub use compile_cache::{CacheScope, CompileCache};
pub use downloads::{Origin, Partial};
pub use generations::{Generation, GenerationOutput, Numbered};
pub use mark::{UNFINISHED, mark_directory};
pub use migrate::Migrated;
pub use outputs::{BuildFile, OutputRecord};
pub use profiles::{Profile, ProfileName, no_profile, project_of};
pub use staging::Staging;
pub use trees::{StoredTree, normalise};
pub use usage::TreeUsage;
pub use waiting::Waiting;

pub const VERSION: &str = "strixlock-store 2\n";
/// The format before there were profiles.
const VERSION_1: &str = "strixlock-store 1\n";

/// An open store. Holds the shared lock while it lives.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    /// That directory, opened. Files that others could have planted are opened through it without following links.
    /// Absent for a store that is opened for reading and does not exist (see `read_only`).
    beneath: Option<Root>,
    /// User id of this process.
    me: u32,
    waiting: Waiting,
    /// The shared lock. Absent if the store has no lock file.
    lock: Option<File>,
    migrated: Option<Migrated>,
}

impl Store {
    /// Opens the store at `root`, and creates it if it does not exist. Removes what killed processes left under `tmp/`.
    pub fn open(root: &Path) -> Result<Self> {
        Self::open_waiting(root, Waiting::default())
    }

    /// Like [`Self::open`], but waits for locks of other processes as `waiting` says, now and later.
    pub fn open_waiting(root: &Path, waiting: Waiting) -> Result<Self> {
        let root = std::path::absolute(root)?;
        let me = rustix::process::geteuid().as_raw();
        // With this mode nobody else can write to the store, whatever the umask is.
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(&root);
        let beneath = made.and_then(|()| Root::open(&root)).map_err(|error| owners::cannot_make(&root, &error))?;
        let is_format_1 = beneath.metadata(b"generations").is_ok() && beneath.metadata(b"profiles").is_err();
        owners::make_and_judge(&beneath, &root, me).map_err(|error| {
            // Only its owner can migrate a store of format 1.
            if is_format_1 && beneath.metadata(b"profiles").is_err() && error.kind() == Kind::Failure {
                cannot_migrate(&root, &error)
            } else {
                error
            }
        })?;
        let lock = match beneath.open_kept(b"lock", 0o644) {
            // Everybody can read root's store, and a shared lock needs no more than that.
            Err(_) if beneath.metadata(b"lock").is_ok() => beneath.open_file(b"lock"),
            other => other,
        };
        let place = root.join("lock");
        let lock = lock.map_err(Error::from).and_then(|lock| plain_file(lock, &place))?;
        waiting.shared(&lock, &place)?;
        let mut store = Self { root, beneath: Some(beneath), me, waiting, lock: Some(lock), migrated: None };
        if store.is_format_1()? {
            store.migrate()?;
        }
        // A migration that was killed near its end leaves the old list.
        let _ = store.drop_old_generations();
        staging::sweep(&store.beneath()?.directory(b"tmp")?)?;
        Ok(store)
    }

    fn beneath(&self) -> std::io::Result<&Root> {
        self.beneath.as_ref().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }

    fn lock(&self) -> std::io::Result<&File> {
        self.lock.as_ref().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }

    /// Returns the metadata of a file or directory below the store, if it is no link and belongs to root or ourselves.
    /// Files of other users count as missing: they came along when a store was copied with its owners, and cannot be
    /// trusted.
    fn own(&self, below: &str) -> Option<Metadata> {
        self.beneath().ok()?.metadata(below.as_bytes()).ok().filter(|found| owners::is_ours(found, self.me))
    }

    /// Creates a directory below the store, if it does not exist. Fails if something else has its name.
    fn make_directory(&self, below: &str) -> Result<PathBuf> {
        owners::make_one(self.beneath()?, &self.root, below, self.me)?;
        Ok(self.root.join(below))
    }

    /// Returns whether the store has format 1. Fails for an unknown format. Writes the current format into a new store.
    fn is_format_1(&self) -> Result<bool> {
        let version = self.root.join("version");
        match fs_err::read_to_string(&version) {
            Ok(text) if text == VERSION => Ok(false),
            Ok(text) if text == VERSION_1 => Ok(true),
            Ok(text) => Err(unknown_format(&self.root, &text)),
            // Even without the version file, generations are not dropped.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.has_old_generations()? => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.demand_hard_links()?;
                self.write(&version, VERSION.as_bytes()).map(|()| false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Fails if the file system has no hard links, before anything is downloaded in vain.
    fn demand_hard_links(&self) -> Result<()> {
        let staging = self.stage()?;
        let (one, two) = (staging.path().join("one"), staging.path().join("two"));
        fs_err::write(&one, "")?;
        std::fs::hard_link(one, two).map_err(|error| trees::no_hard_link(&self.root, error))
    }

    /// Migrates a store of format 1. Waits until no other process uses the store.
    fn migrate(&mut self) -> Result<()> {
        let place = self.root.join("lock");
        // A shared lock cannot be turned into an exclusive one while another process wants the same.
        self.lock()?.unlock()?;
        self.waiting.alone(self.lock()?, &place)?;
        // Another process may have been quicker.
        if self.is_format_1()? {
            let made = self.make_profiles().map_err(|error| cannot_migrate(&self.root, &error))?;
            self.write(&self.root.join("version"), VERSION.as_bytes())?;
            self.drop_old_generations()?;
            self.migrated = Some(made);
        }
        self.waiting.shared(self.lock()?, &place)
    }

    /// Returns the new profiles if opening the store migrated it.
    #[must_use]
    pub fn migrated(&self) -> Option<&Migrated> {
        self.migrated.as_ref()
    }

    /// The store's directory, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of the bare repository for a git URL.
    #[must_use]
    pub fn git_cache(&self, url: &str) -> PathBuf {
        self.root.join("git").join(crate::digest::Sha256Digest::of(url.as_bytes()).hex())
    }

    /// Writes a small file of the store atomically. An unfinished one stays under `tmp/`, where it is swept.
    fn write(&self, path: &Path, contents: &[u8]) -> Result<()> {
        let staging = self.stage()?;
        let new = staging.path().join("file");
        fs_err::write(&new, contents)?;
        self.place(&new, path)
    }

    /// Renames a finished file under `tmp/` to `path`, and makes that durable.
    fn place(&self, new: &Path, path: &Path) -> Result<()> {
        fs_err::File::open(new)?.sync_all()?;
        fs_err::rename(new, path)?;
        sync_directory(path.parent().unwrap_or(&self.root))
    }

    /// Fails if the store's file system has fewer than `bytes` free. Checked before hours of work, not after.
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

    /// Flushes the store's file system to the disk.
    fn sync(&self) -> Result<()> {
        // Linux reports earlier write-back errors only to descriptors opened before them, so the lock's is used.
        Ok(rustix::fs::syncfs(self.lock()?.as_fd()).map_err(std::io::Error::from)?)
    }
}

fn unknown_format(root: &Path, found: &str) -> Error {
    Error::new(Kind::Invalid, "unknown store format")
        .fact("store", root.display())
        .fact("expected", VERSION.trim())
        .fact("found", found.trim().chars().take(80).collect::<String>())
        .hint("use the strixlock that made this store, or another --store")
}

/// Reports that a store of format 1 could not be migrated.
fn cannot_migrate(root: &Path, error: &Error) -> Error {
    Error::new(error.kind(), "cannot migrate the store, which is from before there were profiles")
        .fact("store", root.display())
        .because(error)
        .hint("nothing was changed. Fix this, then run any command as the store's owner; or use another --store")
}

/// Opens a file that only serves as a lock. Other users cannot open it, so they cannot hold the lock.
fn open_lock(path: &Path) -> Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = fs_err::OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    options.options_mut().mode(0o600).custom_flags(flags);
    plain_file(options.open(path)?.into_parts().0, path)
}

/// Fails if `file` is not a regular file.
fn plain_file(file: File, place: &Path) -> Result<File> {
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(Error::new(Kind::Damaged, "expected a regular file in the store").fact("path", place.display()))
}

/// Writes a small file atomically and durably: after a crash it has either its old or its new contents.
pub fn replace_file(path: &Path, contents: &[u8]) -> Result<()> {
    use std::io::{ErrorKind, Write as _};
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(parent)?;
        file.write_all(contents)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(mode)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error| {
        let told = Error::failure(format!("cannot write {}", path.display())).because(&error);
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                told.hint(format!("free some space for {}, and run the same command again", parent.display()))
            }
            _ => told,
        }
    })?;
    sync_directory(parent)
}

/// Makes a rename in `directory` survive a power cut.
fn sync_directory(directory: &Path) -> Result<()> {
    Ok(fs_err::File::open(directory)?.sync_all()?)
}

/// Returns the total size of all files below a directory.
fn size_below(directory: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in fs_err::read_dir(directory)? {
        let path = entry?.path();
        let metadata = fs_err::symlink_metadata(&path)?;
        size += if metadata.is_dir() { size_below(&path)? } else { metadata.len() };
    }
    Ok(size)
}
