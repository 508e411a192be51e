//! The line of a branch: its commits by first parents.

use git2::{Commit, Oid};

use super::Repository;
use crate::error::{Error, Kind, Result};
use crate::text::visible;

/// Greatest number of commits between two versions; llama.cpp has twelve thousand in all.
const MOST: usize = 50_000;

/// A commit on the line of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// The commit.
    pub commit: String,
    /// Number of commits in the history of the newest one that are not in that of this one.
    pub behind: u64,
    /// The committer's time, in seconds since 1970.
    pub time: i64,
    /// The first line of its message.
    pub subject: String,
}

impl Repository<'_> {
    /// Returns the commits from `new` back to `old` by first parents, newest first. Fails if `old` is not among them.
    pub fn first_parents(&self, old: &str, new: &str) -> Result<Vec<Ancestor>> {
        let trouble = |error: git2::Error| self.trouble(&error);
        let id = |text: &str| Oid::from_str(text).map_err(trouble);
        let (old, mut next) = (id(old)?, self.cache.find_commit(id(new)?).map_err(trouble)?);
        let (mut all, mut behind) = (Vec::new(), 0);
        loop {
            let subject = visible(&String::from_utf8_lossy(next.summary_bytes().unwrap_or_default()));
            all.push(Ancestor { commit: next.id().to_string(), behind, time: next.time().seconds(), subject });
            if next.id() == old {
                return Ok(all);
            }
            let Ok(parent) = next.parent(0) else { break };
            behind += self.added(&next, &parent).map_err(trouble)?;
            next = parent;
            if all.len() > MOST {
                break;
            }
        }
        Err(self.off_the_line(old, &all, new))
    }

    /// Counts the commits that a commit adds to the history of its first parent.
    fn added(&self, commit: &Commit, parent: &Commit) -> Result<u64, git2::Error> {
        if commit.parent_count() == 1 {
            return Ok(1);
        }
        let mut walk = self.cache.revwalk()?;
        walk.push(commit.id())?;
        walk.hide(parent.id())?;
        Ok(walk.count() as u64)
    }

    /// Returns the error for a commit that is not on the line, with the nearest one that is.
    fn off_the_line(&self, old: Oid, line: &[Ancestor], new: &str) -> Error {
        let is_before = |one: &&Ancestor| {
            Oid::from_str(&one.commit).is_ok_and(|id| self.cache.graph_descendant_of(old, id).unwrap_or(false))
        };
        let error = Error::new(Kind::NotFound, "the good commit is not on the line of first parents of the bad one")
            .fact("good", old)
            .fact("bad", new);
        match line.iter().find(is_before) {
            Some(nearest) => {
                error.fact("they part at", format!("{} {}", nearest.commit, nearest.subject)).hint(format!(
                    "a merged branch is one step of its line: name --good {}, or two commits of that branch",
                    &nearest.commit
                ))
            }
            None => error.hint("they have no history in common: is the good one newer than the bad one?"),
        }
    }
}
