//! Checks the owners and modes of a store's directories.
//!
//! A user who can write to a store can act with the rights of everybody who uses it: a link in place of `tmp/` makes
//! strixlock remove files elsewhere, and a blob of the right size and time is trusted without hashing. So a store is
//! accepted only if its directories belong to the current user or to root, and nobody else can write to them. That is
//! git's `safe.directory`, but without a list of further trusted owners: such a list would be safe only if every file
//! were hashed at each use. `snapshot save` and `snapshot restore` do hash everything, and carry over outputs of
//! another user's store.
//!
//! The checks cover the store's own directory, the directories that every store has, and the entries directly in them.
//! After that, nobody else can add anything below. As with git, the owner of a directory *above* the store can replace
//! the store by another one, which has to pass the same checks.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::FileType;

use crate::error::{Error, Kind, Result};
use crate::tree::confined::Root;

/// The directories of a store, parents first.
const DIRECTORIES: [&str; 11] = [
    "downloads",
    "downloads/sha256",
    "blobs",
    "chunks",
    "trees",
    "outputs",
    "git",
    "profiles",
    "locks",
    "tmp",
    "tmp/partial",
];

/// The directories whose subdirectories are checked as well.
const OF_DIRECTORIES: [&str; 6] = ["blobs", "chunks", "trees", "outputs", "git", "profiles"];

/// Returns whether the owner is root or the user `me`.
pub(super) fn is_ours(found: &Metadata, me: u32) -> bool {
    found.uid() == 0 || found.uid() == me
}

/// Creates the missing directories of the store in `root`, which is at `place`. Fails if an owner or mode is not
/// allowed.
pub(super) fn make_and_judge(root: &Root, place: &Path, me: u32) -> Result<()> {
    let fails = |error: std::io::Error| cannot_make(place, &error);
    judge(place, &root.own_metadata().map_err(fails)?, me)?;
    refuse_others_things(root, place)?;
    for below in DIRECTORIES {
        make_one(root, place, below, me)?;
        if OF_DIRECTORIES.contains(&below) {
            judge_all(&root.directory(below.as_bytes()).map_err(fails)?, &place.join(below), me)?;
        }
    }
    Ok(())
}

/// Checks the store in `root`, which is at `place`, like [`make_and_judge`], but creates nothing.
pub(super) fn judge_what_is_there(root: &Root, place: &Path, me: u32) -> Result<()> {
    judge(place, &root.own_metadata()?, me)?;
    refuse_others_things(root, place)?;
    for below in DIRECTORIES {
        match root.metadata(below.as_bytes()) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            found => judge(&place.join(below), &found?, me)?,
        }
        if OF_DIRECTORIES.contains(&below) {
            judge_all(&root.directory(below.as_bytes())?, &place.join(below), me)?;
        }
    }
    Ok(())
}

/// Creates a directory below the store's `root`, if it does not exist, and checks it.
pub(super) fn make_one(root: &Root, place: &Path, below: &str, me: u32) -> Result<()> {
    let fails = |error: std::io::Error| cannot_make(place, &error);
    let found = match root.metadata(below.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            match root.create_directory(below.as_bytes()) {
                // Another process or thread was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                other => other.map_err(fails)?,
            }
            root.metadata(below.as_bytes()).map_err(fails)?
        }
        other => other.map_err(fails)?,
    };
    judge(&place.join(below), &found, me)
}

