//! Whose a store may be.
//!
//! Whoever may write to a store decides what happens with the rights of whoever uses it: a link in the place of `tmp/` has files
//! elsewhere removed, a blob of the right size and time is taken for the bytes of its name. So a store is used where its
//! directories belong to whoever runs this, or to root, and nobody else may write to them: as git does with its
//! `safe.directory`, but without a list of more owners to trust. Such a list would be safe only if every file were hashed
//! at each use. What another user made is carried over by `snapshot save` and `snapshot restore`, which do that.
//!
//! Looked at are the store's own directory, those that every store has, and what stands directly in them. Nobody else can add
//! anything below after that. As with git, whoever owns a directory *above* the store can put another store in its
//! place; that one has to pass as well.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::FileType;

use crate::error::{Error, Kind, Result};
use crate::tree::confined::Root;

/// The directories of a store, each after the one that it is in.
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

/// Those of them in which directories stand, each of which is looked at as well.
const OF_DIRECTORIES: [&str; 6] = ["blobs", "chunks", "trees", "outputs", "git", "profiles"];

/// Returns whether this is root's, or belongs to the user `me`.
pub(super) fn is_ours(found: &Metadata, me: u32) -> bool {
    found.uid() == 0 || found.uid() == me
}

/// Makes what lacks of a store's directories in `root`, which is at `place`; refuses a store that is not the user's own.
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

/// Looks at the store in `root`, which is at `place`, as [`make_and_judge`] does, and makes nothing.
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

/// Makes a directory below the store's `root`, if it is not there, and looks at it.
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

/// Looks at everything that stands in a directory of directories.
fn judge_all(directory: &Root, at: &Path, me: u32) -> Result<()> {
    for (name, kind) in directory.names()? {
        if matches!(kind, FileType::Directory | FileType::Symlink | FileType::Unknown) {
            match directory.metadata(&name) {
                Ok(found) => judge(&at.join(OsStr::from_bytes(&name)), &found, me)?,
                // Collected as garbage since.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Why something can be no directory of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Link,
    NoDirectory,
    Foreign,
    Open,
}

/// Returns what is wrong with something of this owner and mode, the kind of file included, for the user `me`.
fn fault(owner: u32, mode: u32, me: u32) -> Option<Fault> {
    match FileType::from_raw_mode(mode) {
        FileType::Symlink => Some(Fault::Link),
        FileType::Directory if owner != 0 && owner != me => Some(Fault::Foreign),
        // The group's bits are also what an access list may grant.
        FileType::Directory => (mode & 0o022 != 0).then_some(Fault::Open),
        _ => Some(Fault::NoDirectory),
    }
}

/// Refuses one of the store's directories for what stands there.
fn judge(at: &Path, found: &Metadata, me: u32) -> Result<()> {
    let Some(fault) = fault(found.uid(), found.mode(), me) else { return Ok(()) };
    let kind = match fault {
        Fault::Link => "a symbolic link",
        Fault::NoDirectory => "no directory",
        Fault::Foreign => return Err(foreign(at, found.uid(), me)),
        Fault::Open => {
            return Err(Error::new(
                Kind::Invalid,
                "others may write to the store, and so decide what is done with your rights",
            )
            .fact("directory", at.display())
            .fact("mode", format!("{:04o}", found.mode() & 0o7777))
            .hint("where all who could write to it until now are trusted, `chmod -R go-w` on the store; else make another one, with --store"));
        }
    };
    Err(Error::new(Kind::Damaged, format!("{kind} stands where the store has a directory"))
        .fact("path", at.display())
        .hint("remove it; a store on another disk is named with --store, or mounted there as a whole"))
}

fn foreign(at: &Path, owner: u32, me: u32) -> Error {
    let hint = if me == 0 {
        "run strixlock as that user, also for --prefix: it names the links that are left for root to make. A store for the whole machine is root's own: --store /var/lib/strixlock"
    } else {
        "use a store of your own, with --store; `strixlock snapshot save`, run by its owner, and `snapshot restore` carry outputs over, verified"
    };
    Error::new(
        Kind::Invalid,
        "the store belongs to another user, who decides what is done with the rights of whoever uses it",
    )
    .fact("directory", at.display())
    .fact("owner", format!("uid {owner}"))
    .fact("you", format!("uid {me}"))
    .hint(hint)
}

/// Refuses to make a store among other things: a mistyped path, or a link that leads somewhere else.
fn refuse_others_things(root: &Root, place: &Path) -> Result<()> {
    if root.metadata(b"version").is_ok() {
        return Ok(());
    }
    // An older strixlock that was killed at once left `generations`; the last is what a file system of its own begins with.
    let known = |name: &[u8]| {
        matches!(name, b"lock" | b"generations" | b"lost+found") || DIRECTORIES.iter().any(|one| one.as_bytes() == name)
    };
    match root.names()?.into_iter().find(|(name, _)| !known(name)) {
        None => Ok(()),
        Some((name, _)) => Err(Error::new(Kind::Invalid, "this directory is no store, and it is not empty")
            .fact("directory", place.display())
            .fact("holds", crate::tree::named(&name))
            .hint("name an empty directory, or one that is not there yet, with --store")),
    }
}

pub(super) fn cannot_make(place: &Path, error: &std::io::Error) -> Error {
    Error::failure("cannot make the store")
        .fact("store", place.display())
        .because(error)
        .hint("choose a directory that you may write to, with --store or STRIXLOCK_STORE")
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
        assert_eq!(fault(0, 0o100_644, 0), Some(Fault::NoDirectory));
    }
}
