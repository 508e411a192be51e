//! The store: where verified downloads, file contents, trees and realized outputs live.
//!
//! ```text
//! STORE/
//!   version                        "strixlock-store 2"
//!   lock                           flock: shared while a process uses the store, exclusive for gc
//!   downloads/sha256/<hex>         verified downloads, whole
//!   downloads/origins/<hex>        what the URL with this digest gave last, and what its server said of it
//!   blobs/<2 hex>/<62 hex>[x]      file contents by digest; `x` where executable, since a mode belongs to the inode
//!   trees/<hex>/listing            what is in the tree (strix-tree-1)
//!   trees/<hex>/tree/              the tree: hard links to blobs, all of it read-only; or
//!   trees/<hex>/cold               the chunks that it can be brought back from (see `cold`)
//!   chunks/<2 hex>/<62 hex>        pieces of cold trees, compressed
//!   outputs/<hex>/output.json      what the recipe with this derivation id gave; beside it the build's log and about.json
//!   outputs/<hex>/second/          what `check --keep` kept: a second tree that differs, its log, what diffoscope says
//!   git/<hex of the URL>/          bare repositories, a cache: objects are named by their own hashes
//!   profiles/<name>/               the generations of one project (see `profiles`):
//!     generations/<n>/               generation.json, the lock, and one link per output into trees/
//!     current                        link to the generation that is switched to
//!   locks/<hex>                    paths of locks whose things must stay
//!   current                        link to profiles/<name>/current of the profile that came first: what was told to look
//!                                  here before there were profiles goes on. Only where that is dropped, another that is the
//!                                  store's only one takes its place
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
//! * Format 1 had no profiles: `generations/` and `current` stood at the top, one list for all projects. Opening such a store
//!   makes it one of format 2 (see `migrate`), which a strixlock of format 1 refuses by its number: it would take trees that
//!   only profiles lead to for garbage.

mod checkout;
mod cold;
mod downloads;
pub mod gc;
mod generations;
mod holders;
mod in_use;
mod migrate;
mod outputs;
mod owners;
mod profiles;
mod reading;
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

pub use checkout::{LinkMode, checkout};
pub use cold::ColdTree;
pub use downloads::{Origin, Partial};
pub use generations::{Generation, GenerationOutput, Numbered};
pub use migrate::Migrated;
pub use outputs::OutputRecord;
pub use profiles::{Profile, ProfileName, no_profile, project_of};
pub use staging::Staging;
pub use trees::{StoredTree, normalise};
pub use waiting::Waiting;

const VERSION: &str = "strixlock-store 2\n";
/// The format before there were profiles.
const BEFORE: &str = "strixlock-store 1\n";

/// An open store. Holds the shared lock while it lives.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    /// That directory, opened; what others could have planted is opened through it, and no link is followed then. Absent for a
    /// store that is only read and is not there (see `reading`).
    beneath: Option<Root>,
    /// Whoever runs this.
    me: u32,
    waiting: Waiting,
    /// Absent where there is nothing to be locked.
    lock: Option<File>,
    migrated: Option<Migrated>,
}

impl Store {
    /// Opens the store at `root` and makes it if it is not there. Removes what killed processes left under `tmp/`.
    pub fn open(root: &Path) -> Result<Self> {
        Self::open_waiting(root, Waiting::default())
    }

