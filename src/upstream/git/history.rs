//! The history of a fetched commit: its tree, its time, the number of commits, and the log between two pins.

use git2::{Oid, Sort};

use super::Repository;
use crate::error::Result;

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
