//! File names: `therock-dist-<platform>-<family>-<version>.tar.gz`, or `.tar.zst`; the family may be left out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::RocmVersion;
use super::family::{ALL, is_family};
use crate::error::{Error, Result};
use crate::suggest::one_of;

/// The operating system of a build.
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

/// The supported compressions, by file name suffix. The first bytes of the file are checked too.
pub(super) const ENDINGS: [&str; 2] = [".tar.gz", ".tar.zst"];

/// A parsed tarball name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TarballName {
    /// The operating system.
    pub platform: Platform,
    /// The GPU family, e.g. `gfx1151` or `gfx110X-all`; also `multiarch`, and names that end in `-tests`.
    pub family: Option<String>,
    /// The version.
    pub version: RocmVersion,
}

impl TarballName {
    /// Parses a file name. Returns `None` if it is not that of a ROCm tarball.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("therock-dist-")?;
        let rest = ENDINGS.iter().find_map(|ending| rest.strip_suffix(ending))?;
        let (platform, rest) = rest.split_once('-')?;
        // Families contain hyphens, versions do not.
        let (family, version) = match rest.rsplit_once('-') {
            Some((family, version)) => (Some(family), version),
            None => (None, rest),
        };
        if family.is_some_and(|family| !is_family(family)) {
            return None;
        }
        Some(Self {
            platform: platform.parse().ok()?,
            family: family.map(str::to_owned),
            version: version.parse().ok()?,
        })
    }

    /// Returns whether this is a tarball of `family`. Tarballs for all GPUs may name no family.
    #[must_use]
    pub fn is_of(&self, family: &str) -> bool {
        self.family.as_deref().map_or(family == ALL, |own| own == family)
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
            ("therock-dist-linux-gfx1151-10.0.0.post1.tar.zst", Platform::Linux, "gfx1151", "10.0.0.post1"),
            ("therock-dist-linux-multiarch-10.0.0rc1.tar.gz", Platform::Linux, "multiarch", "10.0.0rc1"),
        ] {
            let parsed = TarballName::parse(name).unwrap();
            assert_eq!((parsed.platform, parsed.family.as_deref()), (platform, Some(family)), "{name}");
            assert!(parsed.is_of(family) && !parsed.is_of("gfx1150"));
            assert_eq!(parsed.version.to_string(), version);
        }
    }

    #[test]
    fn a_name_without_a_gpu_is_of_all() {
        let parsed = TarballName::parse("therock-dist-linux-10.3.0a20261120.tar.gz").unwrap();
        assert_eq!((parsed.family.as_deref(), parsed.version.to_string().as_str()), (None, "10.3.0a20261120"));
        assert!(parsed.is_of("multiarch") && !parsed.is_of("gfx1151"));
    }

    #[test]
    fn other_names_are_refused() {
        for wrong in [
            "",
            "therock-dist-",
            "therock-dist-linux-gfx1151-latest.tar.gz",
            "therock-dist-linux-gfx1151-10.1.0.tar.xz",
            "therock-dist-linux-gfx1151-10.1.0a20261301.tar.gz",
            "therock-dist-linux-gfx1151-10.1.0.tar.gz.zst",
            "therock-dist-10.1.0.tar.gz",
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
