//! A pinned git commit.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::report;
use crate::inputs::{Block, LockedInput, Pinned, TreePin};
use crate::text;
use crate::upstream::git::{GitRequest, Submodule, is_commit, is_git_url};

/// A pinned git commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitPin {
    /// The repository.
    pub url: String,
    /// The ref that was resolved, such as `refs/heads/master`; absent if a commit was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// 40 hex digits.
    pub commit: String,
    /// The git tree of the commit, 40 hex digits.
    pub tree: String,
    /// The committer's time, in seconds since 1970.
    pub time: i64,
    /// llama.cpp's build number: from the tag `b<number>`, else the number of commits up to this one.
    pub number: u64,
    /// Submodules by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub submodules: BTreeMap<String, Submodule>,
    /// The raw blobs as a tree, with submodules at their paths.
    pub content: TreePin,
}

impl Pinned for Block<GitRequest> {
    fn version(&self) -> String {
        format!("b{} ({})", self.locked.number, &self.locked.commit[..12.min(self.locked.commit.len())])
    }

    fn short_version(&self) -> String {
        format!("b{}", self.locked.number)
    }

    fn day(&self) -> Option<Date> {
        text::day(self.locked.time)
    }

    fn size(&self) -> u64 {
        self.locked.content.size
    }

    fn changes_since(&self, old: &LockedInput) -> Vec<String> {
        let LockedInput::Git(old) = old else { return Vec::new() };
        let (old, new) = (&old.locked, &self.locked);
        let commits = (old.commit != new.commit).then(|| format!("commit {} -> {}", old.commit, new.commit));
        let count = new.number.checked_sub(old.number).filter(|count| *count > 0);
        commits.into_iter().chain(count.map(|count| text::counted(count as usize, "commit"))).collect()
    }

    fn visible(&self) -> Value {
        serde_json::json!({
            "content": self.locked.content.digest,
            "commit": self.locked.commit,
            "number": self.locked.number,
            "time": self.locked.time,
        })
    }

    fn fault(&self) -> Option<String> {
        let pin = &self.locked;
        let ids = [&pin.commit, &pin.tree].into_iter().chain(pin.submodules.values().map(|one| &one.commit));
        if let Some(wrong) = ids.into_iter().find(|text| !is_commit(text)) {
            return Some(format!("invalid git id `{wrong}`"));
        }
        let mut urls = std::iter::once(&pin.url).chain(pin.submodules.values().map(|one| &one.url));
        if urls.any(|url| !is_git_url(url)) {
            return Some("it names something that is not the address of a git repository".to_owned());
        }
        let reference = pin.reference.as_deref().unwrap_or_default();
        reference.contains(|c: char| c.is_control() || c.is_whitespace()).then(|| "invalid git ref".to_owned())
    }

    fn report(&self, page: &mut String) {
        report::report(page, &self.locked);
    }

    fn tree(&self) -> Option<&TreePin> {
        Some(&self.locked.content)
    }
}
