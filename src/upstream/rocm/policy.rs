//! AMD's policy on how long it keeps builds, and other addresses that may have them.

use jiff::civil::Date;
use url::Url;

use super::select::Sorted;
use super::source::{About, Index, channels, directories, directory};
use super::{Channel, RocmRequest, RocmVersion, read, select};
use crate::error::Result;
use crate::fetch::Documents;
use crate::text;
use crate::urls::escape_part;

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

/// The time for which a host keeps a build. The actual removal may come earlier or later: only the host knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// The host, in words.
    host: String,
    /// The grounds, such as "by AMD's policy to keep the last 120 nightlies".
    grounds: String,
    /// The day on which the build leaves.
    pub until: Date,
    /// Number of days until then; 0 if it may leave any day.
    pub days: i64,
}

impl Retention {
    /// Returns true if the build leaves so soon that somebody should act.
    #[must_use]
    pub fn is_soon(&self) -> bool {
        self.days <= NOTICE
    }

    /// Returns the day with its grounds, as the end of a sentence about the build.
    #[must_use]
    pub fn because(&self) -> String {
        format!("leaves {} on {}, {}", self.host, self.until, self.grounds)
    }

    /// Returns the time that is left, for a table.
    #[must_use]
    pub fn short(&self) -> String {
        if self.days == 0 { "any day".to_owned() } else { text::counted(self.days.unsigned_abs() as usize, "day") }
    }

    /// Returns a sentence about the index as a whole, of which the oldest build is of this day.
    #[must_use]
    pub fn policy(&self, oldest: Date) -> String {
        format!("builds leave {} {}; the oldest listed now is of {oldest}", self.host, self.grounds)
    }

    /// Returns a sentence about `build`, with what the host lists now, if it was asked. Callers add how to keep it.
    #[must_use]
    pub fn text(&self, build: &str, listing: Option<&Listing>) -> String {
        let Self { host, grounds, .. } = self;
        let when = match self.days {
            0 => format!("may leave {host} any day"),
            _ => format!("leaves {host} in {}", self.short()),
        };
        let listed = listing.and_then(Listing::text).map(|text| format!("; {text}")).unwrap_or_default();
        format!("{build} {when} ({grounds}{listed})")
    }
}

/// Returns how long the host of `url` keeps a build that was made on this day: `kept_days` days if that is given,
/// else as AMD's policy says. That covers only AMD's own addresses, since a mirror has a policy of its own. Returns
/// `None` for what stays, and where no policy is known.
#[must_use]
pub fn retention(url: &Url, made: Date, kept_days: Option<u16>, now: i64) -> Option<Retention> {
    let shelf = shelf(url).map(|(about, _)| about);
    let (kept, grounds) = match (kept_days, shelf) {
        (Some(days), _) => (i64::from(days), "by `kept-days` of the manifest".to_owned()),
        (None, about) => {
            let (about, days) = (about?, about?.kept_days?);
            (days, format!("by AMD's policy to keep {}", about.kept.as_deref()?))
        }
    };
    let host = match shelf {
        Some(_) => "AMD's host".to_owned(),
        None => url.host_str().unwrap_or("its host").to_owned(),
    };
    let until = made.checked_add(jiff::Span::new().try_days(kept).ok()?).ok()?;
    let days = kept.saturating_sub(select::age(made, now)?).max(0);
    Some(Retention { host, grounds, until, days })
}

/// The builds of a target that the index of a pinned build lists now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The day of the oldest one.
    pub oldest: Option<Date>,
    /// True if the pinned one is among them.
    pub has_it: bool,
}

impl Listing {
    fn text(&self) -> Option<String> {
        let oldest = self.oldest.map(|day| format!("the oldest listed now is of {day}"));
        let missing = (!self.has_it).then(|| "this one is not listed any more".to_owned());
        let all: Vec<String> = oldest.into_iter().chain(missing).collect();
        (!all.is_empty()).then(|| all.join(", and "))
    }
}

