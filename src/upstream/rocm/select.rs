//! Selects the wanted files of an index, and orders them.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use tracing::debug;
use url::Url;

use super::unread::Unread;
use super::{Candidate, Channel, Listed, Page, RocmRequest, TarballName, family};
use crate::log::LISTS;

/// Suffix of a file that has another file's digest.
const SIDECAR: &str = ".sha256sum";

/// All listed files, sorted for one request.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// Builds for the platform and target, of any version.
    pub fitting: Vec<Candidate>,
    /// Other families of the platform.
    pub families: BTreeSet<String>,
    /// Builds of the target for another platform.
    pub other_platform: usize,
    /// Number of names that are not those of ROCm tarballs.
    pub unknown: usize,
    /// Addresses of digest files, by the name of the file that they belong to.
    sidecars: HashMap<String, Url>,
    /// The indexes that answered.
    pub asked: Vec<Url>,
    /// Files that one page lists more than once, with the times of the first and of a later entry.
    pub repeated: Vec<(String, i64, i64)>,
    /// Number of entries without a usable name.
    pub odd: usize,
    /// Skipped files that may be what is wanted.
    pub unread: Vec<Unread>,
    /// The newest day of any file.
    pub newest_file: Option<Date>,
    /// The newest day of any build for the platform.
    newest_day: Option<Date>,
    /// Names in `unread`.
    named: HashSet<String>,
    /// The position of each name in `fitting`.
    places: HashMap<String, usize>,
}

impl Sorted {
    /// Adds the files of one index. A name that an earlier index already had adds a URL to the known candidate: the
    /// newest generation wins. The same name in another directory may be another build, such as one with
    /// AddressSanitizer.
    pub fn add(&mut self, page: Page, request: &RocmRequest, source: &Url) {
        self.odd += page.odd;
        self.asked.push(source.clone());
        let wanted = request.wanted();
        for Listed { name, url, mtime, size, .. } in page.files {
            if let Some(of) = name.strip_suffix(SIDECAR) {
                self.sidecars.entry(of.to_owned()).or_insert(url);
                self.unknown += 1;
                continue;
            }
            let day = mtime.and_then(day);
            if let Some(unread) = Unread::of(&name, day, request).filter(|_| self.named.insert(name.clone())) {
                self.newest_file = self.newest_file.max(unread.day);
                debug!(target: LISTS, "{name} is skipped: {}", unread.why.text());
                self.unread.push(unread);
            }
            let Some(parsed) = TarballName::parse(&name) else {
                debug!(target: LISTS, "{name} is skipped: not the name of a ROCm tarball");
                self.unknown += 1;
                continue;
            };
            let date = parsed.version.date().or(day);
            self.newest_file = self.newest_file.max(date);
            if parsed.platform != request.platform {
                self.other_platform += usize::from(parsed.is_of(wanted));
                continue;
            }
            if !parsed.family.as_deref().is_some_and(family::is_tests) {
                self.newest_day = self.newest_day.max(date);
            }
            if !parsed.is_of(wanted) {
                self.families.extend(parsed.family);
            } else if let Some(known) = self.places.get(&name).and_then(|place| self.fitting.get_mut(*place)) {
                if known.url == url {
                    let times = known.mtime.zip(mtime).filter(|(first, later)| first != later);
                    self.repeated.extend(times.map(|(first, later)| (name, first, later)));
                } else if !known.elsewhere.contains(&url) {
                    known.elsewhere.push(url);
                }
            } else {
                self.places.insert(name.clone(), self.fitting.len());
                self.fitting.push(Candidate {
                    name,
                    version: parsed.version,
                    date,
                    target: request.target.clone(),
                    mtime,
                    size,
                    url,
                    source: source.clone(),
                    elsewhere: Vec::new(),
                    sidecar: None,
                });
            }
        }
    }

    /// Returns the builds of the wanted version, newest first.
    pub fn wanted(&self, request: &RocmRequest) -> Vec<Candidate> {
        let mut wanted: Vec<Candidate> =
            self.fitting.iter().filter(|candidate| request.accepts(&candidate.version)).cloned().collect();
        sort(&mut wanted, &request.channel);
        for candidate in &mut wanted {
            candidate.sidecar = self.sidecars.get(&candidate.name).cloned();
        }
        wanted
    }

