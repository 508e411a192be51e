//! A pinned set of distribution packages.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::report;
use super::resolve::changed_packages;
use crate::deb::is_package_name;
use crate::digest::Sha256Digest;
use crate::inputs::{Block, LockedInput, Pinned, Trust};
use crate::page::cell;
use crate::page::script::Script;
use crate::text;
use crate::upstream::debs::{DebPackage, DebsRequest, below, is_path, is_word};
use crate::urls::unfetchable;

/// A pinned set of packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebsPin {
    /// The releases that the packages come from, by suite.
    pub releases: BTreeMap<String, ReleasePin>,
    /// The packages, sorted by name.
    pub packages: Vec<DebPackage>,
}

/// A release of a suite, as it was when the packages were chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasePin {
    /// The archives that have the packages.
    pub archives: Vec<Url>,
    /// The suite.
    pub suite: String,
    /// The time of its creation, in seconds since 1970; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<i64>,
    /// The digest of its InRelease file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inrelease: Option<Sha256Digest>,
    /// The digest of its Release file, for an archive without InRelease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Sha256Digest>,
    /// The digest of Release.gpg, its detached signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Sha256Digest>,
    /// The fingerprint of the key that signed it; absent if `unsigned = true` allowed no signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

impl ReleasePin {
    /// Returns the time of its creation, for users.
    #[must_use]
    pub fn made(&self) -> String {
        self.date.map_or_else(|| "an unknown date".to_owned(), text::date)
    }
}

impl DebsPin {
    /// Returns the URLs of a package.
    #[must_use]
    pub fn urls(&self, package: &DebPackage) -> Vec<Url> {
        let release = self.releases.get(&package.release);
        release.into_iter().flat_map(|one| &one.archives).filter_map(|url| below(url, &package.path)).collect()
    }

    /// Returns the size of all packages in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.packages.iter().map(|package| package.size).fold(0, u64::saturating_add)
    }

    /// Returns the version for users: the number of packages, and a digest over names and contents.
    #[must_use]
    pub fn version(&self) -> String {
        let line = |one: &DebPackage| format!("{} {} {}", one.name, one.version, one.sha256);
        let lines = self.packages.iter().map(line).collect::<Vec<_>>().join("\n");
        let many = if self.packages.len() == 1 { "" } else { "s" };
        format!("{} package{many} ({})", self.packages.len(), &Sha256Digest::of(lines.as_bytes()).hex()[..12])
    }

    /// Returns the suite, the day of its newest release and the number of packages: `noble 2026-11-01, 31 packages`.
    #[must_use]
    pub fn short_version(&self) -> String {
        let suites = self.releases.values().map(|release| release.suite.as_str());
        // `noble` before `noble-updates`.
        let suite = suites.min_by_key(|suite| (suite.len(), *suite)).map(|suite| format!("{suite} "));
        let day = self.day().map(|day| format!("{day}, ")).unwrap_or_default();
        format!("{}{day}{}", suite.unwrap_or_default(), text::counted(self.packages.len(), "package"))
    }

    /// Returns the day of the newest release.
    #[must_use]
    pub fn day(&self) -> Option<Date> {
        self.releases.values().filter_map(|release| release.date).max().and_then(text::day)
    }
}

impl Pinned for Block<DebsRequest> {
    fn version(&self) -> String {
        self.locked.version()
    }

    fn short_version(&self) -> String {
        self.locked.short_version()
    }

    fn address(&self) -> Option<Url> {
        self.locked.releases.values().find_map(|release| release.archives.first().cloned())
    }

    fn day(&self) -> Option<Date> {
        self.locked.day()
    }

    fn size(&self) -> u64 {
        self.locked.size()
    }

    fn changes_since(&self, old: &LockedInput) -> Vec<String> {
        let LockedInput::Debs(old) = old else { return Vec::new() };
        changed_packages(&old.locked, &self.locked)
    }

    fn visible(&self) -> Value {
        let packages = self.locked.packages.iter().map(|package| {
            serde_json::json!({
                "name": package.name,
                "version": package.version,
                "architecture": package.architecture,
                "sha256": package.sha256,
            })
        });
        serde_json::json!({ "packages": packages.collect::<Vec<_>>() })
    }

    fn fault(&self) -> Option<String> {
        for release in self.locked.releases.values() {
            if let Some(fault) = unfetchable(&release.archives) {
                return Some(fault);
            }
            let proof = (release.inrelease, release.release, release.signature, release.signed_by.as_deref());
            if !matches!(
                proof,
                (Some(_), None, None, _) | (None, Some(_), Some(_), Some(_)) | (None, Some(_), None, None)
            ) {
                return Some("it has a release whose signature is half there".to_owned());
            }
            if release.signed_by.is_none() && !self.requested.unsigned {
                return Some("nobody has signed one of its releases, and `unsigned` does not allow that".to_owned());
            }
            // Fingerprints stand in commands.
            if release
                .signed_by
                .as_ref()
                .is_some_and(|key| key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_hexdigit()))
            {
                return Some("invalid fingerprint of a key".to_owned());
            }
            if !is_word(&release.suite) || release.archives.is_empty() {
                return Some("it has a release without a suite or archive".to_owned());
            }
        }
        if !is_word(&self.requested.architecture) {
            return Some("invalid architecture".to_owned());
        }
        for package in &self.locked.packages {
            let known = self.locked.releases.contains_key(&package.release);
            let sound = is_package_name(&package.name) && is_word(&package.architecture) && is_path(&package.path);
            if !known || !sound {
                return Some(format!("`{}` is not in any of its releases", package.name.escape_debug()));
            }
        }
        let sorted = self.locked.packages.is_sorted_by(|one, next| one.name < next.name);
        (!sorted).then(|| "its packages are not sorted by name, each once".to_owned())
    }

    fn report(&self, page: &mut String) {
        report::report(page, &self.locked);
    }

    fn trust(&self) -> Trust {
        let keys: Option<BTreeSet<String>> =
            self.locked.releases.values().map(|release| release.signed_by.clone()).collect();
        keys.map_or(Trust::Unsigned, |keys| Trust::Signed(keys.into_iter().collect()))
    }

    fn unverified(&self) -> Vec<String> {
        let unsigned = self.locked.releases.iter().filter(|(_, release)| release.signed_by.is_none());
        unsigned
            .map(|(name, _)| format!("Nobody signed the release {}: anybody could have changed it.", cell(name)))
            .collect()
    }

    fn lists(&self, name: &str, page: &mut String) {
        report::lists(name, page, &self.requested, &self.locked);
    }

    fn rebuild(&self, name: &str, script: &mut Script) -> Result<(), String> {
        report::rebuild(name, &self.locked, script);
        Ok(())
    }
}
