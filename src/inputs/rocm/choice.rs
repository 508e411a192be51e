//! Chooses one of the builds that an index lists: passes over those that the manifest or an advisory excludes, and
//! goes back only if somebody asked for it.
//!
//! The newest version that was ever locked is remembered in the pin, wherever it is not the locked one itself: a
//! clone has it and a store is no part of a project. So an index that goes back (an old copy, a withdrawn build,
//! somebody in between) is noticed also by those who went back to an older build on purpose.

use super::RocmPin;
use super::pin::is_newer;
use crate::advisories::{Advisory, Pinned, Use};
use crate::error::{Error, Kind, Result};
use crate::inputs::{Block, Question};
use crate::upstream::rocm::{Candidate, Denied, LookUp, MinAge, RocmRequest, RocmVersion, VersionRequest, made};
use crate::urls::show_url;

/// The rules by which a request excludes builds.
pub(super) struct Rules<'a> {
    request: &'a RocmRequest,
    skipped: &'a [Advisory],
    used: Use<'a>,
    now: i64,
}

/// The reason to pass over a build.
#[derive(Clone, Copy)]
enum Reason<'a> {
    Denied(&'a Denied),
    Young(&'a MinAge),
    Bad(&'a Advisory),
}

impl Reason<'_> {
    fn text(self) -> String {
        match self {
            Self::Denied(denied) => denied.text(),
            Self::Young(age) => format!("younger than {age} (`min-age`)"),
            Self::Bad(advisory) => advisory.text(),
        }
    }
}

impl<'a> Rules<'a> {
    pub fn new(request: &'a RocmRequest, question: &Question<'a>) -> Self {
        let used = Use { backends: Vec::new(), targets: vec![request.target.clone()] };
        Self { request, skipped: question.skipped, used, now: question.now }
    }

    fn against(&self, version: &RocmVersion, mtime: Option<i64>) -> Option<Reason<'a>> {
        if let Some(denied) = self.request.deny.iter().find(|denied| denied.version.accepts(version)) {
            return Some(Reason::Denied(denied));
        }
        let midnight = || {
            let day = made(version, None)?.at(0, 0, 0, 0);
            Some(jiff::tz::TimeZone::UTC.to_timestamp(day).ok()?.as_second())
        };
        // Whoever names one version has chosen it.
        if !matches!(self.request.version, VersionRequest::Exact(_))
            && let Some(age) = &self.request.min_age
            && let Some(time) = mtime.or_else(midnight)
            && age.excludes(time, self.now)
        {
            return Some(Reason::Young(age));
        }
        let pinned = Pinned::Rocm(version, made(version, mtime));
        self.skipped.iter().find(|advisory| advisory.applies(pinned, &self.used)).map(Reason::Bad)
    }

    /// Fails if a version that a person named is denied. Its age and advisories do not count: it was chosen knowingly.
    pub fn demand_allowed(&self, version: &RocmVersion) -> Result<()> {
        match self.against(version, None) {
            Some(reason @ Reason::Denied(_)) => Err(Error::new(Kind::Usage, format!("{version} is {}", reason.text()))
                .hint("remove it from `deny` of the input in the manifest, or take another version")),
            _ => Ok(()),
        }
    }

    /// Takes the newest build that nothing excludes, and says what was passed over. Fails if all are excluded.
    pub fn pass_over(&self, found: &mut LookUp) -> Result<()> {
        let mut passed: Vec<(RocmVersion, String)> = Vec::new();
        let mut is_bad = true;
        let mut good = 0;
        for one in &found.candidates {
            let Some(reason) = self.against(&one.version, one.mtime) else { break };
            is_bad &= matches!(reason, Reason::Bad(_));
            passed.push((one.version.clone(), reason.text()));
            good += 1;
        }
        let Some((newest, reason)) = passed.first() else { return Ok(()) };
        if good == found.candidates.len() {
            let what = if is_bad { "is known to be bad" } else { "is passed over" };
            return Err(Error::new(Kind::NotFound, format!("every build that the manifest allows {what}"))
                .fact("newest", newest)
                .fact(if is_bad { "advisory" } else { "because" }, reason)
                .hint(if is_bad {
                    "allow more versions in the manifest, or leave out --skip-bad"
                } else {
                    "allow more versions in the manifest: `version`, `min-age` and `deny` of the input"
                }));
        }
        found.warnings.extend(told(&passed));
        found.candidates.drain(..good);
        found.newest = found.candidates[0].clone();
        Ok(())
    }

    /// Returns true if the locked pin is one that the request could have led to, so that going back from it is no wish.
    fn could_be(&self, locked: &Block<RocmRequest>) -> bool {
        let (old, new, pin) = (&locked.requested, self.request, &locked.locked);
        let stream = |one: &RocmRequest| (one.channel.clone(), one.platform, one.wanted().to_owned());
        !matches!(new.version, VersionRequest::Exact(_))
            && stream(old) == stream(new)
            && old.target == new.target
            && new.accepts(&pin.version)
            && matches!(self.against(&pin.version, pin.mtime), None | Some(Reason::Young(_)))
    }

    /// Returns the newest version that was ever locked, if it is newer than `version` and the request still allows it.
    pub fn seen(&self, locked: &Block<RocmRequest>, version: &RocmVersion) -> Option<RocmVersion> {
        let seen = locked.locked.newest_seen();
        (self.could_be(locked) && is_newer(seen, version, self.request)).then(|| seen.clone())
    }
}

