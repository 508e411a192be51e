//! A pinned ROCm tarball.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::provenance::TheRock;
use super::report;
use crate::digest::Sha256Digest;
use crate::inputs::{Block, LockedInput, Pinned, TreePin};
use crate::page::script::Script;
use crate::upstream::rocm::{RocmRequest, RocmVersion, TarballName, made};
use crate::urls::unfetchable;

/// A pinned ROCm tarball and the tree in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RocmPin {
    /// URLs of the tarball.
    pub urls: Vec<Url>,
    /// Its file name.
    pub file: String,
    /// The version in the file name.
    pub version: RocmVersion,
    /// The newest version that was ever locked, if that is not this one: an index that lists nothing as new has gone
    /// back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_seen: Option<RocmVersion>,
    /// Its time in the index, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime: Option<i64>,
    /// The tarball's size in bytes.
    pub size: u64,
    /// The tarball's digest.
    pub sha256: Sha256Digest,
    /// The tree in it.
    pub tree: TreePin,
    /// The commits that it was built from, according to the tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub therock: Option<TheRock>,
}

impl RocmPin {
    /// Returns the newest version that was ever locked.
    pub(super) fn newest_seen(&self) -> &RocmVersion {
        self.newest_seen.as_ref().unwrap_or(&self.version)
    }
}

/// Returns true if `one` is newer than `other`. Channels of nightlies are ordered by day, the others by version.
pub(super) fn is_newer(one: &RocmVersion, other: &RocmVersion, request: &RocmRequest) -> bool {
    if request.channel.about().is_ok_and(|about| about.by_day) {
        (one.date(), one) > (other.date(), other)
    } else {
        one > other
    }
}

impl Pinned for Block<RocmRequest> {
    fn version(&self) -> String {
        self.locked.version.to_string()
    }

    /// Returns the directory of the tarball: a click must not begin a download of 2 GB.
    fn address(&self) -> Option<Url> {
        self.locked.urls.first()?.join(".").ok()
    }

    fn day(&self) -> Option<Date> {
        made(&self.locked.version, self.locked.mtime)
    }

    fn size(&self) -> u64 {
        self.locked.size
    }

    fn is_newer_than(&self, version: &str) -> bool {
        version.parse::<RocmVersion>().is_ok_and(|other| is_newer(&self.locked.version, &other, &self.requested))
    }

    fn changes_since(&self, old: &LockedInput) -> Vec<String> {
        let LockedInput::Rocm(old) = old else { return Vec::new() };
        let commit = |pin: &RocmPin| pin.therock.as_ref().map(|therock| therock.commit.clone());
        let (before, after) = (commit(&old.locked), commit(&self.locked));
        let changed = before.zip(after).filter(|(before, after)| before != after);
        changed.map(|(before, after)| format!("TheRock {before} -> {after}")).into_iter().collect()
    }

    fn visible(&self) -> Value {
        serde_json::json!({
            "tree": self.locked.tree.digest,
            "version": self.locked.version,
            "target": self.requested.target,
        })
    }

    fn fault(&self) -> Option<String> {
        let parsed = TarballName::parse(&self.locked.file);
        if parsed.is_none_or(|parsed| parsed.version != self.locked.version) {
            return Some(format!("invalid tarball name `{}`", self.locked.file));
        }
        let is_newest = |seen: &RocmVersion| !is_newer(seen, &self.locked.version, &self.requested);
        if let Some(seen) = self.locked.newest_seen.as_ref().filter(|seen| is_newest(seen)) {
            return Some(format!("`newest_seen` {seen} is not newer than the locked version"));
        }
        unfetchable(&self.locked.urls)
    }

    fn report(&self, page: &mut String) {
        report::report(page, &self.locked);
    }

    fn unverified(&self) -> Vec<String> {
        report::unverified(&self.locked)
    }

    fn rebuild(&self, name: &str, script: &mut Script) -> Result<(), String> {
        report::rebuild(name, &self.locked, script);
        Ok(())
    }

    fn tree(&self) -> Option<&TreePin> {
        Some(&self.locked.tree)
    }
}