    /// Returns the families that may be the target under another name.
    pub fn near(&self, target: &str) -> Vec<&str> {
        self.families.iter().map(String::as_str).filter(|name| family::may_be(name, target)).collect()
    }

    /// Returns the age in days of the newest build for any GPU.
    pub fn age(&self, now: i64) -> Option<i64> {
        age(self.newest_day?, now)
    }
}

/// Sorts newest first: nightlies by their day, then by PEP 440; releases by PEP 440 alone. A developers' build has no
/// day in its version and is sorted by its time in the index. If a version has two compressions, `.tar.gz` comes first:
/// upstream published it first, and the second one must not make a lock change.
pub(super) fn sort(candidates: &mut [Candidate], channel: &Channel) {
    if channel.about().is_ok_and(|about| about.by_day) {
        candidates.sort_by(|a, b| (b.date, &b.version, &a.name).cmp(&(a.date, &a.version, &b.name)));
    } else {
        candidates.sort_by(|a, b| (&b.version, &a.name).cmp(&(&a.version, &b.name)));
    }
}

/// Removes builds of days to come, as long as others are left: a wrong day in a name would be the newest for ever.
/// Returns a warning if there are any.
pub(super) fn pass_over_future(candidates: &mut Vec<Candidate>, now: i64) -> Option<String> {
    // A build may begin today where the day ends later.
    let (today, last) = (day(now)?, day(now.checked_add(86_400)?)?);
    let is_future = |one: &Candidate| one.date.is_some_and(|date| date > last);
    let first = candidates.iter().find(|one| is_future(one))?.version.clone();
    let count = candidates.iter().filter(|one| is_future(one)).count();
    if count == candidates.len() {
        return Some(format!(
            "every build is of a day after {today}, which is today by this machine's clock: ages cannot be told"
        ));
    }
    candidates.retain(|one| !is_future(one));
    let what = if count == 1 { first.to_string() } else { format!("{count} builds, such as {first}") };
    Some(format!("passed over {what}: of a day to come, since today is {today}"))
}

/// Returns the day of a time, in UTC.
pub(super) fn day(seconds: i64) -> Option<Date> {
    Some(TimeZone::UTC.to_datetime(jiff::Timestamp::from_second(seconds).ok()?).date())
}

