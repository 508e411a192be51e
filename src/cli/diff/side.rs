//! The two sides of `diff`: what a word on the command line names.

use std::path::Path;

use serde_json::{Value, json};

use crate::changes::Side;
use crate::cli::Session;
use crate::cli::session::described;
use crate::cli::validate::against::realize_command;
use crate::digest::Sha256Digest;
use crate::error::{About as _, Error, Kind, Result};
use crate::lock::Lock;
use crate::store::{Generation, Profile};
use crate::text::{shell_word, visible};
use crate::upstream::git::{Found, Worktree};

/// A lock or generation that was named.
pub(super) struct Named {
    /// The words for it, for people: `generation 1`, `HEAD~1:lock/strix.lock`.
    pub label: String,
    /// Its lock; `None` for a generation whose lock cannot be read.
    lock: Option<Lock>,
    generation: Option<(u64, Generation)>,
    /// The commit that the lock is of.
    commit: Option<String>,
    /// The way to realize it, as a hint.
    pub realize: String,
}

impl Named {
    /// Returns the side for a comparison.
    pub fn side(&self) -> Side<'_> {
        Side { lock: self.lock.as_ref(), generation: self.generation.as_ref().map(|(_, generation)| generation) }
    }

    /// Returns its lock.
    pub fn lock(&self) -> Option<&Lock> {
        self.lock.as_ref()
    }

    /// Returns the number of the generation, if it is one.
    pub fn number(&self) -> Option<u64> {
        self.generation.as_ref().map(|(number, _)| *number)
    }

    /// Returns the fields of `--json`.
    pub fn to_json(&self) -> Result<Value> {
        let lock = self.lock.as_ref().map(Lock::to_text).transpose()?;
        let lock = lock.map(|text| Sha256Digest::of(text.as_bytes()));
        Ok(json!({ "name": self.label, "generation": self.number(), "commit": self.commit, "lock": lock }))
    }

    fn of_generation(profile: &Profile, number: u64) -> Result<Self> {
        Ok(Self {
            label: format!("generation {number}"),
            lock: Lock::read(&profile.generation_lock(number)).ok(),
            generation: Some((number, profile.generation(number)?)),
            commit: None,
            realize: format!(
                "`{}` realizes generation {number} again",
                realize_command(&profile.generation_lock(number))
            ),
        })
    }

    fn of_file(path: &Path) -> Result<Self> {
        let label = visible(&path.display().to_string());
        let realize = format!("`{}` realizes it", realize_command(path));
        Ok(Self { label, lock: Some(Lock::read(path)?), generation: None, commit: None, realize })
    }

    fn of_revision(label: String, path: &Path, found: &Found) -> Result<Self> {
        let lock = Lock::parse(&String::from_utf8_lossy(&found.bytes)).about(label.clone())?;
        let object = shell_word(&format!("{}:{}", &found.commit[..12], path.display()));
        let realize =
            format!("`git show {object} > old.lock && {}` realizes it", realize_command(Path::new("old.lock")));
        Ok(Self { label, lock: Some(lock), generation: None, commit: Some(found.commit.clone()), realize })
    }
}

/// A word of the command line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word<'w> {
    Generation(u64),
    Current,
    Previous,
    Now,
    Before,
    Other(&'w str),
}

impl<'w> Word<'w> {
    fn of(text: &'w str) -> Self {
        match text {
            "current" => Self::Current,
            "previous" | "-" => Self::Previous,
            "now" => Self::Now,
            "before" => Self::Before,
            text => text.parse().map_or(Self::Other(text), Self::Generation),
        }
    }

    fn is_generation(self) -> bool {
        matches!(self, Self::Generation(_) | Self::Current | Self::Previous)
    }
}

/// Returns the two sides that the command line names, by the rules in the help.
pub(super) fn sides(session: &Session, from: Option<&str>, to: Option<&str>) -> Result<(Named, Named)> {
    let find = |word| find(session, word);
    match (from.map(Word::of), to.map(Word::of)) {
        (Some(from), Some(to)) => Ok((find(from)?, find(to)?)),
        (Some(Word::Now), None) => Ok((find(Word::Before)?, find(Word::Now)?)),
        (Some(from), None) if !from.is_generation() => Ok((find(from)?, find(Word::Now)?)),
        (from, _) => {
            let profile = session.profile_there()?;
            let number = from.map(|word| number(&profile, word)).transpose()?;
            // In a clone where nothing was realized, the lock's history is what there is.
            if number.is_none()
                && profile.current()?.is_none()
                && session.lock_if_there().is_ok_and(|lock| lock.is_some())
                && let Ok(before) = find(Word::Before)
            {
                return Ok((before, find(Word::Now)?));
            }
            let (from, to) = generations(&profile, number)?;
            Ok((Named::of_generation(&profile, from)?, Named::of_generation(&profile, to)?))
        }
    }
}

