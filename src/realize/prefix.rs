//! Links below a prefix such as `/opt` that lead into the current generation.
//!
//! A link once made never changes again: it leads through the `current` of a profile, so switching generations is still one
//! rename. What stood in its place and was not ours is kept beside it under another name, and the caller is told. Where only root
//! may write, root makes the link with a command that is told: strixlock itself never has to run as root.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, CWD, RenameFlags};
use rustix::io::Errno;

use super::place;
use crate::error::{Error, Result};
use crate::store::{Profile, Store};
use crate::text;

/// Path that a link should lead to.
#[derive(Debug, Clone)]
pub struct Lead {
    /// Through the profile's `current` to the output.
    target: PathBuf,
    /// Through `STORE/current`, where that leads to the same profile, as links do that were made before there were profiles.
    same: Option<PathBuf>,
    /// The store.
    store: PathBuf,
}

impl Lead {
    /// Leads to an output of the generation that is current in a profile.
    #[must_use]
    pub fn to(store: &Store, profile: &Profile, output: &str) -> Self {
        let same = profile.is_first().then(|| store.root().join("current").join(output));
        Self { target: profile.current_link().join(output), same, store: store.root().to_path_buf() }
    }

    fn is_met_by(&self, link: &Path) -> bool {
        link == self.target || self.same.as_deref() == Some(link)
    }
}

/// What happened to one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Linked {
    /// It was there.
    Already,
    /// It was made; nothing stood there.
    Made,
    /// It took the place of a link into the same store, which led there.
    Replaced(PathBuf),
    /// It was made, and what stood there is now here.
    BackedUp(PathBuf),
    /// It is not there, since the directory is root's to write to: this command makes it.
    LeftForRoot(String),
}

/// Says before any work whether links can be made in `prefix`, by whoever runs this or by root.
pub fn check(prefix: &Path) -> Result<()> {
    let problem = |message: &str| Error::failure(message).fact("prefix", prefix.display());
    if !prefix.is_absolute() {
        return Err(problem("a prefix is an absolute path").hint("such as --prefix /opt"));
    }
    if !prefix.is_dir() {
        let above = prefix.ancestors().find(|above| above.is_dir());
        let sudo = if above.is_none_or(may_write) { "" } else { "sudo " };
        let command = format!("{sudo}mkdir -p {}", word(prefix));
        return Err(problem("the prefix is no directory").hint(format!("make it first: `{command}`")));
    }
    match rustix::fs::access(prefix, Access::WRITE_OK) {
        Err(error @ Errno::ROFS) => Err(problem("links cannot be made in the prefix")
            .because(&std::io::Error::from(error))
            .hint("choose a prefix of your own, such as --prefix ~/.local/opt")),
        _ => Ok(()),
    }
}

fn may_write(directory: &Path) -> bool {
    rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// A path as a shell reads it.
fn word(path: &Path) -> String {
    text::shell_word(&path.display().to_string())
}

/// Says before any work whether a link can be made at `place`.
pub fn check_place(place: &Path) -> Result<()> {
    let (prefix, name) = split(place)?;
    check(prefix)?;
    // Through links in its path it may be another place than it looks.
    let real = fs_err::canonicalize(prefix)?.join(name);
    let home = place::home().map(|home| fs_err::canonicalize(&home).unwrap_or(home));
    match place::fault(&real, home.as_deref()) {
        None => Ok(()),
        Some(fault) => Err(Error::failure(format!("no link can be made in this place: {fault}"))
            .fact("path", place.display())
            .fact("which is", real.display())
            .hint("such as /opt/rocm")),
    }
}

/// The directory of a link, and its name.
fn split(place: &Path) -> Result<(&Path, &OsStr)> {
    place
        .parent()
        .zip(place.file_name())
        .ok_or_else(|| Error::failure("this path has no name that a link could have").fact("path", place.display()))
}

/// Returns an error for a place where something else stands than the link.
pub fn refuse_other(place: &Path, lead: &Lead) -> Result<()> {
    let Ok(there) = fs_err::symlink_metadata(place) else { return Ok(()) };
    let link = if there.is_symlink() { fs_err::read_link(place)? } else { PathBuf::new() };
    if lead.is_met_by(&link) {
        return Ok(());
    }
    let error = Error::failure("something else stands where the link should go").fact("path", place.display());
    Err(if link.starts_with(&lead.store) {
        error.fact("leads to", link.display()).hint("--force lets it lead to this project's generations")
    } else {
        error.hint("--force keeps it beside the link, under another name")
    })
}

/// Makes a link at `place`. A link into the same store that stands there gives way; anything else is kept beside it. Where only
/// root can, it is left to root: the command does nothing else, so nothing of a user's is read or run with root's rights.
pub fn link(place: &Path, lead: &Lead) -> Result<Linked> {
    let (prefix, name) = split(place)?;
    let place = prefix.join(name);
    let there = fs_err::read_link(&place).ok();
    if there.as_deref().is_some_and(|there| lead.is_met_by(there)) {
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
        .ok_or_else(|| Error::failure("too much was kept beside this link already").fact("path", place.display()))?;
    if !may_write(prefix) {
        if replaced.is_some() {
            return Ok(Linked::LeftForRoot(format!("sudo ln -sfnT {} {}", word(&lead.target), word(&place))));
        }
        // Without -f, so that it fails where something came to stand meanwhile.
        let link = format!("sudo ln -snT {} {}", word(&lead.target), word(&place));
        let aside = format!("sudo mv -nT {} {} && ", word(&place), word(&backup));
        return Ok(Linked::LeftForRoot(if free { link } else { aside + &link }));
    }
    let aside = tempfile::Builder::new().prefix(".strixlock-").tempdir_in(prefix)?;
    let new = aside.path().join(name);
    fs_err::os::unix::fs::symlink(&lead.target, &new)?;
    if free || replaced.is_some() {
        fs_err::rename(&new, &place)?;
        return Ok(replaced.map_or(Linked::Made, Linked::Replaced));
    }
    // Both at once where the file system can, so that there is no moment without either.
    if rustix::fs::renameat_with(CWD, &new, CWD, &place, RenameFlags::EXCHANGE).is_ok() {
        // From here on the directory holds what is not ours: it must not go with it.
        let aside = aside.keep();
        fs_err::rename(&new, &backup)?;
        fs_err::remove_dir(aside)?;
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
        // A link into the store is nothing that anybody would miss.
        let other = lead("/store/profiles/q/current/rocm");
        assert_eq!(link(&rocm, &other).unwrap(), Linked::Replaced(ours.target));
        assert_eq!(fs_err::read_link(&rocm).unwrap(), other.target);
        assert_eq!(fs_err::read_dir(prefix.path()).unwrap().count(), 3);
        // One that leads to the same profile through the top of the store is as good.
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
