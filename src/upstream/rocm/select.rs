//! Which of the listed files are wanted, and what to say when none is.

use std::collections::BTreeSet;

use super::{Candidate, Channel, Listed, RocmRequest, TarballName, VersionRequest};
use crate::error::{Error, Kind};

/// Everything that indexes listed, sorted out for one request.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// Builds for the platform and target, whatever their version.
    pub fitting: Vec<Candidate>,
    /// Families of the platform that are not the target.
    pub families: BTreeSet<String>,
    /// Builds of the target for another platform.
    pub other_platform: usize,
    /// Names that are no tarballs of ours.
    pub unknown: usize,
}

impl Sorted {
    /// Adds what one index listed. A name that an earlier index had already is left out: the newest generation wins, and
    /// the same name in another directory can be another build.
    pub fn add(&mut self, listed: Vec<Listed>, request: &RocmRequest) {
        for Listed { name, url, mtime } in listed {
            let Some(parsed) = TarballName::parse(&name) else {
                self.unknown += 1;
                continue;
            };
            if parsed.family != request.target.as_str() {
                if parsed.platform == request.platform {
                    self.families.insert(parsed.family);
                }
            } else if parsed.platform != request.platform {
                self.other_platform += 1;
            } else if self.fitting.iter().all(|candidate| candidate.name != name) {
                self.fitting.push(Candidate { name, version: parsed.version, mtime, url });
            }
        }
    }

    /// The builds of the wanted version, newest first.
    pub fn wanted(&self, request: &RocmRequest) -> Vec<Candidate> {
        let mut wanted: Vec<Candidate> =
            self.fitting.iter().filter(|candidate| request.version.accepts(&candidate.version)).cloned().collect();
        sort(&mut wanted, request.channel);
        wanted
    }

    /// Families that may be the target under another name: `gfx1151-all`, `gfx115X`.
    fn near(&self, target: &str) -> Vec<&str> {
        let stem = &target[..target.len() - 1];
        self.families
            .iter()
            .map(String::as_str)
            .filter(|family| family.starts_with(stem) && !family.ends_with("-tests"))
            .collect()
    }

    /// A warning, where the target is there but so is a near name that may be about to replace it.
    pub fn renamed(&self, target: &str) -> Option<String> {
        let near: Vec<&str> = self.near(target).into_iter().filter(|family| family.starts_with(target)).collect();
        (!near.is_empty()).then(|| format!("the index also has {}: families have been renamed before", near.join(", ")))
    }

    /// Why nothing fits, and what is there instead.
    pub fn nothing(&self, request: &RocmRequest) -> Error {
        let RocmRequest { target, platform, version, channel, .. } = request;
        let not_found = |message: String| Error::new(Kind::NotFound, message);
        if !self.fitting.is_empty() {
            let mut all = self.fitting.clone();
            sort(&mut all, *channel);
            let names =
                |some: &[Candidate]| some.iter().map(|one| one.version.to_string()).collect::<Vec<_>>().join(", ");
            let error = not_found(format!("no {target} build has version {version}"));
            return match all.len() {
                0..=8 => error.fact("there are", names(&all)),
                count => error.fact("newest", names(&all[..4])).fact("oldest", names(&all[count - 3..])),
            }
            .hint("nightlies are removed after 120 days: a locked one may still be had from a mirror");
        }
        if self.families.contains(&format!("{target}-tests")) {
            return not_found(format!("the index has only test tarballs for {target}, and no build"))
                .fact("there is", format!("{target}-tests"))
                .hint("upstream has not published a build there; try another version or channel");
        }
        let near = self.near(target.as_str());
        if !near.is_empty() {
            return not_found(format!("the index has no family {target}; it may have been renamed"))
                .fact("near it", near.join(", "))
                .hint("families have been renamed before; look which one covers this GPU");
        }
        if self.other_platform > 0 {
            return not_found(format!("the index has {target} builds, but none for {platform}"));
        }
        if !self.families.is_empty() {
            let families: Vec<&str> = self.families.iter().map(String::as_str).take(12).collect();
            return not_found(format!("the index has no {target} build")).fact("there are", families.join(", "));
        }
        if self.unknown > 0 {
            return not_found("the index lists files, but no ROCm tarballs".to_owned())
                .fact("files", self.unknown)
                .hint("names are expected to be therock-dist-<platform>-<family>-<version>.tar.gz");
        }
        not_found("the index is empty".to_owned()).hint(
            "the index may have moved again: look for its new address and name it under `sources` in the manifest",
        )
    }
}

/// Newest first: nightlies by their day, then by PEP 440; releases by PEP 440 alone.
fn sort(candidates: &mut [Candidate], channel: Channel) {
    match channel {
        Channel::Nightly | Channel::Dev => candidates.sort_by(|a, b| {
            // A developers' build has no day in its version; the index's time then stands for it.
            let key = |one: &Candidate| one.version.date().or_else(|| one.mtime.and_then(day));
            (key(b), &b.version).cmp(&(key(a), &a.version))
        }),
        Channel::Stable | Channel::Rc => candidates.sort_by(|a, b| b.version.cmp(&a.version)),
    }
}

/// A time as `YYYYMMDD`.
fn day(seconds: i64) -> Option<u64> {
    jiff::Timestamp::from_second(seconds).ok()?.strftime("%Y%m%d").to_string().parse().ok()
}

/// The newest day among candidates, in days before `now`.
pub(super) fn age_in_days(newest: &Candidate, now: i64) -> Option<i64> {
    let dated = newest.version.date().and_then(|date| {
        let text = date.to_string();
        let midnight = format!("{}-{}-{}T00:00:00Z", &text[..4], &text[4..6], &text[6..]);
        Some(midnight.parse::<jiff::Timestamp>().ok()?.as_second())
    });
    dated.or(newest.mtime).map(|made| (now - made) / 86_400)
}

/// Whether only the newest will do, so that an index that did not answer matters.
pub(super) fn wants_newest(version: &VersionRequest) -> bool {
    !matches!(version, VersionRequest::Exact(_))
}
