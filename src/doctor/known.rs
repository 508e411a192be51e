//! Kernels and firmware that are known to be good or bad on a GPU: `known.toml`, where each entry has a source.

use std::sync::LazyLock;

use serde::{Deserialize, Deserializer};

use crate::host::KernelVersion;

/// The data, compiled into the program. A test parses it, so the fallback is never used.
pub(super) static KNOWN: LazyLock<Known> =
    LazyLock::new(|| toml::from_str(include_str!("known.toml")).unwrap_or_default());

/// The contents of `known.toml`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Known {
    pub kernel: Option<Kernel>,
    pub firmware: Vec<Firmware>,
}

/// Bad kernels: those below a version.
#[derive(Debug, Deserialize)]
pub(super) struct Kernel {
    /// The GPU that needs the fix.
    pub gpu: String,
    /// The first version with the fix.
    #[serde(deserialize_with = "version")]
    pub good: KernelVersion,
    pub why: String,
    /// Marks behind the build number of distributions that patch their kernels.
    pub distributions: Vec<String>,
    /// Marks of mainline builds for such a distribution, which are not patched.
    pub mainline: Vec<String>,
    pub backport: Vec<Backport>,
}

/// The first older kernel of a distribution that has the fix.
#[derive(Debug, Deserialize)]
pub(super) struct Backport {
    /// One of [`Kernel::distributions`].
    pub distribution: String,
    #[serde(deserialize_with = "version")]
    pub version: KernelVersion,
    /// The first build number with the fix; 0 if every build of the version has it.
    #[serde(default)]
    pub build: u64,
    /// The name to show.
    pub named: String,
}

/// A bad release of linux-firmware.
#[derive(Debug, Deserialize)]
pub(super) struct Firmware {
    pub gpu: String,
    /// The day of the release. Distributions add to it, as in `20251125-1.fc43`.
    pub release: String,
    pub why: String,
}

impl Kernel {
    /// Returns whether this older kernel may have the fix because its distribution patches kernels.
    pub fn may_be_patched(&self, version: KernelVersion, release: &str) -> bool {
        let rest = release.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
        let (build, rest) = match rest.strip_prefix('-') {
            Some(numbered) => {
                let tail = numbered.trim_start_matches(|c: char| c.is_ascii_digit());
                (&numbered[..numbered.len() - tail.len()], tail)
            }
            None => ("", rest),
        };
        // Ubuntu's mainline builds have the version as build number: 6.18.3-061803-generic.
        if build.starts_with('0') || self.mainline.iter().any(|mark| rest.contains(mark)) {
            return false;
        }
        let mut marks = self.distributions.iter().filter(|mark| !build.is_empty() || mark.starts_with('+'));
        let Some(mark) = marks.find(|mark| rest.contains(*mark)) else {
            return false;
        };
        let build = build.parse().unwrap_or(0);
        let mut first = self.backport.iter().filter(|backport| backport.distribution == *mark);
        first.all(|backport| (version, build) >= (backport.version, backport.build))
    }

    /// Returns the good versions, to show.
    pub fn wanted(&self) -> String {
        let mut wanted = format!("{} or more", self.good);
        for backport in &self.backport {
            wanted.push_str(", or ");
            wanted.push_str(&backport.named);
        }
        wanted
    }
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KernelVersion, D::Error> {
    let text = String::deserialize(deserializer)?;
    KernelVersion::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("invalid version `{text}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_valid_and_each_entry_has_a_source() {
        let known: Known = toml::from_str(include_str!("known.toml")).unwrap();
        let kernel = known.kernel.unwrap();
        assert!(kernel.backport.iter().all(|backport| kernel.distributions.contains(&backport.distribution)));
        assert!(!known.firmware.is_empty());
        let data: toml::Table = toml::from_str(include_str!("known.toml")).unwrap();
        let backports = data["kernel"]["backport"].as_array().unwrap();
        let entries = data["firmware"].as_array().unwrap().iter().chain(backports).chain([&data["kernel"]]);
        for entry in entries {
            assert!(entry["source"].as_str().unwrap().starts_with("https://"), "{entry}");
        }
    }

    #[test]
    fn kernels_that_a_distribution_patches_are_told_from_mainline() {
        let kernel = KNOWN.kernel.as_ref().unwrap();
        for (release, expected) in [
            ("6.14.0-1020-oem", true),
            ("6.14.0-1018-oem", true),
            ("6.14.0-1017-oem", false),
            ("6.17.0-1005-oem", true),
            ("6.17.0-35-generic", true),
            ("6.17.0-5-generic", false),
            ("6.8.0-88-generic", false),
            ("6.17.9-300.fc43", true),
            ("6.17.10-300.fc43.x86_64", true),
            ("6.17.8-300.fc43.x86_64", false),
            ("6.18.3-200.vanilla.fc43.x86_64", false),
            ("6.12.0-124.8.1.el10_1.x86_64", true),
            ("6.18.3-1.el9.elrepo.x86_64", false),
            ("6.12.57+deb13-amd64", true),
            ("6.17.2-1-pve", true),
            ("6.12.0-160000.5-default", true),
            ("6.18.3-061803-generic", false),
            ("6.18.3-generic", false),
            ("6.18.3", false),
            ("6.17.9-arch1-1", false),
            ("6.17.0-99999999999999999999-generic", false),
            ("6.17.0-", false),
        ] {
            let version = KernelVersion::parse(release).unwrap();
            assert_eq!(kernel.may_be_patched(version, release), expected, "{release}");
        }
    }
}