/// Returns the number of days from the beginning of `date` to `now`.
pub(super) fn age(date: Date, now: i64) -> Option<i64> {
    let made = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?.as_second();
    Some(now.saturating_sub(made) / 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "https://index.example/t/";

    fn request(channel: &str, version: &str) -> RocmRequest {
        RocmRequest {
            channel: channel.parse().unwrap(),
            platform: "linux".parse().unwrap(),
            target: "gfx1151".parse().unwrap(),
            version: version.parse().unwrap(),
            family: None,
            colliding_names: false,
            kept_days: None,
            min_age: None,
            deny: Vec::new(),
            sources: Vec::new(),
        }
    }

    fn wanted(channel: &str, wish: &str, listed: &[(&str, Option<i64>)]) -> Vec<String> {
        let request = request(channel, wish);
        let mut sorted = Sorted::default();
        sorted.add(
            page(listed.iter().map(|(version, mtime)| file(SOURCE, version, *mtime)).collect()),
            &request,
            &url(SOURCE),
        );
        sorted.wanted(&request).into_iter().map(|candidate| candidate.version.to_string()).collect()
    }

    fn file(base: &str, version: &str, mtime: Option<i64>) -> Listed {
        let name = format!("therock-dist-linux-gfx1151-{version}.tar.gz");
        Listed { url: url(base).join(&name).unwrap(), name, mtime, size: None }
    }

    fn page(files: Vec<Listed>) -> Page {
        Page { files, ..Page::default() }
    }

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn nightlies_go_by_their_day_and_releases_by_their_version() {
        let all = [("10.1.0a20260901", None), ("10.0.0a20260902", None), ("7.15.0a20260719", None), ("10.0.0", None)];
        let nightly = ["10.0.0a20260902", "10.1.0a20260901", "7.15.0a20260719", "10.0.0"];
        assert_eq!(wanted("nightly", "latest", &all), nightly);
        let by_version = ["10.1.0a20260901", "10.0.0", "10.0.0a20260902", "7.15.0a20260719"];
        assert_eq!(wanted("rc", "latest", &all), by_version);
        // Nightlies that an index of one's own mixes in are no releases.
        assert_eq!(wanted("stable", "latest", &all), ["10.0.0"]);
        assert_eq!(wanted("stable", "10.1.0a20260901", &all), ["10.1.0a20260901"]);
        assert_eq!(wanted("rc", "<8", &all), ["7.15.0a20260719"]);
    }

    #[test]
    fn of_a_day_the_later_one_is_first() {
        let all = [("10.1.0a20260811+bkc.20260814", None), ("10.1.0a20260811", None), ("10.1.0a20260812", None)];
        let order = ["10.1.0a20260812", "10.1.0a20260811+bkc.20260814", "10.1.0a20260811"];
        assert_eq!(wanted("nightly", "latest", &all), order);
    }

    #[test]
    fn developers_builds_go_by_the_time_of_the_index() {
        let dev = |digit: &str| format!("7.12.0.dev0+{}", digit.repeat(40));
        let (a, b, c) = (dev("a"), dev("b"), dev("c"));
        // Times that no calendar has must not stop the others.
        let all = [(a.as_str(), Some(1_789_528_424)), (b.as_str(), Some(i64::MAX)), (c.as_str(), Some(1_700_000_000))];
        assert_eq!(wanted("dev", "latest", &all), [a.clone(), c.clone(), b.clone()]);
    }

    #[test]
    fn a_name_is_one_candidate_and_the_first_source_wins() {
        let request = request("nightly", "latest");
        let mut sorted = Sorted::default();
        for source in [SOURCE, "https://index.example/asan/", "https://index.example/asan/", SOURCE] {
            sorted.add(page(vec![file(source, "10.1.0a20260901", None)]), &request, &url(source));
        }
        let [candidate] = &sorted.wanted(&request)[..] else { panic!("one candidate") };
        let name = "therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz";
        assert_eq!(candidate.url.as_str(), format!("{SOURCE}{name}"));
        assert_eq!(candidate.source, url(SOURCE));
        assert_eq!(candidate.elsewhere, [url(&format!("https://index.example/asan/{name}"))]);
    }

    #[test]
    fn a_name_of_the_target_that_cannot_be_read_is_kept_in_mind() {
        let request = request("nightly", "latest");
        let mut sorted = Sorted::default();
        let names = ["10.2.0b20261121", "tests-10.2.0a20261121", "10.2.0a20261121"];
        sorted.add(page(names.iter().map(|version| file(SOURCE, version, None)).collect()), &request, &url(SOURCE));
        let unread: Vec<&str> = sorted.unread.iter().map(|unread| unread.name.as_str()).collect();
        assert_eq!(unread, ["therock-dist-linux-gfx1151-10.2.0b20261121.tar.gz"]);
        assert_eq!(sorted.fitting.len(), 1);
    }

    #[test]
    fn a_second_compression_of_one_version_moves_nothing() {
        let request = request("nightly", "latest");
        let mut sorted = Sorted::default();
        let zstd = |version: &str| {
            let name = format!("therock-dist-linux-gfx1151-{version}.tar.zst");
            Listed { url: url(SOURCE).join(&name).unwrap(), name, mtime: None, size: None }
        };
        let gzip = file(SOURCE, "10.2.0a20261120", None);
        sorted.add(page(vec![zstd("10.2.0a20261120"), gzip.clone(), zstd("10.2.0a20261121")]), &request, &url(SOURCE));
        let names: Vec<String> = sorted.wanted(&request).into_iter().map(|one| one.name).collect();
        assert_eq!(names, [zstd("10.2.0a20261121").name, gzip.name, zstd("10.2.0a20261120").name]);
    }
}