fn find(session: &Session, word: Word) -> Result<Named> {
    match word {
        Word::Generation(_) | Word::Current | Word::Previous => {
            let profile = session.profile_there()?;
            Named::of_generation(&profile, number(&profile, word)?)
        }
        Word::Now => {
            let label = visible(&session.project.lock_path().display().to_string());
            let realize = if session.project.names_lock() {
                format!("`{}` realizes it", realize_command(&session.project.lock_path()))
            } else {
                "run `strixlock realize` first".to_owned()
            };
            Ok(Named { label, lock: Some(session.lock()?.clone()), generation: None, commit: None, realize })
        }
        Word::Before => before(session),
        Word::Other(text) => other(session, text),
    }
}

fn number(profile: &Profile, word: Word) -> Result<u64> {
    let found = match word {
        Word::Generation(number) => Some(number),
        Word::Previous => profile.previous()?,
        _ => profile.current()?,
    };
    found.ok_or_else(|| {
        let what = if word == Word::Previous { "that was current before" } else { "yet" };
        not_found(profile, format!("there is no generation {what}"))
    })
}

/// Returns the newest committed version of this project's lock that differs from the lock.
fn before(session: &Session) -> Result<Named> {
    let path = session.project.lock_path();
    let worktree = worktree(session, "before")?;
    let name = worktree.name_of(&path).ok_or_else(|| outside(&path, &worktree))?;
    let now = fs_err::read(&path).unwrap_or_default();
    let found = worktree.file_before(&name, &now)?.ok_or_else(|| {
        Error::new(Kind::NotFound, "no commit has another version of the lock").fact("lock", path.display())
    })?;
    Named::of_revision(format!("{}:{}", &found.commit[..12], visible(&name.to_string_lossy())), &name, &found)
}

/// Returns the lock in a file, or of a revision: `REVISION:PATH` from the top of the work tree, or a revision alone for
/// this project's lock.
fn other(session: &Session, text: &str) -> Result<Named> {
    let path = Path::new(text);
    if path.is_file() {
        return Named::of_file(path);
    }
    let nothing = || {
        Error::new(Kind::NotFound, format!("`{}` is no generation, lock file or git revision", visible(text))).hint(
            "a number as `strixlock generations` lists them, a path, `HEAD~1`, `HEAD~1:lock/strix.lock`, `now` or \
             `before`",
        )
    };
    let Some(worktree) = Worktree::around(&session.project.directory())? else { return Err(nothing()) };
    let (revision, path) = match text.split_once(':') {
        Some((revision, path)) if !path.is_empty() => (revision, Path::new(path).to_path_buf()),
        _ => {
            let path = session.project.lock_path();
            (text, worktree.name_of(&path).ok_or_else(|| outside(&path, &worktree))?)
        }
    };
    let found = worktree.file_at(revision, &path)?.ok_or_else(nothing)?;
    Named::of_revision(visible(text), &path, &found)
}

fn worktree(session: &Session, word: &str) -> Result<Worktree> {
    let directory = session.project.directory();
    Worktree::around(&directory)?.ok_or_else(|| {
        let directory = std::path::absolute(&directory).unwrap_or(directory);
        Error::new(Kind::NotFound, format!("`{word}` is a version in git, and this project is not in a git repository"))
            .fact("directory", directory.display())
    })
}

fn outside(path: &Path, worktree: &Worktree) -> Error {
    Error::new(Kind::NotFound, "the lock is not in the project's git repository")
        .fact("lock", path.display())
        .fact("repository", worktree.top().display())
        .hint("name it as `REVISION:PATH`")
}

fn not_found(profile: &Profile, message: String) -> Error {
    Error::new(Kind::NotFound, message)
        .fact("profile", described(profile))
        .hint("`strixlock realize` makes a generation of what the lock pins; `strixlock generations --all` lists all")
}

/// Chooses two generations: from the named one to the current one; without a name, from the next older one.
fn generations(profile: &Profile, named: Option<u64>) -> Result<(u64, u64)> {
    let all = profile.generations()?;
    let Some(current) = profile.current()? else {
        return Err(not_found(profile, "there is no generation yet".to_owned()));
    };
    if let Some(from) = named.filter(|from| *from != current) {
        return Ok((from, current));
    }
    let older = all.iter().rfind(|number| **number < current).map(|older| (*older, current));
    let newer = || all.iter().find(|number| **number > current).map(|newer| (current, *newer));
    older.or_else(newer).ok_or_else(|| {
        not_found(profile, format!("there is nothing to compare generation {current} with: it is the only one"))
    })
}
