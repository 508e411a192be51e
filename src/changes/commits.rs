//! The commits between two pins of a git input, grouped by the paths that they change.

use serde::Serialize;

use super::names::{compare_page, group};
use crate::inputs::git::GitPin;
use crate::store::Store;
use crate::upstream::git::{CachedCommit, CachedHistory};

/// Most commits whose subjects and paths are read. A year of llama.cpp has some three thousand.
const MOST: usize = 5000;

/// The commits between two pins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Commits {
    /// The commit before, 40 hex digits.
    pub from: String,
    /// The commit after.
    pub to: String,
    /// Number of commits that only the second has; absent if the store does not have them.
    pub added: Option<u64>,
    /// Number of commits that only the first has: those of a rewound branch, or of the way back.
    pub dropped: Option<u64>,
    /// The commits that only the second has, or on the way back those that only the first has, by group.
    pub groups: Vec<CommitGroup>,
    /// Number of commits that are counted and not in a group, because there are too many.
    pub left_out: u64,
    /// The page on which the host of the repository compares the two.
    pub page: Option<String>,
}

/// Commits that change the same part of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommitGroup {
    /// The name of the part.
    pub name: String,
    /// Its commits, the newest first.
    pub commits: Vec<Commit>,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// 40 hex digits.
    pub id: String,
    /// The first line of its message.
    pub subject: String,
    /// The committer's day, as `2026-11-20`.
    pub day: Option<String>,
}

impl Commits {
    /// Compares two pins of one repository, as far as the store has its commits.
    pub(super) fn between(store: Option<&Store>, from: &GitPin, to: &GitPin) -> Self {
        let mut commits = Self {
            from: from.commit.clone(),
            to: to.commit.clone(),
            page: compare_page(&to.url, &from.commit, &to.commit),
            ..Self::default()
        };
        // The cache of either address may have both, as after a repository moved.
        let caches = [&to.url, &from.url].into_iter().filter_map(|url| CachedHistory::open(&store?.git_cache(url)));
        let walks = { caches }.find_map(|cache| {
            let (old, new) = (&from.commit, &to.commit);
            Some((cache.between(old, new, MOST)?, cache.between(new, old, MOST)?))
        });
        let Some((added, dropped)) = walks else { return commits };
        (commits.added, commits.dropped) = (Some(added.count), Some(dropped.count));
        let shown = if added.count == 0 { dropped } else { added };
        commits.left_out = shown.count - shown.newest.len() as u64;
        commits.groups = grouped(shown.newest);
        commits
    }

    /// Returns true if the second commit lies before the first.
    #[must_use]
    pub fn is_way_back(&self) -> bool {
        self.added == Some(0) && self.dropped > Some(0)
    }
}

fn grouped(commits: Vec<CachedCommit>) -> Vec<CommitGroup> {
    let mut groups: std::collections::BTreeMap<(usize, String), Vec<Commit>> = std::collections::BTreeMap::new();
    for commit in commits {
        let CachedCommit { id, subject, time, paths } = commit;
        let day = crate::text::day(time).map(|day| day.to_string());
        groups.entry(group(&paths)).or_default().push(Commit { id, subject, day });
    }
    groups.into_iter().map(|((_, name), commits)| CommitGroup { name, commits }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_in_the_order_of_the_table_and_their_commits_newest_first() {
        let commit = |id: &str, path: &str| CachedCommit {
            id: id.to_owned(),
            subject: format!("subject of {id}"),
            time: 1_790_000_000,
            paths: vec![path.to_owned()],
        };
        let groups = grouped(vec![
            commit("4", "docs/x.md"),
            commit("3", "ggml/src/ggml-cuda/x.cu"),
            commit("2", "elsewhere/x"),
            commit("1", "ggml/src/ggml-hip/x"),
        ]);
        let shown: Vec<(&str, Vec<&str>)> = groups
            .iter()
            .map(|group| (group.name.as_str(), group.commits.iter().map(|commit| commit.id.as_str()).collect()))
            .collect();
        assert_eq!(
            shown,
            [("ggml-hip", vec!["3", "1"]), ("tests, CI and documents", vec!["4"]), ("elsewhere", vec!["2"])]
        );
        assert_eq!(groups[0].commits[0].day.as_deref(), Some("2026-09-21"));
    }
}