    /// Opens the store at `root`, and waits in this way for what other processes hold, now and later.
    pub fn open_waiting(root: &Path, waiting: Waiting) -> Result<Self> {
        let root = std::path::absolute(root)?;
        let me = rustix::process::geteuid().as_raw();
        // Nobody else may write to it, whatever the umask says.
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(&root);
        let beneath = made.and_then(|()| Root::open(&root)).map_err(|error| owners::cannot_make(&root, &error))?;
        let is_of_before = beneath.metadata(b"generations").is_ok() && beneath.metadata(b"profiles").is_err();
        owners::make_and_judge(&beneath, &root, me).map_err(|error| {
            // One that only its owner can bring up to date.
            if is_of_before && beneath.metadata(b"profiles").is_err() && error.kind() == Kind::Failure {
                cannot_migrate(&root, &error)
            } else {
                error
            }
        })?;
        let lock = match beneath.open_kept(b"lock", 0o644) {
            // A store of root's can be read by all: a shared lock needs no more than that.
            Err(_) if beneath.metadata(b"lock").is_ok() => beneath.open_file(b"lock"),
            other => other,
        };
        let place = root.join("lock");
        let lock = lock.map_err(Error::from).and_then(|lock| plain_file(lock, &place))?;
        waiting.shared(&lock, &place)?;
        let mut store = Self { root, beneath: Some(beneath), me, waiting, lock: Some(lock), migrated: None };
        if store.is_of_before()? {
            store.migrate()?;
        }
        // The list of a store of before, where a process was killed before it was gone.
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

    /// Returns the metadata of something below the store, if it is there, no link, and root's or our own. What is another's
    /// counts as absent: it came along when a store was copied with its owners, and only they know what it holds.
    fn own(&self, below: &str) -> Option<Metadata> {
        self.beneath().ok()?.metadata(below.as_bytes()).ok().filter(|found| owners::is_ours(found, self.me))
    }

    /// Makes a directory below the store, if it is not there, and refuses what else may stand there.
    fn make_directory(&self, below: &str) -> Result<PathBuf> {
        owners::make_one(self.beneath()?, &self.root, below, self.me)?;
        Ok(self.root.join(below))
    }

    /// Returns whether the store has the format of before there were profiles. Refuses a store of another format; a new store
    /// gets this one's.
    fn is_of_before(&self) -> Result<bool> {
        let version = self.root.join("version");
        match fs_err::read_to_string(&version) {
            Ok(text) if text == VERSION => Ok(false),
            Ok(text) if text == BEFORE => Ok(true),
            Ok(text) => Err(unknown_format(&self.root, &text)),
            // Whatever became of the number, generations are not dropped for it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.has_old_generations()? => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.demand_second_names()?;
                self.write(&version, VERSION.as_bytes()).map(|()| false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Fails where a file can have one name only, before anything is downloaded for nothing.
    fn demand_second_names(&self) -> Result<()> {
        let staging = self.stage()?;
        let (one, two) = (staging.path().join("one"), staging.path().join("two"));
        fs_err::write(&one, "")?;
        std::fs::hard_link(one, two).map_err(|error| trees::no_second_name(&self.root, error))
    }

    /// Gives a store of before this format. Waits until no other process uses it.
    fn migrate(&mut self) -> Result<()> {
        let place = self.root.join("lock");
        // A shared lock cannot be turned into an exclusive one while another process wants the same.
        self.lock()?.unlock()?;
        self.waiting.alone(self.lock()?, &place)?;
        // Another process may have been quicker.
        if self.is_of_before()? {
            let made = self.make_profiles().map_err(|error| cannot_migrate(&self.root, &error))?;
            self.write(&self.root.join("version"), VERSION.as_bytes())?;
            self.drop_old_generations()?;
            self.migrated = Some(made);
        }
        self.waiting.shared(self.lock()?, &place)
    }

    /// Returns what became of the generations if opening the store brought it up to date.
    #[must_use]
    pub fn migrated(&self) -> Option<&Migrated> {
        self.migrated.as_ref()
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
        Ok(rustix::fs::syncfs(self.lock()?.as_fd()).map_err(std::io::Error::from)?)
    }
}

fn unknown_format(root: &Path, found: &str) -> Error {
    Error::new(Kind::Invalid, "the store has a format that this strixlock does not know")
        .fact("store", root.display())
        .fact("expected", VERSION.trim())
        .fact("found", found.trim().chars().take(80).collect::<String>())
        .hint("use the strixlock that made it, or another --store")
}

/// Says that a store of before there were profiles stays one.
fn cannot_migrate(root: &Path, error: &Error) -> Error {
    Error::new(error.kind(), "the store is of before there were profiles, and cannot be brought up to date")
        .fact("store", root.display())
        .because(error)
        .hint("nothing was changed: once that is mended, any command of its owner's goes on; or use another --store")
}

/// Opens a file that only serves to be locked. Others cannot open it, so they cannot hold it.
fn open_lock(path: &Path) -> Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = fs_err::OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    options.options_mut().mode(0o600).custom_flags(flags);
    plain_file(options.open(path)?.into_parts().0, path)
}

/// Refuses what is no plain file where one should be.
fn plain_file(file: File, place: &Path) -> Result<File> {
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(Error::new(Kind::Damaged, "something else stands where the store has a file").fact("path", place.display()))
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
