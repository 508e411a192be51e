//! The time for which AMD keeps builds, and where else they may be.

use jiff::civil::Date;
use url::Url;

use super::source::{channels, directories};
use super::{Channel, RocmRequest, RocmVersion, select};

/// Number of days before a build leaves by AMD's policy from which on this is told.
const NOTICE: i64 = 30;

/// Says what to do where a server does not have a tarball of `version` any more.
#[must_use]
pub fn if_gone(input: &str, version: &RocmVersion) -> String {
    let take = format!("or take another build with `strixlock update {input}`");
    // Whoever made it, its form says which policy it falls under.
    let kept = version.date().and_then(|_| Channel::nightly().about().ok()?.kept.as_deref());
    match (kept, version.date()) {
        (Some(kept), Some(day)) => format!(
            "AMD's policy is to keep {kept}, and this one is of {day}: name a mirror that kept it in the configuration, {take}"
        ),
        _ => format!("name a mirror that has it in the configuration, {take}"),
    }
}

/// Says when a build that AMD's own indexes list leaves by AMD's policy, where that is soon. It may be gone before, and may
/// stay longer: only its server knows.
#[must_use]
pub fn leaves(request: &RocmRequest, made: Date, now: i64) -> Option<String> {
    let about = request.channel.about().ok().filter(|_| request.sources.is_empty())?;
    let left = about.kept_days?.saturating_sub(select::age(made, now)?);
    let kept = about.kept.as_deref()?;
    let when = match left {
        ..=0 => "it may go any day".to_owned(),
        1 => "it leaves in a day".to_owned(),
        days if days <= NOTICE => format!("it leaves in {days} days"),
        _ => return None,
    };
    Some(format!(
        "AMD's policy is to keep {kept}, and this one is of {made}: by that {when}; the store and mirrors keep it"
    ))
}

/// Returns where else AMD may have a file that it published at `url`: in the other generations of the channel. A digest must
/// tell whether it is the same.
#[must_use]
pub fn homes(url: &Url) -> Vec<Url> {
    let Some((directory, name)) = url.as_str().rsplit_once('/') else { return Vec::new() };
    let all = channels().into_iter().flat_map(std::collections::BTreeMap::values).map(directories);
    let others = all.filter(|all| all.iter().any(|one| one.as_str() == format!("{directory}/"))).flatten();
    others.filter_map(|one| one.join(name).ok()).filter(|one| one != url).collect()
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
        let request = RocmRequest::newest("gfx1151".parse().unwrap());
        let made = jiff::civil::date(2026, 9, 10);
        let day = jiff::tz::TimeZone::UTC.to_timestamp(made.at(0, 0, 0, 0)).unwrap().as_second();
        let after = |days: i64| leaves(&request, made, day + days * 86_400);
        assert_eq!(after(89), None);
        assert!(after(90).unwrap().contains("by that it leaves in 30 days"));
        assert!(after(119).unwrap().contains("by that it leaves in a day"));
        assert_eq!(
            after(121).unwrap(),
            "AMD's policy is to keep the last 120 nightlies, and this one is of 2026-09-10: by that it may go any day; \
             the store and mirrors keep it"
        );
        let named = RocmRequest { sources: vec!["https://mirror.example/".parse().unwrap()], ..request.clone() };
        assert_eq!(leaves(&named, made, day + 119 * 86_400), None, "a mirror has a policy of its own");
        let stable = RocmRequest { channel: "stable".parse().unwrap(), ..request };
        assert_eq!(leaves(&stable, made, day + 119 * 86_400), None);
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
