//! Versions that are known to be bad, as data: each with what happens, for whom, and the report that says so.
//!
//! Some come with the program ([`built_in`], `advisories.toml`). Others are read from a document that the manifest
//! names, and are pinned in the lock. The form is described in docs/reference/advisories.md.

mod bound;
mod document;
mod draft;
mod kernel;

use std::sync::LazyLock;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::gfx::GfxTarget;
use crate::host::KernelVersion;
use crate::upstream::rocm::RocmVersion;

pub use bound::Bound;
pub use document::{LARGEST, fault, parse};
pub use draft::{Since, draft};
pub use kernel::KernelFix;

/// One range of versions that is known to be bad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Advisory {
    /// Its name, by which a manifest allows or denies it.
    pub id: String,
    /// The software that it is about.
    pub about: Software,
    /// Describes what happens, as the end of the sentence "known to be bad: ...".
    pub what: String,
    /// Backends of llama.cpp with which it happens; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<String>,
    /// GPUs on which it happens; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<GfxTarget>,
    /// The first bad version; none if all before [`Self::until`] are bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Bound>,
    /// The first version that is good again; none if there is no such version yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Bound>,
    /// The first good version in other words, such as a commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good: Option<String>,
    /// Older kernels that have the fix. Of Linux alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernels: Option<KernelFix>,
    /// The address of the report.
    pub source: String,
}

/// The software that an advisory is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Software {
    /// A ROCm build.
    #[serde(rename = "rocm")]
    Rocm,
    /// A commit of llama.cpp.
    #[serde(rename = "llama.cpp")]
    LlamaCpp,
    /// The kernel of the machine.
    #[serde(rename = "linux")]
    Linux,
    /// The firmware of the machine's GPU, by the release of linux-firmware.
    #[serde(rename = "linux-firmware")]
    Firmware,
}

impl Software {
    /// Returns its name in documents.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Rocm => "rocm",
            Self::LlamaCpp => "llama.cpp",
            Self::Linux => "linux",
            Self::Firmware => "linux-firmware",
        }
    }

    /// Returns the name that people know.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rocm => "ROCm",
            Self::LlamaCpp => "llama.cpp",
            Self::Linux => "Linux",
            Self::Firmware => "linux-firmware",
        }
    }
}

/// A pinned version that advisories are compared with.
#[derive(Debug, Clone, Copy)]
pub enum Pinned<'a> {
    /// A ROCm build, and the day on which it was made.
    Rocm(&'a RocmVersion, Option<Date>),
    /// The build number of a commit of llama.cpp, and its day.
    LlamaCpp(u64, Option<Date>),
}

impl Pinned<'_> {
    /// Returns the software.
    #[must_use]
    pub fn software(self) -> Software {
        match self {
            Self::Rocm(..) => Software::Rocm,
            Self::LlamaCpp(..) => Software::LlamaCpp,
        }
    }

    /// Returns this version as the beginning of a range: its day if that is known.
    #[must_use]
    pub fn first(self) -> Bound {
        match self {
            Self::Rocm(_, Some(day)) | Self::LlamaCpp(_, Some(day)) => Bound::Day(day),
            Self::Rocm(version, None) => Bound::Version(version.clone()),
            Self::LlamaCpp(number, None) => Bound::Build(number),
        }
    }
}

/// The use of a pinned version: advisories for other backends or GPUs do not apply.
#[derive(Debug, Clone, Default)]
pub struct Use<'a> {
    /// The backends.
    pub backends: Vec<&'a str>,
    /// The GPUs.
    pub targets: Vec<GfxTarget>,
}

impl Advisory {
    /// Returns true if this version is known to be bad for this use.
    #[must_use]
    pub fn applies(&self, pinned: Pinned, used: &Use) -> bool {
        let same = self.about == pinned.software();
        let backend =
            self.backends.is_empty() || used.backends.iter().any(|one| self.backends.iter().any(|b| b == one));
        let target = self.targets.is_empty() || used.targets.iter().any(|one| self.targets.contains(one));
        same && backend && target && self.has(pinned)
    }

    /// Returns true if this kernel is known to be bad. Its distribution may have patched it: see [`KernelFix`].
    #[must_use]
    pub fn has_kernel(&self, version: KernelVersion) -> bool {
        let reached = |bound: &Option<Bound>| bound.as_ref().and_then(Bound::kernel).map(|bound| version >= bound);
        self.about == Software::Linux && reached(&self.from).unwrap_or(true) && !reached(&self.until).unwrap_or(false)
    }

    /// Returns true if the release of linux-firmware of this day is known to be bad.
    #[must_use]
    pub fn has_firmware(&self, release: Date) -> bool {
        let reached = |bound: &Option<Bound>| bound.as_ref().and_then(Bound::day).map(|bound| release >= bound);
        self.about == Software::Firmware
            && reached(&self.from).unwrap_or(true)
            && !reached(&self.until).unwrap_or(false)
    }