/// Asks the index that the file at `url` is on which builds of the request's target it lists now. Returns `None` if
/// no index is known for it, or the index does not answer: the caller only tells more with it.
pub fn listing(url: &Url, request: &RocmRequest, documents: &dyn Documents) -> Result<Option<Listing>> {
    let own = request.sources.iter().cloned().map(Index::named);
    let all = own.chain(channels()?.values().flat_map(About::indexes).cloned());
    let beside = |index: &Index| {
        let directory = directory(index)?;
        let (of_file, _) = url.as_str().rsplit_once('/')?;
        (directory.as_str().trim_end_matches('/') == of_file).then_some(())
    };
    // The same directory may have a page and an S3 listing: the first is enough.
    let Some(index) = all.into_iter().find(|index| beside(index).is_some()) else { return Ok(None) };
    let Some((Index { url: source, .. }, Ok(page))) = read::all(vec![index], documents)?.pop() else { return Ok(None) };
    let mut sorted = Sorted::default();
    sorted.add(page, request, &source);
    Ok(Some(Listing {
        oldest: sorted.fitting.iter().filter_map(|one| one.date).min(),
        has_it: sorted.fitting.iter().any(|one| one.url == *url),
    }))
}

/// Returns the day that a build was made: from its version, else from its time in the index.
#[must_use]
pub fn made(version: &RocmVersion, mtime: Option<i64>) -> Option<Date> {
    version.date().or_else(|| select::day(mtime?))
}

/// Returns the other addresses at which the pinned file called `file` may be, in the order in which to ask: the other
/// generations of the channel that it was published in, and the indexes of its request. Only a digest can tell whether
/// it is the same file.
#[must_use]
pub fn homes(urls: &[Url], file: &str, request: &RocmRequest) -> Vec<Url> {
    let of_channel = |url: &Url| shelf(url).map(|(_, all)| all).unwrap_or_default();
    let mut directories: Vec<Url> = urls.iter().flat_map(of_channel).collect();
    if request.sources.is_empty() {
        // A file of another host may have come from a mirror that is gone. A directory of AMD's that is no index has
        // other builds under equal names.
        if urls.iter().all(|url| !is_amd(url)) {
            directories.extend(request.channel.about().map(self::directories).unwrap_or_default());
        }
    } else {
        directories.extend(request.sources.iter().cloned().map(Index::named).filter_map(|index| directory(&index)));
    }
    let mut all: Vec<Url> = Vec::new();
    for home in directories.iter().filter_map(|one| one.join(&escape_part(file)).ok()) {
        if !urls.contains(&home) && !all.contains(&home) {
            all.push(home);
        }
    }
    all
}

