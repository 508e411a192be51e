//! Sources of the packages of a request: suites of archives, and who must have signed them.

use std::path::PathBuf;

use url::Url;

/// A suite of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The archive's URLs, which all have the same files.
    pub archives: Vec<Url>,
    /// The suite.
    pub suite: String,
    /// Its components.
    pub components: Vec<String>,
    /// Who must have signed it.
    pub signed_by: SignedBy,
    /// Wishes of this machine's apt configuration.
    pub options: SourceOptions,
}

/// Options that an apt configuration gives for one source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceOptions {
    /// Its Release file may, or may not, have expired; none: as for all.
    pub expired: Option<bool>,
    /// Its Release file may be of the future.
    pub future: bool,
    /// It need not be signed.
    pub unsigned: bool,
    /// Lists can, or cannot, be had by their digests; none: as its Release file says.
    pub by_hash: Option<bool>,
}

impl Source {
    /// Returns whether two sources are one suite of one archive.
    #[must_use]
    pub fn is_the_same_place(&self, other: &Self) -> bool {
        let places = |source: &Self| -> Vec<String> {
            source.archives.iter().map(|url| url.as_str().trim_end_matches('/').to_owned()).collect()
        };
        self.suite == other.suite && places(self) == places(other)
    }
}

/// The keys whose signature apt would ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignedBy {
    /// Keyring files.
    pub files: Vec<PathBuf>,
    /// Fingerprints; with a `!` behind it, exactly that key, and no subkey of it.
    pub keys: Vec<String>,
    /// Keys that stand in the configuration itself, armored.
    pub armored: Option<String>,
}

impl SignedBy {
    /// Returns whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads the value of `Signed-By`.
    pub(super) fn parse(value: &str) -> Self {
        let mut signed = Self::default();
        if value.contains("-----BEGIN") {
            // A line with a single dot stands for an empty one.
            let lines = value.trim().lines().map(|line| if line == "." { "" } else { line });
            signed.armored = Some(lines.collect::<Vec<_>>().join("\n"));
            return signed;
        }
        for word in value.split([' ', ',', '\n', '\t']).filter(|word| !word.is_empty()) {
            if word.starts_with('/') {
                signed.files.push(word.into());
            } else {
                signed.keys.push(word.to_ascii_uppercase());
            }
        }
        signed
    }
}