    /// Returns true for a version in the range. A version whose place is unknown, such as a release without a day
    /// beside a range of days, is not.
    fn has(&self, pinned: Pinned) -> bool {
        let reached = |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.is_reached(pinned));
        let (from, until) = (reached(&self.from), reached(&self.until));
        from.unwrap_or(Some(true)) == Some(true) && until.unwrap_or(Some(false)) == Some(false)
    }

    /// Returns the bad versions, to show.
    #[must_use]
    pub fn range(&self) -> String {
        match (&self.from, &self.until) {
            (Some(from), Some(until)) => format!("from {from} until {until}"),
            (Some(from), None) => format!("since {from}"),
            (None, Some(until)) => format!("before {until}"),
            (None, None) => "every version".to_owned(),
        }
    }

    /// Returns one line for a person, with the source.
    #[must_use]
    pub fn text(&self) -> String {
        let good = match (&self.good, &self.until) {
            (Some(good), _) => format!("; good again with {good}"),
            (None, Some(_)) => String::new(),
            (None, None) => "; no good newer version is known".to_owned(),
        };
        format!("known to be bad: {} ({}{good}); {}; {}", self.what, self.range(), self.id, self.source)
    }
}

/// Returns the advisories that come with this program.
#[must_use]
pub fn built_in() -> &'static [Advisory] {
    static ALL: LazyLock<Vec<Advisory>> =
        // A test reads the data, so the fallback is never used.
        LazyLock::new(|| parse(include_str!("advisories.toml"), "advisories.toml").unwrap_or_default());
    &ALL
}

/// Returns the advisories that come with this program and those of documents. One with a known name replaces that.
#[must_use]
pub fn with<'a>(documents: impl IntoIterator<Item = &'a [Advisory]>) -> Vec<Advisory> {
    let mut all = built_in().to_vec();
    for advisory in documents.into_iter().flatten() {
        match all.iter_mut().find(|known| known.id == advisory.id) {
            Some(known) => known.clone_from(advisory),
            None => all.push(advisory.clone()),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Option<Date> {
        text.parse().ok()
    }

    fn bad(pinned: Pinned, backends: &[&str], target: &str) -> Vec<&'static str> {
        let target = target.parse().unwrap();
        let used = Use { backends: backends.to_vec(), targets: vec![target] };
        built_in().iter().filter(|one| one.applies(pinned, &used)).map(|one| one.id.as_str()).collect()
    }

    #[test]
    fn the_built_in_data_is_valid_and_each_entry_has_a_source() {
        let all = parse(include_str!("advisories.toml"), "advisories.toml").unwrap();
        assert!(all.len() >= 4);
        assert!(all.iter().all(|one| one.until.is_some()));
    }

    #[test]
    fn exactly_the_versions_in_a_range_are_bad() {
        for (date, expected) in [("2026-07-15", 0), ("2026-07-16", 1), ("2026-09-07", 1), ("2026-09-08", 0)] {
            let found = bad(Pinned::LlamaCpp(10_500, day(date)), &["hip"], "gfx1151");
            assert_eq!(found.len(), expected, "{date}");
        }
        for (text, expected) in [
            ("7.15.0a20260608", 0),
            ("7.15.0a20260609", 1),
            ("7.15.0a20260612", 1),
            ("7.15.0a20260613", 0),
            ("7.14.1", 0),
        ] {
            let version: RocmVersion = text.parse().unwrap();
            let found = bad(Pinned::Rocm(&version, version.date()), &[], "gfx1151");
            assert_eq!(found.len(), expected, "{text}");
        }
    }

    #[test]
    fn kernels_and_firmware_in_a_range_are_bad() {
        let find = |about| built_in().iter().find(|one| one.about == about).unwrap();
        let kernel = find(Software::Linux);
        for (version, expected) in [("6.12.57", true), ("6.18.3", true), ("6.18.4", false), ("7.0.0", false)] {
            assert_eq!(kernel.has_kernel(KernelVersion::parse(version).unwrap()), expected, "{version}");
        }
        let firmware = find(Software::Firmware);
        for (release, expected) in [("2025-11-11", false), ("2025-11-25", true), ("2026-01-10", false)] {
            assert_eq!(firmware.has_firmware(day(release).unwrap()), expected, "{release}");
        }
        assert!(!kernel.has_firmware(day("2025-11-25").unwrap()));
        assert!(!firmware.has_kernel(KernelVersion(6, 12, 0)));
    }

    #[test]
    fn other_backends_and_gpus_are_not_told() {
        let pinned = Pinned::LlamaCpp(10_500, day("2026-08-01"));
        assert_eq!(bad(pinned, &["hip"], "gfx1151").len(), 1);
        assert_eq!(bad(pinned, &["cpu", "vulkan"], "gfx1151").len(), 0);
        assert_eq!(bad(pinned, &["hip"], "gfx1201").len(), 0);
        assert_eq!(bad(pinned, &["cpu", "hip"], "gfx1151").len(), 1);
        assert_eq!(bad(Pinned::LlamaCpp(10_500, None), &["hip"], "gfx1151").len(), 0, "a day is not known");
    }

    #[test]
    fn a_document_replaces_by_name_and_adds() {
        let mut replaced = built_in()[0].clone();
        replaced.what = "other".to_owned();
        let mut added = built_in()[0].clone();
        added.id = "new".to_owned();
        let all = with([[replaced.clone(), added.clone()].as_slice()]);
        assert_eq!(all.len(), built_in().len() + 1);
        assert!(all.contains(&replaced) && all.contains(&added));
    }
}
