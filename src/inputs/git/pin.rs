//! A pinned git commit.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::patches::PatchPin;
use super::report;
use crate::inputs::project::is_project_path;
use crate::inputs::{Block, LockedInput, Pinned, TreePin};
use crate::page::script::Script;
use crate::text::{self, visible};
use crate::upstream::git::{GitRef, GitRequest, Submodule, is_commit, is_git_url, release_version};

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
    /// Tags of the commit, if it has any; locks of older versions lack them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Patches that are applied to the commit, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<PatchPin>,
    /// Submodules by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub submodules: BTreeMap<String, Submodule>,
    /// The raw blobs as a tree, patched, with submodules at their paths.
    pub content: TreePin,
}

impl GitPin {
    /// Returns the tag of a release, if the commit has one: `v` and a version.
    #[must_use]
    pub fn release(&self) -> Option<&str> {
        self.tags.iter().map(String::as_str).find(|tag| release_version(tag).is_some())
    }
}

impl Pinned for Block<GitRequest> {
    fn version(&self) -> String {
        let commit = &self.locked.commit[..12.min(self.locked.commit.len())];
        let release = self.locked.release().map(|tag| format!("{tag} = ")).unwrap_or_default();
        let patches = match self.locked.patches.len() {
            0 => String::new(),
            1 => " + 1 patch".to_owned(),
            count => format!(" + {count} patches"),
        };
        format!("{release}b{} ({commit}){patches}", self.locked.number)
    }

    fn short_version(&self) -> String {
        let release = self.locked.release().map(|tag| format!("{tag} = ")).unwrap_or_default();
        format!("{release}b{}", self.locked.number)
    }

    /// Returns the repository, and the ref if others than the owners of the repository can write it. Hosts also give out
    /// commits of forks.
    fn origin(&self) -> Option<String> {
        let GitRequest { url, reference, .. } = &self.requested;
        let owned = |name: &str| name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
        Some(match reference {
            GitRef::Pull(number) => format!("{url} refs/pull/{number}/head"),
            GitRef::Ref(name) if !owned(name) => format!("{url} {name}"),
            GitRef::Commit(_) => format!("{url} by commit"),
            _ => url.clone(),
        })
    }

    fn address(&self) -> Option<Url> {
        Url::parse(&self.locked.url).ok()
    }

    fn day(&self) -> Option<Date> {
        text::day(self.locked.time)
    }

    fn size(&self) -> u64 {
        self.locked.content.size
    }

    /// Compares build numbers, which count commits.
    fn is_newer_than(&self, version: &str) -> bool {
        let after = version.rsplit_once(" = ").map_or(version, |(_, build)| build);
        let number = after.strip_prefix('b').and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
        number.is_some_and(|number| number < self.locked.number)
    }

    fn changes_since(&self, old: &LockedInput) -> Vec<String> {
        let LockedInput::Git(old) = old else { return Vec::new() };
        let (old, new) = (&old.locked, &self.locked);
        let commits = (old.commit != new.commit).then(|| format!("commit {} -> {}", old.commit, new.commit));
        let count = new.number.checked_sub(old.number).filter(|count| *count > 0);
        commits.into_iter().chain(count.map(|count| text::counted(count as usize, "commit"))).collect()
    }

    fn visible(&self) -> Value {
        let mut shown = serde_json::json!({
            "content": self.locked.content.digest,
            "commit": self.locked.commit,
            "number": self.locked.number,
            "time": self.locked.time,
        });
        // A release calls itself by its version; the id of any other commit is what it was before tags were kept.
        if let Some(release) = self.locked.release() {
            shown["release"] = release.into();
        }
        if !self.locked.patches.is_empty() {
            shown["patches"] = self.locked.patches.iter().map(|patch| patch.sha256.to_string()).collect();
        }
        shown
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
        if let Some(wrong) = pin.patches.iter().find(|patch| !is_project_path(&patch.path)) {
            return Some(format!("invalid path of a patch `{}`", visible(&wrong.path)));
        }
        let mut names = pin.reference.iter().chain(&pin.tags);
        let wrong = names.any(|name| name.contains(|c: char| c.is_control() || c.is_whitespace()));
        wrong.then(|| "invalid git ref".to_owned())
    }

    fn report(&self, page: &mut String) {
        report::report(page, &self.locked);
    }

    fn unverified(&self) -> Vec<String> {
        vec![report::unverified(&self.locked)]
    }

    fn rebuild(&self, name: &str, script: &mut Script) -> Result<(), String> {
        report::rebuild(name, &self.locked, script)
    }

    fn tree(&self) -> Option<&TreePin> {
        Some(&self.locked.content)
    }
}
