//! Older kernels that have a fix, because their distribution patches kernels.

use serde::{Deserialize, Serialize};

use crate::host::KernelVersion;

/// The way to tell an older kernel with the fix from one without, by the text of `uname -r`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KernelFix {
    /// Marks behind the build number of distributions that patch their kernels: `-oem` in `6.14.0-1020-oem`, `.fc` in
    /// `6.17.9-300.fc43.x86_64`, `+deb` in `6.12.57+deb13-amd64`. An older kernel of theirs may have the fix.
    pub distributions: Vec<String>,
    /// Marks of builds of kernel.org's own sources that look like a distribution's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mainline: Vec<String>,
    /// The first kernels with the fix, by the numbers of a distribution's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backports: Vec<Backport>,
}

/// The first older kernel of a distribution that has the fix. A lower one of that distribution lacks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Backport {
    /// One of [`KernelFix::distributions`].
    pub distribution: String,
    /// Its version, such as `6.14.0`.
    pub version: String,
    /// The first build number with the fix; 0 if every build of the version has it.
    #[serde(default)]
    pub build: u64,
    /// The name to show.
    pub named: String,
    /// The address of the report.
    pub source: String,
}

impl KernelFix {
    /// Returns all texts, for limits.
    pub(super) fn texts(&self) -> impl Iterator<Item = &String> {
        let marks = self.distributions.iter().chain(&self.mainline);
        marks.chain(self.backports.iter().flat_map(|one| [&one.distribution, &one.version, &one.named, &one.source]))
    }

    /// Returns the fault of the entry, if it has one.
    pub(super) fn fault(&self) -> Option<String> {
        let unknown = self.backports.iter().find(|one| !self.distributions.contains(&one.distribution));
        if let Some(one) = unknown {
            return Some(format!("a backport names `{}`, which is not among `distributions`", one.distribution));
        }
        let invalid = self.backports.iter().find(|one| KernelVersion::parse(&one.version).is_none());
        invalid.map(|one| format!("invalid version `{}` of a backport", one.version))
    }

    /// Returns true if this older kernel may have the fix because its distribution patches kernels.
    #[must_use]
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
        let mut first = self.backports.iter().filter(|backport| backport.distribution == *mark);
        first.all(|backport| {
            KernelVersion::parse(&backport.version).is_none_or(|first| (version, build) >= (first, backport.build))
        })
    }

    /// Returns the names of the older kernels that have the fix, in the order of the entry.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.backports.iter().map(|backport| backport.named.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisories::built_in;

    #[test]
    fn kernels_that_a_distribution_patches_are_told_from_mainline() {
        let kernel = built_in().iter().find_map(|one| one.kernels.as_ref()).unwrap();
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
