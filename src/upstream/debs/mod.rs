//! Input kind `debs`: a closed set of distribution packages.
//!
//! A request names packages of a Debian or Ubuntu archive; the answer is every package that has to be there for them, found
//! the way apt finds them into an empty root, so that the set is the one that `apt-get install --no-install-recommends`
//! would bring. Nothing is believed before it is proven: InRelease by an OpenPGP key that the manifest's keyring holds, the
//! package lists by InRelease, and each package by its list.
//!
//! * [`stanza`], [`release`], `date`: deb822 text, and the Release file in it
//! * [`keyring`], `key_file`, [`signature`]: who may sign, and whether they did
//! * [`sources`], [`apt`]: suites of archives; those that the machine's own apt configuration names
//! * [`candidate`]: one package of a list, however odd
//! * [`ranking`]: the ranks of versions, by which one is taken before a newer one
//! * [`universe`]: everything that the package lists offer, one version a name
//! * [`solve()`], and `explain`: the closure, and why there is none
//!
//! All of it is pure but [`keyring`] and [`apt`], which read files of this machine. Essential packages are not added of
//! themselves, as apt does not add them to an empty root either: who wants `dpkg` or `coreutils` names them.

pub mod apt;
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
    /// Where the packages are to come from.
    pub archive: Archive,
    /// The suites; with [`Archive::Host`] none means all that it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suites: Vec<String>,
    /// The components; with [`Archive::Host`] none means those that it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// The architecture of the packages, as Debian calls it.
    pub architecture: String,
    /// The packages by name, sorted; what they need comes with them.
    pub packages: Vec<String>,
    /// The keyring that must have signed, as a path relative to the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyring: Option<String>,
    /// Whether a Release file may have expired, as those of a mirror that is kept as it was on one day have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_expired: bool,
    /// Names that a Release file may have besides that of its suite.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept_names: Vec<String>,
    /// Nobody need have signed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsigned: bool,
    /// The fingerprints of the keys that may have signed; empty means any of the keyring.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

/// Where packages come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Archive {
    /// Whatever this machine's own apt configuration names. What it resolves to stands in the pin.
    Host,
    /// An archive by its URLs, which all have the same files: mirrors, or a snapshot.
    Urls(Vec<Url>),
}

/// A package in an archive, as its package list promises it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: DebVersion,
    /// The architecture that it is for, or `all`.
    pub architecture: String,
    /// The release that has it, by the name that the pin gives it.
    pub release: String,
    /// Where it is below the archive's URL.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
}

/// Whether an archive's URL has its date in it, as snapshot services have: then nobody expects its Release to be of today.
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

/// The address of a file below an archive's.
#[must_use]
pub fn below(archive: &Url, path: &str) -> Option<Url> {
    let mut url = archive.clone();
    url.set_path(&format!("{}/{}", archive.path().trim_end_matches('/'), escape_path(path)));
    (!url.cannot_be_a_base()).then_some(url)
}

/// Suites, components and architectures: words that become parts of paths.
#[must_use]
pub fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._~/".contains(&byte);
    !text.is_empty() && text.len() <= 100 && text.bytes().all(plain) && is_path(text)
}

/// The path of a file below an archive.
#[must_use]
pub fn is_path(text: &str) -> bool {
    text.len() <= 1000
        && text.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !text.contains(|c: char| c.is_control() || c == '\\')
}
