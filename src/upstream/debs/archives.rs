//! Facts about the archives of distributions, as data (`archives.toml`): their keys, and the packages that hold them.
//!
//! Nothing here is trusted by itself. A fingerprint counts once it stands in a manifest, where `strixlock init` writes
//! it and a person can compare it.

use std::sync::LazyLock;

use serde::Deserialize;
use url::Url;

static KNOWN: LazyLock<Known> = LazyLock::new(|| toml::from_str(include_str!("archives.toml")).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    distribution: Vec<Distribution>,
}

/// A distribution and its archives.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Distribution {
    /// The word in URLs of its archives.
    word: String,
    /// Its name, for messages.
    pub name: String,
    /// The packages of its archive that hold the archive's keys.
    pub keyring_packages: Vec<String>,
    /// The name, without ending, of the file in which it installs them.
    pub keyring: String,
    /// The usual components.
    pub components: Vec<String>,
    /// The archive that new manifests name.
    default: Option<DefaultArchive>,
    #[serde(rename = "key")]
    keys: Vec<ArchiveKey>,
}

/// An archive for new manifests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultArchive {
    /// Its URL, with the day if it is a snapshot service.
    pub archive: String,
    /// The suites.
    pub suites: Vec<String>,
}

/// A key that signs an archive.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveKey {
    /// The name in its user id; empty if it is not known.
    pub name: String,
    /// Its fingerprint, in upper case.
    pub fingerprint: String,
    /// The suites that it signs; empty means all.
    #[serde(default)]
    suites: Vec<String>,
}

impl ArchiveKey {
    /// Returns a key of which only the fingerprint is known.
    #[must_use]
    pub fn named(fingerprint: &str) -> Self {
        Self { name: String::new(), fingerprint: fingerprint.to_owned(), suites: Vec::new() }
    }
}

impl Distribution {
    /// Returns the distribution whose word is in the URL of an archive.
    #[must_use]
    pub fn of(urls: &[Url]) -> Option<&'static Self> {
        let named = |one: &&Self| urls.iter().any(|url| url.as_str().contains(&one.word));
        KNOWN.distribution.iter().find(named)
    }

    /// Returns the keys that sign these suites; all keys if it is not known which ones do.
    #[must_use]
    pub fn keys_of(&self, suites: &[String]) -> Vec<&ArchiveKey> {
        let signs = |key: &ArchiveKey, suite: &String| key.suites.is_empty() || key.suites.contains(suite);
        if suites.iter().all(|suite| self.keys.iter().any(|key| signs(key, suite))) {
            self.keys.iter().filter(|key| suites.iter().any(|suite| signs(key, suite))).collect()
        } else {
            self.keys.iter().collect()
        }
    }
}

/// Returns the archive for new manifests.
#[must_use]
pub fn default_archive() -> Option<&'static DefaultArchive> {
    KNOWN.distribution.iter().find_map(|one| one.default.as_ref())
}

/// Returns the names of all packages that hold keys of archives.
pub fn keyring_packages() -> impl Iterator<Item = &'static str> {
    KNOWN.distribution.iter().flat_map(|one| &one.keyring_packages).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(url: &str, suites: &[&str]) -> Vec<&'static str> {
        let suites: Vec<String> = suites.iter().map(|suite| (*suite).to_owned()).collect();
        let distribution = Distribution::of(&[url.parse::<Url>().unwrap()]).unwrap();
        distribution.keys_of(&suites).into_iter().map(|key| key.name.as_str()).collect()
    }

    #[test]
    fn the_data_can_be_read() {
        assert!(default_archive().is_some_and(|one| one.archive.parse::<Url>().is_ok() && !one.suites.is_empty()));
        for distribution in &KNOWN.distribution {
            assert!(!distribution.keys.is_empty() && !distribution.components.is_empty(), "{}", distribution.name);
            for key in &distribution.keys {
                let plain = key.fingerprint.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
                assert!(plain && key.fingerprint.len() == 40, "{}", key.name);
            }
        }
        assert!(keyring_packages().all(crate::deb::is_package_name) && keyring_packages().count() > 1);
    }

    #[test]
    fn a_suite_has_the_keys_that_sign_it() {
        let ubuntu = "https://archive.ubuntu.com/ubuntu/";
        assert_eq!(names(ubuntu, &["noble", "noble-updates"]), ["Ubuntu Archive Automatic Signing Key (2018)"]);
        let debian = "https://a.example/debian/";
        assert_eq!(names(debian, &["trixie"]), ["Debian Archive Automatic Signing Key (13/trixie)"]);
        assert_eq!(names(debian, &["bookworm", "bookworm-security"]).len(), 2);
        assert_eq!(names(debian, &["stable"]).len(), 6);
        assert!(Distribution::of(&["https://a.example/".parse::<Url>().unwrap()]).is_none());
    }
}
