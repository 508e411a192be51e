//! Families of GPUs: tarballs are named after them.
//!
//! A family may cover several GPUs (`gfx110X-all`), and upstream renames families: `gfx110X-dgpu` became `gfx110X-all`.
//! If a GPU has no tarball of its own, messages suggest the families that cover it, or may cover it. None is used
//! unless the user names it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use crate::error::{Error, Kind, Result};
use crate::gfx::GfxTarget;

/// The family of the tarballs for all GPUs at once. Upstream may leave it out of their names.
pub(super) const ALL: &str = "multiarch";

static MEMBERS: LazyLock<BTreeMap<String, Vec<String>>> =
    LazyLock::new(|| toml::from_str(include_str!("families.toml")).unwrap_or_default());

/// Returns the GPUs of all known families. A newer GPU may be missing.
pub fn known_targets() -> impl Iterator<Item = &'static str> + Clone {
    MEMBERS.values().flatten().map(String::as_str)
}

/// Returns the families whose tarballs have code for all of these GPUs, as far as is known. A GPU alone may be a family
/// of its own, which is the first; that of all GPUs is the last.
#[must_use]
pub fn families_with(targets: &[GfxTarget]) -> Vec<String> {
    let alone = if let [target] = targets { Some(target.to_string()) } else { None };
    let has = |members: &[String], target: &GfxTarget| members.iter().any(|member| member == target.as_str());
    let all = MEMBERS.iter().filter(|(_, members)| targets.iter().all(|target| has(members, target)));
    alone.into_iter().chain(all.map(|(family, _)| family.clone())).chain([ALL.to_owned()]).collect()
}

/// A family that the user names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family(String);

impl Family {
    /// Returns its name in file names.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns a GPU that it is known to cover.
    #[must_use]
    pub fn member(&self) -> Option<GfxTarget> {
        MEMBERS.get(&self.0)?.first()?.parse().ok()
    }
}

impl FromStr for Family {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if is_family(text) && !is_tests(text) && !text.ends_with(['-', '_']) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::new(Kind::Invalid, format!("invalid family `{}`", text.chars().take(100).collect::<String>()))
            .hint("a family is such as \"gfx110X-all\", or \"multiarch\" for the tarballs of all GPUs"))
    }
}

strixlock_ground::serde_by_text!(Family);

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns whether a text can be the family in a file name.
pub(super) fn is_family(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=100).contains(&text.len()) && text.bytes().all(plain)
}

/// Returns whether this is the name of test tarballs, which upstream publishes beside the real ones.
pub(super) fn is_tests(family: &str) -> bool {
    family.ends_with("-tests")
}

/// Returns whether the family covers `target`, or may be its new name: `gfx1151-dgpu`, `gfx115X-all`. False for another
/// GPU of the same generation, such as `gfx1150`.
pub(super) fn may_be(family: &str, target: &str) -> bool {
    if family == target || family == ALL || is_tests(family) {
        return false;
    }
    if let Some(members) = MEMBERS.get(family) {
        return members.iter().any(|member| member == target);
    }
    // A family newer than this program.
    let stem = family.split('-').next().unwrap_or_default();
    stem.len() == target.len()
        && stem.bytes().zip(target.bytes()).all(|(have, want)| have == want || matches!(have, b'X' | b'x'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_may_be_the_target_are_told_from_its_neighbours() {
        for (family, near) in [
            ("gfx115X-all", true),
            ("gfx115X-igpu", true),
            ("gfx115x", true),
            ("gfx11XX-all", true),
            ("gfx1151-dgpu", true),
            ("gfx1151", false),
            ("gfx1151-tests", false),
            ("gfx115X-all-tests", false),
            ("gfx1150", false),
            ("gfx110X-all", false),
            ("gfx94X-dcgpu", false),
            ("multiarch", false),
            ("", false),
        ] {
            assert_eq!(may_be(family, "gfx1151"), near, "{family}");
        }
        for (family, target, near) in [
            ("gfx110X-all", "gfx1100", true),
            ("gfx110X-all", "gfx1103", true),
            // The name alone would say so; it has no integrated GPU.
            ("gfx110X-dgpu", "gfx1103", false),
            ("gfx94X-dcgpu", "gfx942", true),
            ("gfx90X-dcgpu", "gfx90a", true),
        ] {
            assert_eq!(may_be(family, target), near, "{family} {target}");
        }
    }

    #[test]
    fn a_tarball_for_two_generations_is_that_of_all_gpus() {
        let with = |names: &[&str]| families_with(&names.iter().map(|name| name.parse().unwrap()).collect::<Vec<_>>());
        assert_eq!(with(&["gfx1201"]), ["gfx1201", "gfx120X-all", "multiarch"]);
        assert_eq!(with(&["gfx1151", "gfx1150"]), ["gfx115X-all", "gfx115X-igpu", "multiarch"]);
        assert_eq!(with(&["gfx1151", "gfx1201"]), ["multiarch"]);
    }

    #[test]
    fn the_list_of_members_can_be_read() {
        assert!(MEMBERS.len() > 10);
        for (family, members) in &*MEMBERS {
            family.parse::<Family>().unwrap();
            assert!(members.iter().all(|member| member.parse::<crate::gfx::GfxTarget>().is_ok()), "{family}");
        }
    }

    #[test]
    fn families_are_read_strictly() {
        for wrong in ["", "gfx1151-tests", "a/b", "gfx110X-all ", "x-", "..", "é"] {
            assert!(wrong.parse::<Family>().is_err(), "{wrong}");
        }
        assert_eq!("gfx110X-all".parse::<Family>().unwrap().as_str(), "gfx110X-all");
    }
}