/// Returns whether the host of a URL has an index of AMD's.
fn is_amd(url: &Url) -> bool {
    let mut all = channels().into_iter().flat_map(|channels| channels.values()).flat_map(directories);
    all.any(|one| one.host_str() == url.host_str())
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

    /// Noon of the day that is so many days after 2026-09-10.
    fn after(days: i64) -> i64 {
        1_789_041_600 + days * 86_400
    }

    fn left(url: &str, kept_days: Option<u16>, days: i64) -> Option<String> {
        let made = jiff::civil::date(2026, 9, 10);
        retention(&url.parse().unwrap(), made, kept_days, after(days)).map(|one| one.text("it", None))
    }

    #[test]
    fn each_channel_has_its_days_and_nothing_is_ever_said_to_be_gone() {
        let nightly = "https://nightly.repo.amd.com/rocm/core/tarball/x.tar.gz";
        for (days, says) in [
            (27, "leaves AMD's host in 93 days"),
            (99, "leaves AMD's host in 21 days"),
            (119, "leaves AMD's host in 1 day"),
            (120, "may leave AMD's host any day"),
            (121, "may leave AMD's host any day"),
        ] {
            let expected = format!("it {says} (by AMD's policy to keep the last 120 nightlies)");
            assert_eq!(left(nightly, None, days), Some(expected), "{days}");
        }
        for (host, kept) in [("dev", 30), ("nightly", 120), ("rc", 730)] {
            let url = format!("https://{host}.repo.amd.com/rocm/core/tarball/x.tar.gz");
            let says = left(&url, None, kept - 1).unwrap();
            assert!(says.starts_with("it leaves AMD's host in 1 day (by AMD's policy to keep "), "{says}");
        }
        for stays in ["https://stable.repo.amd.com/rocm/core/tarball/x.tar.gz", "https://mirror.example/x.tar.gz"] {
            assert_eq!(left(stays, None, 119), None, "{stays}");
        }
    }

    #[test]
    fn the_days_of_the_manifest_come_before_the_policy_and_stand_for_any_host() {
        let nightly = "https://nightly.repo.amd.com/rocm/core/tarball/x.tar.gz";
        let says = |url, days| left(url, Some(40), days).unwrap();
        assert_eq!(says(nightly, 30), "it leaves AMD's host in 10 days (by `kept-days` of the manifest)");
        let own = "https://mirror.example/x.tar.gz";
        assert_eq!(says(own, 39), "it leaves mirror.example in 1 day (by `kept-days` of the manifest)");
    }

    #[test]
    fn what_the_index_lists_now_stands_beside_the_policy() {
        let nightly = "https://nightly.repo.amd.com/rocm/core/tarball/x.tar.gz".parse().unwrap();
        let one = retention(&nightly, jiff::civil::date(2026, 9, 10), None, after(99)).unwrap();
        assert_eq!((one.until.to_string().as_str(), one.is_soon()), ("2027-01-08", true));
        let because = "leaves AMD's host on 2027-01-08, by AMD's policy to keep the last 120 nightlies";
        assert_eq!(one.because(), because);
        let listing = |has_it| Listing { oldest: Some(jiff::civil::date(2026, 8, 23)), has_it };
        let grounds = "by AMD's policy to keep the last 120 nightlies; the oldest listed now is of 2026-08-23";
        assert_eq!(one.text("it", Some(&listing(true))), format!("it leaves AMD's host in 21 days ({grounds})"));
        let missing = one.text("it", Some(&listing(false)));
        assert!(missing.ends_with(&format!("({grounds}, and this one is not listed any more)")), "{missing}");
        assert!(!retention(&nightly, jiff::civil::date(2026, 9, 10), None, after(89)).unwrap().is_soon());
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
    fn other_homes_are_those_of_the_channel_and_of_the_request() {
        let mut request = RocmRequest::newest("gfx1151".parse().unwrap());
        let of = |url: &str, request: &RocmRequest| {
            let url: Url = url.parse().unwrap();
            let file = if url.path().contains("%2B") { "x+y.tar.gz" } else { "x.tar.gz" };
            homes(&[url], file, request).into_iter().map(String::from).collect::<Vec<_>>()
        };
        let current = "https://nightly.repo.amd.com/rocm/core/tarball/";
        let old = [
            "https://rocm.nightlies.amd.com/tarball-multi-arch/x%2By.tar.gz",
            "https://rocm.nightlies.amd.com/tarball/x%2By.tar.gz",
            "https://therock-nightly-tarball.s3.amazonaws.com/v4/tarball/x%2By.tar.gz",
            "https://therock-nightly-tarball.s3.amazonaws.com/x%2By.tar.gz",
        ];
        assert_eq!(of(&format!("{current}x%2By.tar.gz"), &request), old);
        assert_eq!(of("https://repo.amd.com/rocm/tarball/x.tar.gz", &request).len(), 2);
        // Equal names in a directory that is no index are other builds.
        assert!(of("https://nightly.repo.amd.com/rocm/core/tarball-asan/x.tar.gz", &request).is_empty());
        // A mirror that may be gone.
        let mirrored = of("https://mirror.example/amd/x.tar.gz", &request);
        assert_eq!((mirrored.len(), mirrored[0].as_str()), (5, format!("{current}x.tar.gz").as_str()));
        request.sources = vec!["https://box.example/index.html?prefix=a/b".parse().unwrap()];
        assert_eq!(of("https://mirror.example/amd/x.tar.gz", &request), ["https://box.example/a/x.tar.gz"]);
        assert!(of("https://box.example/a/x.tar.gz", &request).is_empty());
    }
}
