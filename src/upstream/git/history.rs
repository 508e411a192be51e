//! The history of a fetched commit: its tree, its time, the number of commits, and the log between two pins.

use std::path::Path;

use git2::{DiffOptions, Oid, Sort};

use super::Repository;
use crate::error::Result;
use crate::tree::named;

/// Greatest length of a subject in bytes; a longer one is cut.
const SUBJECT: usize = 300;
/// Most paths of one commit that are kept.
const PATHS: usize = 200;

/// The commits between two pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Number of commits.
    pub count: u64,
    /// Subjects of the newest commits, newest first.
    pub subjects: Vec<String>,
}

impl Repository<'_> {
    /// Returns the tree and the committer's time of a fetched commit.
    pub fn commit(&self, commit: &str) -> Result<(String, i64)> {
        let trouble = |error: git2::Error| self.trouble(&error);
        let commit = self.cache.find_commit(Oid::from_str(commit).map_err(trouble)?).map_err(trouble)?;
        Ok((commit.tree_id().to_string(), commit.time().seconds()))
    }

    /// Returns the tree of a fetched commit.
    pub fn tree_of(&self, commit: &str) -> Result<Oid> {
        let trouble = |error: git2::Error| self.trouble(&error);
        Ok(self.cache.find_commit(Oid::from_str(commit).map_err(trouble)?).map_err(trouble)?.tree_id())
    }

    /// Counts the commits that lead up to this one, including itself, as `git rev-list --count` does.
    pub fn count(&self, commit: &str) -> Result<u64> {
        let trouble = |error: git2::Error| self.trouble(&error);
        let mut walk = self.cache.revwalk().map_err(trouble)?;
        walk.push(Oid::from_str(commit).map_err(trouble)?).map_err(trouble)?;
        walk.try_fold(0, |count, id| id.map(|_| count + 1)).map_err(trouble)
    }
}

/// Returns the commits in the history of `new` that are not in that of `old`, with at most `subjects` of their
/// subjects. Returns `None` if the cache does not have `old`.
#[must_use]
pub fn log_between(repository: &Repository, old: &str, new: &str, subjects: usize) -> Option<Log> {
    let cache = &repository.cache;
    let mut walk = cache.revwalk().ok()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME).ok()?;
    walk.push(Oid::from_str(new).ok()?).ok()?;
    walk.hide(Oid::from_str(old).ok()?).ok()?;
    let mut log = Log { count: 0, subjects: Vec::new() };
    for id in walk {
        let commit = cache.find_commit(id.ok()?).ok()?;
        log.count += 1;
        if log.subjects.len() < subjects {
            let subject = commit.summary_bytes().unwrap_or_default();
            log.subjects.push(String::from_utf8_lossy(subject).chars().filter(|c| !c.is_control()).collect());
        }
    }
    Some(log)
}

/// The cache of a repository, read without asking anybody.
pub struct CachedHistory(git2::Repository);

/// A commit in a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedCommit {
    /// 40 hex digits.
    pub id: String,
    /// The first line of its message.
    pub subject: String,
    /// The committer's time, in seconds since 1970.
    pub time: i64,
    /// Some of the paths that differ from its first parent.
    pub paths: Vec<String>,
}

/// Commits of a walk through a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedCommits {
    /// Number of all of them.
    pub count: u64,
    /// The newest of them, newest first.
    pub newest: Vec<CachedCommit>,
}

impl CachedHistory {
    /// Opens the cache at `path`. `None` if there is none that can be read.
    #[must_use]
    pub fn open(path: &Path) -> Option<Self> {
        super::library::set();
        git2::Repository::open_bare(path).ok().map(Self)
    }

    /// Returns the commits in the history of `new` that are not in that of `old`, at most `most` of them with their
    /// paths. `None` if the cache lacks one of the two, or part of their history.
    #[must_use]
    pub fn between(&self, old: &str, new: &str, most: usize) -> Option<CachedCommits> {
        let (old, new) = (Oid::from_str(old).ok()?, Oid::from_str(new).ok()?);
        let mut walk = self.0.revwalk().ok()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME).ok()?;
        walk.push(new).ok()?;
        walk.hide(old).ok()?;
        let mut commits = CachedCommits { count: 0, newest: Vec::new() };
        for id in walk {
            let id = id.ok()?;
            commits.count += 1;
            if commits.newest.len() < most {
                commits.newest.push(self.commit(id)?);
            }
        }
        Some(commits)
    }

    fn commit(&self, id: Oid) -> Option<CachedCommit> {
        let commit = self.0.find_commit(id).ok()?;
        let subject = String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default()).into_owned();
        let end = subject.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= SUBJECT).last();
        let subject = subject[..end.unwrap_or_default()].to_owned();
        Some(CachedCommit {
            id: id.to_string(),
            subject,
            time: commit.time().seconds(),
            paths: self.paths(&commit).unwrap_or_default(),
        })
    }

    /// Returns paths that a commit changed; none for a merge that only joins two lines.
    fn paths(&self, commit: &git2::Commit) -> Option<Vec<String>> {
        let before = commit.parent(0).ok().and_then(|parent| parent.tree().ok());
        let mut options = DiffOptions::new();
        options.skip_binary_check(true).ignore_submodules(false);
        let after = commit.tree().ok()?;
        let diff = self.0.diff_tree_to_tree(before.as_ref(), Some(&after), Some(&mut options)).ok()?;
        let path = |delta: git2::DiffDelta| Some(named(delta.new_file().path_bytes()?));
        Some(diff.deltas().filter_map(path).take(PATHS).collect())
    }
}
