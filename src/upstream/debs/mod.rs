//! Input kind `debs`: a closed set of distribution packages.
//!
//! A request names packages of a Debian or Ubuntu archive. It resolves to these packages and everything they need: the
//! set that `apt-get install --no-install-recommends` would install into an empty root. Everything is verified before
//! use: InRelease by an OpenPGP key of the manifest's keyring, the package lists by InRelease, and each package by its
//! list.
//!
//! * [`stanza`], [`release`], `date`: deb822 text, and Release files
//! * [`keyring`], `key_file`, [`signature`]: trusted keys, and the verification of signatures
//! * [`archives`]: the keys of known archives, and the packages that hold them, as data
//! * [`sources`], [`apt`]: suites of archives, and those in the machine's own apt configuration
//! * [`candidate`]: one package of a list, valid or odd
//! * [`ranking`]: the ranks of versions, which count before their age
//! * [`universe`]: all packages of the lists, with one version for each name
//! * [`solve()`], and `explain`: the closure, and why there is none
//!
//! All of this is pure, except [`keyring`] and [`apt`], which read files of this machine. Essential packages are not
//! added automatically, as apt does not add them to an empty root either: users who want `dpkg` or `coreutils` name
//! them.

pub mod apt;
pub mod archives;
pub mod candidate;
mod date;
mod explain;
mod key_file;
pub mod keyring;
pub mod ranking;
pub mod release;
pub mod signature;
mod solve;
pub mod sources;
pub mod stanza;
#[cfg(test)]
mod tests;
pub mod universe;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::deb::DebVersion;
use crate::digest::Sha256Digest;
use crate::urls::escape_path;
pub use solve::solve;

/// A wanted set of packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebsRequest {
    /// The archive that the packages come from.
    pub archive: Archive,
    /// The suites; with [`Archive::Host`], empty means all configured ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suites: Vec<String>,
    /// The components; with [`Archive::Host`], empty means the configured ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// The architecture of the packages, as Debian calls it.
    pub architecture: String,
    /// The names of the packages, sorted. Their dependencies are added.
    pub packages: Vec<String>,
    /// The keyring that signatures are verified with, as a path relative to the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyring: Option<String>,
    /// True if a Release file may have expired, as on a mirror that is frozen at some day.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_expired: bool,
    /// Names that a Release file may have besides that of its suite.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept_names: Vec<String>,
    /// True if the archive need not be signed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsigned: bool,
    /// The fingerprints of the keys that may sign; empty means all keys of the keyring.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

/// The archive that packages come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Archive {
    /// The archives in this machine's own apt configuration. The pin has their URLs.
    Host,
    /// An archive by its URLs, which all have the same files: mirrors, or a snapshot.
    Urls(Vec<Url>),
}

/// A package in an archive, as described in its package list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: DebVersion,
    /// Its architecture, or `all`.
    pub architecture: String,
    /// The release that has it, by its name in the pin.
    pub release: String,
    /// Its path below the archive's URL.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
}

/// Returns whether an archive's URL contains its date, as with snapshot services: its Release may then have expired.
#[must_use]
pub fn is_snapshot(url: &Url) -> bool {
    let date = |part: &str| {
        let bytes = part.as_bytes();
        bytes.len() == 16
            && bytes.iter().enumerate().all(|(index, byte)| match index {
                8 => *byte == b'T',
                15 => *byte == b'Z',
                _ => byte.is_ascii_digit(),
            })
    };
    url.path_segments().is_some_and(|mut parts| parts.any(date))
}

/// Returns the address of a file in an archive.
#[must_use]
pub fn below(archive: &Url, path: &str) -> Option<Url> {
    let mut url = archive.clone();
    url.set_path(&format!("{}/{}", archive.path().trim_end_matches('/'), escape_path(path)));
    (!url.cannot_be_a_base()).then_some(url)
}

/// Returns whether a text is a valid suite, component or architecture: they become parts of paths.
#[must_use]
pub fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._~/".contains(&byte);
    !text.is_empty() && text.len() <= 100 && text.bytes().all(plain) && is_path(text)
}

/// Returns whether a text is a valid path of a file in an archive.
#[must_use]
pub fn is_path(text: &str) -> bool {
    text.len() <= 1000
        && text.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !text.contains(|c: char| c.is_control() || c == '\\')
}
