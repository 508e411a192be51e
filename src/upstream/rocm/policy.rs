//! AMD's policy on how long it keeps builds, and other addresses that may have them.

use jiff::civil::Date;
use url::Url;

use super::source::{About, channels, directories};
use super::{Channel, RocmVersion, select};

/// Number of days before AMD removes a build, by its policy, at which warnings begin.
const NOTICE: i64 = 30;

/// Returns the hint for a tarball of `version` that a server no longer has.
#[must_use]
pub fn if_gone(input: &str, version: &RocmVersion) -> String {
    let take = format!("or take another build with `strixlock update {input}`");
    // The format of its version says which policy applies, whoever built it.
    let kept = version.date().and_then(|_| Channel::nightly().about().ok()?.kept.as_deref());
    match (kept, version.date()) {
        (Some(kept), Some(day)) => format!(
            "AMD's policy is to keep {kept}, and this one is of {day}: name a mirror that kept it in the \
             configuration, {take}"
        ),
        _ => format!("name a mirror that has it in the configuration, {take}"),
    }
}

/// AMD's policy for a build on AMD's host that will be removed soon. The actual removal may come earlier or later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// The builds that are kept, as the end of the sentence "AMD's policy is to keep ...".
    pub kept: &'static str,
    /// The day that the build was made.
    pub made: Date,
    /// Number of days that are left; 0 if it may be removed any day.
    pub days: i64,
}

impl Leaving {
    /// Returns a sentence about `build`; callers add how to keep it.
    #[must_use]
    pub fn text(&self, build: &str) -> String {
        let when = match self.days {
            ..=0 => "it may go any day".to_owned(),
            1 => "it leaves in a day".to_owned(),
            days => format!("it leaves in {days} days"),
        };
        format!("AMD's policy is to keep {}, and {build} is of {}: by that {when}", self.kept, self.made)
    }
}

/// Returns when AMD removes the build at `url` by its policy, if that is soon. The policy covers only AMD's own
/// addresses: a mirror has a policy of its own.
#[must_use]
pub fn leaves(url: &Url, made: Date, now: i64) -> Option<Leaving> {
    let (about, _) = shelf(url)?;
    let days = about.kept_days?.saturating_sub(select::age(made, now)?);
    let kept = about.kept.as_deref()?;
    (days <= NOTICE).then_some(Leaving { kept, made, days: days.max(0) })
}

/// Returns the day that a build was made: from its version, else from its time in the index.
#[must_use]
pub fn made(version: &RocmVersion, mtime: Option<i64>) -> Option<Date> {
    version.date().or_else(|| select::day(mtime?))
}

/// Returns the other addresses at which AMD may have a file that it published at `url`: in the other generations of the
/// channel. Only a digest can tell whether it is the same file.
#[must_use]
pub fn homes(url: &Url) -> Vec<Url> {
    let Some((_, name)) = url.as_str().rsplit_once('/') else { return Vec::new() };
    let others = shelf(url).map(|(_, all)| all).unwrap_or_default();
    others.iter().filter_map(|one| one.join(name).ok()).filter(|one| one != url).collect()
}

/// Returns the channel that the AMD directory of `url` belongs to, with all directories of that channel.
fn shelf(url: &Url) -> Option<(&'static About, Vec<Url>)> {
    let (directory, _) = url.as_str().rsplit_once('/')?;
    let all = channels().ok()?.values().map(|about| (about, directories(about)));
    all.into_iter().find(|(_, all)| all.iter().any(|one| one.as_str() == format!("{directory}/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_of_nightlies_it_is_said_how_long_they_are_kept() {
        let hint = |version: &str| if_gone("rocm", &version.parse().unwrap());
        insta::assert_snapshot!(hint("10.1.0a20260901"), @"AMD's policy is to keep the last 120 nightlies, and this one is of 2026-09-01: name a mirror that kept it in the configuration, or take another build with `strixlock update rocm`");
        insta::assert_snapshot!(hint("10.0.0"), @"name a mirror that has it in the configuration, or take another build with `strixlock update rocm`");
    }

    #[test]
    fn a_build_that_leaves_soon_is_told_and_never_said_to_be_gone() {
        let nightly = "https://nightly.repo.amd.com/rocm/core/tarball/x.tar.gz".parse().unwrap();
        let made = jiff::civil::date(2026, 9, 10);
        let day = jiff::tz::TimeZone::UTC.to_timestamp(made.at(0, 0, 0, 0)).unwrap().as_second();
        let of = |url: &Url, days: i64| leaves(url, made, day + days * 86_400).map(|leaving| leaving.text("it"));
        assert_eq!(of(&nightly, 89), None);
        assert!(of(&nightly, 90).unwrap().ends_with("by that it leaves in 30 days"));
        assert!(of(&nightly, 119).unwrap().ends_with("by that it leaves in a day"));
        assert_eq!(
            of(&nightly, 121).unwrap(),
            "AMD's policy is to keep the last 120 nightlies, and it is of 2026-09-10: by that it may go any day"
        );
        let dev = "https://dev.repo.amd.com/rocm/core/tarball/x.tar.gz".parse().unwrap();
        assert!(of(&dev, 29).unwrap().ends_with("by that it leaves in a day"), "each channel has its own");
        for never in ["https://stable.repo.amd.com/rocm/core/tarball/x.tar.gz", "https://mirror.example/x.tar.gz"] {
            assert_eq!(of(&never.parse().unwrap(), 119), None, "{never}");
        }
    }

    #[test]
    fn the_day_is_that_of_the_version_before_that_of_the_index() {
        let of = |version: &str, mtime| made(&version.parse().unwrap(), mtime).map(|day| day.to_string());
        let (dev, noon) = (format!("7.12.0.dev0+{}", "a".repeat(40)), Some(1_789_528_424));
        assert_eq!(of("10.1.0a20260901", noon).as_deref(), Some("2026-09-01"));
        assert_eq!(of(&dev, noon).as_deref(), Some("2026-09-16"));
        assert_eq!(of(&dev, None), None);
        assert_eq!(of(&dev, Some(i64::MAX)), None);
    }

    #[test]
    fn other_homes_are_those_of_the_channel() {
        let of = |url: &str| homes(&url.parse().unwrap()).into_iter().map(String::from).collect::<Vec<_>>();
        assert_eq!(
            of("https://nightly.repo.amd.com/rocm/core/tarball/x%2By.tar.gz"),
            [
                "https://rocm.nightlies.amd.com/tarball-multi-arch/x%2By.tar.gz",
                "https://rocm.nightlies.amd.com/tarball/x%2By.tar.gz",
                "https://therock-nightly-tarball.s3.amazonaws.com/v4/tarball/x%2By.tar.gz",
                "https://therock-nightly-tarball.s3.amazonaws.com/x%2By.tar.gz",
            ]
        );
        assert_eq!(of("https://repo.amd.com/rocm/tarball/x.tar.gz").len(), 2);
        assert!(of("https://mirror.example/rocm/core/tarball/x.tar.gz").is_empty());
        assert!(of("https://nightly.repo.amd.com/rocm/core/tarball-asan/x.tar.gz").is_empty());
    }
}