/// Returns a line for each reason to pass over builds.
fn told(passed: &[(RocmVersion, String)]) -> Vec<String> {
    let mut lines: Vec<(&str, &RocmVersion, usize)> = Vec::new();
    for (version, reason) in passed {
        match lines.iter_mut().find(|(known, ..)| known == reason) {
            Some((.., count)) => *count += 1,
            None => lines.push((reason, version, 1)),
        }
    }
    let line = |(reason, version, count)| match count {
        1 => format!("passed over {version}: {reason}"),
        _ => format!("passed over {count} builds, such as {version}: {reason}"),
    };
    lines.into_iter().map(line).collect()
}

/// The way from the locked build to the chosen one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the chosen build.
    On,
    /// None: newer builds are only passed over, so the locked one stays.
    Stay,
}

/// Fails if the index lists nothing as new as what was locked before, unless that is allowed. `listed` are the builds
/// before any was passed over.
pub(super) fn way(
    rules: &Rules,
    locked: &Block<RocmRequest>,
    listed: &[Candidate],
    chosen: &Candidate,
    question: &Question,
) -> Result<Way> {
    let pin = &locked.locked;
    let Some(seen) = rules.seen(locked, &chosen.version).filter(|_| chosen.version != pin.version) else {
        return Ok(Way::On);
    };
    if listed.iter().any(|one| !is_newer(&seen, &one.version, rules.request)) {
        let back = is_newer(&pin.version, &chosen.version, rules.request);
        return Ok(if back { Way::Stay } else { Way::On });
    }
    if question.allow_downgrade {
        return Ok(Way::On);
    }
    let mut error =
        Error::new(Kind::Mismatch, "the index has gone back: it lists no build as new as one that was locked")
            .fact("locked", &pin.version);
    if seen != pin.version {
        error = error.fact("before", &seen);
    }
    let name = question.name;
    Err(error.fact("newest listed", &chosen.version).fact("index", show_url(&chosen.source)).hint(format!(
        "upstream withdrew a build, or an old copy of the index answered: `strixlock update {name} --allow-downgrade` goes back, \
         `strixlock freeze {name}` stays"
    )))
}

/// Returns a warning if the index has builds older than the locked one, and not that one any more.
pub(super) fn withdrawn(pin: &RocmPin, listed: &[Candidate], request: &RocmRequest) -> Option<String> {
    let directory = |url: &url::Url| url.as_str().rsplit_once('/').map(|(directory, _)| directory.to_owned());
    let of_pin: Vec<_> = pin.urls.iter().map(directory).collect();
    let mut beside = listed.iter().filter(|one| of_pin.contains(&directory(&one.url))).peekable();
    beside.peek()?;
    let (mut is_older, mut is_listed) = (false, false);
    for one in beside {
        is_listed |= one.version == pin.version;
        is_older |= is_newer(&pin.version, &one.version, request);
    }
    (is_older && !is_listed).then(|| {
        format!(
            "{} is locked and not listed any more, though older builds are: upstream may have withdrawn it",
            pin.version
        )
    })
}