/// Checks every entry of a directory of directories.
fn judge_all(directory: &Root, place: &Path, me: u32) -> Result<()> {
    for (name, kind) in directory.names()? {
        if matches!(kind, FileType::Directory | FileType::Symlink | FileType::Unknown) {
            match directory.metadata(&name) {
                Ok(found) => judge(&place.join(OsStr::from_bytes(&name)), &found, me)?,
                // Garbage that was collected meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// A reason to refuse a directory of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Link,
    NotDirectory,
    Foreign,
    Open,
}

/// Returns the fault of an entry with this owner and mode (which has the kind of file in it) for the user `me`.
fn fault(owner: u32, mode: u32, me: u32) -> Option<Fault> {
    match FileType::from_raw_mode(mode) {
        FileType::Symlink => Some(Fault::Link),
        FileType::Directory if owner != 0 && owner != me => Some(Fault::Foreign),
        // With an access list, the group's bits are the most that the list grants.
        FileType::Directory => (mode & 0o022 != 0).then_some(Fault::Open),
        _ => Some(Fault::NotDirectory),
    }
}

/// Fails if `found`, the metadata of `place`, is not that of an acceptable directory.
fn judge(place: &Path, found: &Metadata, me: u32) -> Result<()> {
    let Some(fault) = fault(found.uid(), found.mode(), me) else { return Ok(()) };
    let kind = match fault {
        Fault::Link => "a symbolic link",
        Fault::NotDirectory => "a file",
        Fault::Foreign => return Err(foreign(place, found.uid(), me)),
        Fault::Open => {
            return Err(Error::new(
                Kind::Invalid,
                "other users can write to the store, and so can act with your rights",
            )
            .fact("directory", place.display())
            .fact("mode", format!("{:04o}", found.mode() & 0o7777))
            .hint(
                "if you trust everybody who could write to it until now, run `chmod -R go-w` on the store; \
                 otherwise use another one, with --store",
            ));
        }
    };
    Err(Error::new(Kind::Damaged, format!("expected a directory in the store, found {kind}"))
        .fact("path", place.display())
        .hint("remove it. To have the store on another disk, name it with --store, or mount the whole store there"))
}

fn foreign(place: &Path, owner: u32, me: u32) -> Error {
    let hint = if me == 0 {
        "run strixlock as that user, also for --prefix: it prints the links that root has to make. For a store of the \
         whole machine, use one of root's own: --store /var/lib/strixlock"
    } else {
        "use a store of your own, with --store; `strixlock snapshot save`, run by its owner, and `snapshot restore` \
         copy outputs, verified"
    };
    Error::new(Kind::Invalid, "the store belongs to another user, who can act with the rights of everybody who uses it")
        .fact("directory", place.display())
        .fact("owner", format!("uid {owner}"))
        .fact("you", format!("uid {me}"))
        .hint(hint)
}

/// Fails if the directory has other files: the path may be mistyped, or a link that leads somewhere else.
fn refuse_others_things(root: &Root, place: &Path) -> Result<()> {
    if root.metadata(b"version").is_ok() {
        return Ok(());
    }
    // An older strixlock that was killed early left `generations`. A new file system has `lost+found`.
    let known = |name: &[u8]| {
        matches!(name, b"lock" | b"generations" | b"lost+found") || DIRECTORIES.iter().any(|one| one.as_bytes() == name)
    };
    match root.names()?.into_iter().find(|(name, _)| !known(name)) {
        None => Ok(()),
        Some((name, _)) => Err(Error::new(Kind::Invalid, "this directory is neither empty nor a store")
            .fact("directory", place.display())
            .fact("holds", crate::tree::named(&name))
            .hint("name an empty or new directory with --store")),
    }
}

pub(super) fn cannot_make(place: &Path, error: &std::io::Error) -> Error {
    Error::failure("cannot create the store")
        .fact("store", place.display())
        .because(error)
        .hint("choose a directory that you can write to, with --store or STRIXLOCK_STORE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_the_user_s_own_or_root_s() {
        const DIRECTORY: u32 = 0o040_000;
        for (owner, mode, me, expected) in [
            (1000, 0o755, 1000, None),
            (1000, 0o700, 1000, None),
            (0, 0o755, 1000, None),
            (0, 0o755, 0, None),
            (1000, 0o755, 0, Some(Fault::Foreign)),
            (1000, 0o700, 0, Some(Fault::Foreign)),
            (65534, 0o755, 1000, Some(Fault::Foreign)),
            (1000, 0o775, 1000, Some(Fault::Open)),
            (1000, 0o757, 1000, Some(Fault::Open)),
            (0, 0o1777, 1000, Some(Fault::Open)),
            (0, 0o2775, 0, Some(Fault::Open)),
        ] {
            assert_eq!(fault(owner, DIRECTORY | mode, me), expected, "{owner} {mode:o} {me}");
        }
        assert_eq!(fault(0, 0o120_777, 0), Some(Fault::Link));
        assert_eq!(fault(0, 0o100_644, 0), Some(Fault::NotDirectory));
    }
}
