//! A pinned file of a release.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::report;
use crate::digest::{Promise, Sha256Digest};
use crate::inputs::archive::Archive;
use crate::inputs::{Block, LockedInput, Pinned, TreePin, Trust};
use crate::page::script::Script;
use crate::text::{self, visible};
use crate::upstream::git::{is_commit, release_version};
use crate::upstream::release::{ReleaseRequest, Series, is_asset};
use crate::urls::unfetchable;

/// A pinned file of a release, and the tree in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasePin {
    /// URLs of the file.
    pub urls: Vec<Url>,
    /// Its name.
    pub file: String,
    /// The tag of the release.
    pub tag: String,
    /// The commit that the tag names.
    pub commit: String,
    /// llama.cpp's build number, if the commit has a tag `b<number>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Tags of the commit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The series of ROCm in the file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rocm: Option<Series>,
    /// The time at which the release was published, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<i64>,
    /// The file's size in bytes.
    pub size: u64,
    /// The file's digest.
    pub sha256: Sha256Digest,
    /// True if the forge itself gave the digest; otherwise it is that of the first download.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vouched: bool,
    /// The tree in it.
    pub tree: TreePin,
}

impl ReleasePin {
    /// Returns the promise of the file's bytes.
    pub(super) fn promise(&self) -> Promise {
        Promise { size: self.size, digest: self.sha256 }
    }

    /// Returns the archive that the file is.
    pub(super) fn archive(&self) -> Archive<'_> {
        let (urls, sha256) = (&self.urls, self.sha256);
        Archive { file: &self.file, urls, sha256, wrapped: false, tree: &self.tree }
    }

    /// Returns the tags by which people know the release: the version, and the build or the release's own tag.
    #[must_use]
    pub fn names(&self) -> String {
        names(&self.tag, &self.tags, self.number)
    }
}

/// Joins the tags by which people know a release: `v0.6.0 = b11429`.
pub(super) fn names(tag: &str, tags: &[String], number: Option<u64>) -> String {
    let version = tags.iter().find(|tag| release_version(tag).is_some());
    let build = number.map_or_else(|| tag.to_owned(), |number| format!("b{number}"));
    match version.filter(|version| **version != build) {
        Some(version) => format!("{version} = {build}"),
        None => build,
    }
}

impl Pinned for Block<ReleaseRequest> {
    fn version(&self) -> String {
        format!("{} ({})", self.locked.names(), &self.locked.commit[..12.min(self.locked.commit.len())])
    }

    fn short_version(&self) -> String {
        self.locked.names()
    }

    fn address(&self) -> Option<Url> {
        Url::parse(&self.requested.url).ok()
    }

    fn day(&self) -> Option<Date> {
        text::day(self.locked.published?)
    }

    fn size(&self) -> u64 {
        self.locked.size
    }

    fn changes_since(&self, old: &LockedInput) -> Vec<String> {
        let LockedInput::Release(old) = old else { return Vec::new() };
        let (old, new) = (&old.locked, &self.locked);
        let commits = (old.commit != new.commit).then(|| format!("commit {} -> {}", old.commit, new.commit));
        let series = |pin: &ReleasePin| pin.rocm.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        let series = (old.rocm != new.rocm).then(|| format!("made for ROCm {} -> {}", series(old), series(new)));
        commits.into_iter().chain(series).collect()
    }

    fn visible(&self) -> Value {
        serde_json::json!({
            "tree": self.locked.tree.digest,
            "commit": self.locked.commit,
            "number": self.locked.number,
            "tag": self.locked.tag,
        })
    }

    fn fault(&self) -> Option<String> {
        let pin = &self.locked;
        if !is_commit(&pin.commit) {
            return Some(format!("invalid git id `{}`", visible(&pin.commit)));
        }
        if !is_asset(&pin.file) {
            return Some(format!("invalid file name `{}`", visible(&pin.file)));
        }
        let mut tags = pin.tags.iter().chain([&pin.tag]);
        if tags.any(|tag| tag.is_empty() || tag.contains(|c: char| c.is_control() || c.is_whitespace())) {
            return Some("invalid tag".to_owned());
        }
        unfetchable(&pin.urls)
    }

    fn report(&self, page: &mut String) {
        report::report(page, self);
    }

    fn trust(&self) -> Trust {
        if self.locked.vouched { Trust::Published } else { Trust::FirstUse }
    }

    fn unverified(&self) -> Vec<String> {
        report::unverified(&self.locked)
    }

    fn rebuild(&self, name: &str, script: &mut Script) -> Result<(), String> {
        self.locked.archive().rebuild(name, script);
        Ok(())
    }

    fn tree(&self) -> Option<&TreePin> {
        Some(&self.locked.tree)
    }
}
