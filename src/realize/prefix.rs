//! Symlinks below a prefix such as `/opt` that lead into the current generation.
//!
//! A link never changes once it is made: it leads through the `current` of a profile, so switching generations is still
//! one rename. Anything else at its path is kept beside it under another name and reported. If only root may write
//! there, the caller gets the command that makes the link: strixlock itself never has to run as root.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, CWD, RenameFlags};
use rustix::io::Errno;

use super::place;
use crate::error::{Error, Result};
use crate::store::{Profile, Store};
use crate::text;

/// The target that a link should have.
#[derive(Debug, Clone)]
pub struct Lead {
    /// The path through the profile's `current` to the output.
    target: PathBuf,
    /// The path through `STORE/current`, if that leads to the same profile: older links have this target.
    same: Option<PathBuf>,
    /// The root of the store.
    store: PathBuf,
}

impl Lead {
    /// Returns the target for an output of the current generation of a profile.
    #[must_use]
    pub fn to(store: &Store, profile: &Profile, output: &str) -> Self {
        let same = profile.is_first().then(|| store.root().join("current").join(output));
        Self { target: profile.current_link().join(output), same, store: store.root().to_path_buf() }
    }

    fn accepts(&self, link: &Path) -> bool {
        link == self.target || self.same.as_deref() == Some(link)
    }
}

/// The result of making one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Linked {
    /// The link existed.
    Already,
    /// The link was made at a free path.
    Made,
    /// The link replaced one into the same store with this target.
    Replaced(PathBuf),
    /// The link was made, and what was at its path is now here.
    BackedUp(PathBuf),
    /// The link was not made, because only root may write there. This command makes it.
    LeftForRoot(String),
}

/// Fails if neither the user nor root can make links in `prefix`. Called before any work.
pub fn check(prefix: &Path) -> Result<()> {
    let problem = |message: &str| Error::failure(message).fact("prefix", prefix.display());
    if !prefix.is_absolute() {
        return Err(problem("the prefix must be an absolute path").hint("such as --prefix /opt"));
    }
    if !prefix.is_dir() {
        let above = prefix.ancestors().find(|above| above.is_dir());
        let sudo = if above.is_none_or(may_write) { "" } else { "sudo " };
        let command = format!("{sudo}mkdir -p {}", quoted(prefix));
        return Err(problem("the prefix is not a directory").hint(format!("create it first: `{command}`")));
    }
    match rustix::fs::access(prefix, Access::WRITE_OK) {
        Err(error @ Errno::ROFS) => Err(problem("cannot create links in the prefix")
            .because(&std::io::Error::from(error))
            .hint("choose a prefix of your own, such as --prefix ~/.local/opt")),
        _ => Ok(()),
    }
}

