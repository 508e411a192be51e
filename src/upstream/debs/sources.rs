//! The suites of archives that packages come from, and the keys that must sign them.

use std::path::PathBuf;

use url::Url;

/// A suite of an archive: an entry of a source list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AptSource {
    /// The archive's URLs, which all have the same files.
    pub archives: Vec<Url>,
    /// The suite.
    pub suite: String,
    /// Its components.
    pub components: Vec<String>,
    /// The keys that must sign it.
    pub signed_by: SignedBy,
    /// Its options in this machine's apt configuration.
    pub options: SourceOptions,
}

/// The options of one source in an apt configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceOptions {
    /// True if its Release file may have expired; `None`: as for all sources.
    pub expired: Option<bool>,
    /// True if its Release file may be dated in the future.
    pub future: bool,
    /// True if it need not be signed.
    pub unsigned: bool,
    /// True if its lists are downloaded by their digests; `None`: as its Release file says.
    pub by_hash: Option<bool>,
}

impl AptSource {
    /// Returns whether two sources are the same suite of the same archive.
    #[must_use]
    pub fn is_the_same_place(&self, other: &Self) -> bool {
        let places = |source: &Self| -> Vec<String> {
            source.archives.iter().map(|url| url.as_str().trim_end_matches('/').to_owned()).collect()
        };
        self.suite == other.suite && places(self) == places(other)
    }
}

/// The keys whose signature apt would require.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignedBy {
    /// Keyring files.
    pub files: Vec<PathBuf>,
    /// Fingerprints; one with a trailing `!` means exactly that key, without its subkeys.
    pub keys: Vec<String>,
    /// Armored keys in the configuration itself.
    pub armored: Option<String>,
}

impl SignedBy {
    /// Returns whether no key is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Parses the value of `Signed-By`.
    pub(super) fn parse(value: &str) -> Self {
        let mut signed = Self::default();
        if value.contains("-----BEGIN") {
            // A single dot stands for an empty line.
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
