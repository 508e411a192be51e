//! File names: `therock-dist-<platform>-<family>-<version>.tar.gz`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::RocmVersion;
use crate::error::{Error, Result};
use crate::suggest::one_of;

/// The operating system that a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
}

impl FromStr for Platform {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        one_of("platform", text, &[("linux", Self::Linux), ("windows", Self::Windows)])
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linux => "linux",
            Self::Windows => "windows",
        })
    }
}

/// A tarball's name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TarballName {
    /// The operating system.
    pub platform: Platform,
    /// The GPU family, e.g. `gfx1151` or `gfx110X-all`; also `multiarch`, and names that end in `-tests`.
    pub family: String,
    /// The version.
    pub version: RocmVersion,
}

impl TarballName {
    /// Takes a file name apart; `None` where it is no tarball of ours.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("therock-dist-")?.strip_suffix(".tar.gz")?;
        let (platform, rest) = rest.split_once('-')?;
        // Families hold hyphens and versions do not.
        let (family, version) = rest.rsplit_once('-')?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if family.is_empty() || family.len() > 100 || !family.bytes().all(plain) {
            return None;
        }
        Some(Self { platform: platform.parse().ok()?, family: family.to_owned(), version: version.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_taken_apart() {
        for (name, platform, family, version) in [
            ("therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz", Platform::Linux, "gfx1151", "10.1.0a20260901"),
            ("therock-dist-windows-gfx1151-7.9.0rc20251008.tar.gz", Platform::Windows, "gfx1151", "7.9.0rc20251008"),
            (
                "therock-dist-linux-gfx110X-all-10.1.0a20260811+bkc.20260814.tar.gz",
                Platform::Linux,
                "gfx110X-all",
                "10.1.0a20260811+bkc.20260814",
            ),
            ("therock-dist-linux-gfx1151-tests-10.0.0.tar.gz", Platform::Linux, "gfx1151-tests", "10.0.0"),
            ("therock-dist-linux-multiarch-10.0.0rc1.tar.gz", Platform::Linux, "multiarch", "10.0.0rc1"),
        ] {
            let parsed = TarballName::parse(name).unwrap();
            assert_eq!((parsed.platform, parsed.family.as_str()), (platform, family), "{name}");
            assert_eq!(parsed.version.to_string(), version);
        }
    }

    #[test]
    fn other_names_are_refused() {
        for wrong in [
            "",
            "therock-dist-",
            "therock-dist-linux-gfx1151-latest.tar.gz",
            "therock-dist-linux-gfx1151-10.1.0.tar.xz",
            "therock-dist-linux-gfx1151-10.1.0a20261301.tar.gz",
            "therock-dist-linux-10.1.0.tar.gz",
            "therock-dist-mac-gfx1151-10.1.0.tar.gz",
            "therock-dist-Linux-gfx1151-10.1.0.tar.gz",
            "../therock-dist-linux-gfx1151-10.1.0.tar.gz",
            "therock-dist-linux-gfx/1151-10.1.0.tar.gz",
            "therock-dist-linux-gfx1151-10.1.0.tar.gz\n",
            "therock-dist-linux--10.1.0.tar.gz",
        ] {
            assert_eq!(TarballName::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_parsed_or_refused(middle in "[a-zX0-9.+-]{0,30}|\\PC{0,30}") {
            let _ = TarballName::parse(&middle);
            let _ = TarballName::parse(&format!("therock-dist-linux-{middle}.tar.gz"));
        }
    }
}