fn may_write(directory: &Path) -> bool {
    rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// Quotes a path for a shell.
fn quoted(path: &Path) -> String {
    text::shell_word(&path.display().to_string())
}

/// Fails if no link can be made at `place`. Called before any work.
pub fn check_place(place: &Path) -> Result<()> {
    let (prefix, name) = split(place)?;
    check(prefix)?;
    // Symlinks in the path may lead to another place.
    let real = fs_err::canonicalize(prefix)?.join(name);
    let home = place::home().map(|home| fs_err::canonicalize(&home).unwrap_or(home));
    match place::fault(&real, home.as_deref()) {
        None => Ok(()),
        Some(fault) => Err(Error::failure(format!("cannot create a link at this path: {fault}"))
            .fact("path", place.display())
            .fact("which is", real.display())
            .hint("such as /opt/rocm")),
    }
}

/// Splits the path of a link into directory and name.
fn split(place: &Path) -> Result<(&Path, &OsStr)> {
    place
        .parent()
        .zip(place.file_name())
        .ok_or_else(|| Error::failure("the path of the link has no file name").fact("path", place.display()))
}

/// Fails if something other than the link exists at `place`.
pub fn refuse_other(place: &Path, lead: &Lead) -> Result<()> {
    let Ok(there) = fs_err::symlink_metadata(place) else { return Ok(()) };
    let link = if there.is_symlink() { fs_err::read_link(place)? } else { PathBuf::new() };
    if lead.accepts(&link) {
        return Ok(());
    }
    let error = Error::failure("something else exists at the path of the link").fact("path", place.display());
    Err(if link.starts_with(&lead.store) {
        error.fact("leads to", link.display()).hint("--force points it to this project's generations")
    } else {
        error.hint("--force renames it and keeps it beside the link")
    })
}

/// Makes a link at `place`. Replaces a link into the same store; keeps anything else beside the link. If only root can
/// do it, returns a command for root that does nothing else, so no file of a user is read or run with root's rights.
pub fn link(place: &Path, lead: &Lead) -> Result<Linked> {
    let (prefix, name) = split(place)?;
    let place = prefix.join(name);
    let there = fs_err::read_link(&place).ok();
    if there.as_deref().is_some_and(|there| lead.accepts(there)) {
        return Ok(Linked::Already);
    }
    let free = fs_err::symlink_metadata(&place).is_err();
    let replaced = there.filter(|old| old.starts_with(&lead.store));
    let backup = (1..10_000)
        .map(|number| {
            let mut beside = name.to_owned();
            beside.push(format!(".before-strixlock-{number}"));
            prefix.join(beside)
        })
        .find(|path| fs_err::symlink_metadata(path).is_err())
        .ok_or_else(|| Error::failure("too many backups beside the link").fact("path", place.display()))?;
    if !may_write(prefix) {
        if replaced.is_some() {
            return Ok(Linked::LeftForRoot(format!("sudo ln -sfnT {} {}", quoted(&lead.target), quoted(&place))));
        }
        // Without -f: fails if something appeared there meanwhile.
        let link = format!("sudo ln -snT {} {}", quoted(&lead.target), quoted(&place));
        let move_away = format!("sudo mv -nT {} {} && ", quoted(&place), quoted(&backup));
        return Ok(Linked::LeftForRoot(if free { link } else { move_away + &link }));
    }
    let staging = tempfile::Builder::new().prefix(".strixlock-").tempdir_in(prefix)?;
    let new = staging.path().join(name);
    fs_err::os::unix::fs::symlink(&lead.target, &new)?;
    if free || replaced.is_some() {
        fs_err::rename(&new, &place)?;
        return Ok(replaced.map_or(Linked::Made, Linked::Replaced));
    }
    // In one step if the file system can, so that the path is never missing.
    if rustix::fs::renameat_with(CWD, &new, CWD, &place, RenameFlags::EXCHANGE).is_ok() {
        // The directory now holds the user's files and must not be deleted.
        let staging = staging.keep();
        fs_err::rename(&new, &backup)?;
        fs_err::remove_dir(staging)?;
    } else {
        fs_err::rename(&place, &backup)?;
        fs_err::rename(&new, &place)?;
    }
    Ok(Linked::BackedUp(backup))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ours_is_kept() {
        let prefix = tempfile::tempdir().unwrap();
        let lead = |target: &str| Lead {
            target: target.into(),
            same: Some("/store/current/rocm".into()),
            store: "/store".into(),
        };
        let ours = lead("/store/profiles/p/current/rocm");
        let rocm = prefix.path().join("rocm");
        fs_err::create_dir(&rocm).unwrap();
        fs_err::write(rocm.join("mine"), "x").unwrap();
        let backup = prefix.path().join("rocm.before-strixlock-1");
        assert_eq!(link(&rocm, &ours).unwrap(), Linked::BackedUp(backup.clone()));
        assert_eq!(fs_err::read_to_string(backup.join("mine")).unwrap(), "x");
        assert_eq!(fs_err::read_link(&rocm).unwrap(), ours.target);
        assert_eq!(link(&rocm, &ours).unwrap(), Linked::Already);
        assert_eq!(link(&prefix.path().join("llama"), &ours).unwrap(), Linked::Made);
        assert_eq!(fs_err::read_dir(prefix.path()).unwrap().count(), 3);
        // A link into the store is replaced without a backup.
        let other = lead("/store/profiles/q/current/rocm");
        assert_eq!(link(&rocm, &other).unwrap(), Linked::Replaced(ours.target));
        assert_eq!(fs_err::read_link(&rocm).unwrap(), other.target);
        assert_eq!(fs_err::read_dir(prefix.path()).unwrap().count(), 3);
        // A link to the same profile through the top of the store is kept.
        fs_err::remove_file(&rocm).unwrap();
        fs_err::os::unix::fs::symlink("/store/current/rocm", &rocm).unwrap();
        assert_eq!(link(&rocm, &other).unwrap(), Linked::Already);
    }

    #[test]
    fn the_root_is_no_place_for_a_link() {
        let lead = Lead { target: "/store/x".into(), same: None, store: "/store".into() };
        for place in ["/", "/..", ""] {
            assert!(link(Path::new(place), &lead).is_err() && check_place(Path::new(place)).is_err(), "{place}");
        }
    }
}
