//! Builds of ROCm between two ends.

use jiff::civil::Date;
use url::Url;

use super::{End, Looked, Search, demand_order};
use crate::advisories::Pinned;
use crate::bisect::journal::{Line, Version};
use crate::error::{Error, Kind, Result};
use crate::inputs::rocm::RocmPin;
use crate::inputs::{Block, LockedInput};
use crate::upstream::rocm::{Candidate, RocmRequest, RocmVersion, everything, made, sort_by_age};

/// Number of versions that an error lists.
const LISTED: usize = 3;

/// Returns the builds between two ends: those of every index and of the pins. Offline, those of the pins alone.
pub(super) fn line(search: &Search, like: &Block<RocmRequest>) -> Result<Looked> {
    let Search { intake, name, good, bad, known, judge } = *search;
    let request = &like.requested;
    let settings = intake.fetcher.settings();
    let (mut all, mut said) = if settings.offline {
        (Vec::new(), vec![format!("{name}: offline: only versions that a lock of this store pins are candidates")])
    } else {
        let mirrors = |url: &Url| settings.with_mirrors(std::slice::from_ref(url)).split_off(1);
        let (all, warnings) = everything(request, &mirrors, intake.fetcher)?;
        (all, warnings.into_iter().map(|text| format!("warning: {name}: {text}")).collect())
    };
    let ends = [good, bad].into_iter().filter_map(|end| if let End::Pin(pin) = end { Some(&**pin) } else { None });
    let pins: Vec<&RocmPin> = known.pins.iter().chain(ends).filter_map(|pin| fitting(pin, request)).collect();
    let mut only_pinned = 0;
    for pin in std::iter::once(&like.locked).chain(pins) {
        if !all.iter().any(|one: &Candidate| one.version == pin.version)
            && let Some(candidate) = candidate(pin, request)
        {
            only_pinned += 1;
            all.push(candidate);
        }
    }
    sort_by_age(&mut all, &request.channel);
    all.dedup_by(|later, first| later.version == first.version);
    let (from, until) = (place(&all, good, true)?, place(&all, bad, false)?);
    let label = |at: usize| all[at].version.to_string();
    for (end, at) in [(good, from), (bad, until)] {
        if let End::Named(text) = end
            && *text != label(at)
        {
            said.push(format!("{name}: {text} is {}", label(at)));
        }
    }
    demand_order(name, (from, &label(from)), (until, &label(until)))?;
    if only_pinned > 0 && !settings.offline {
        said.push(format!("{name}: no index lists {only_pinned} of the versions that locks of this store pin"));
    }
    let version = |one: &Candidate| Version {
        id: one.version.to_string(),
        url: Some(one.url.to_string()),
        about: String::new(),
        known_bad: judge(Pinned::Rocm(&one.version, made(&one.version, one.mtime))).unwrap_or_default(),
    };
    let by_day = request.channel.about().is_ok_and(|about| about.by_day);
    let word = if by_day { "nightlies" } else { "builds" }.to_owned();
    let versions = all[from..=until].iter().map(version).collect();
    Ok(Looked { line: Line { input: name.to_owned(), word, versions }, said })
}

/// Returns the pin of a build that the request could have led to.
fn fitting<'p>(pin: &'p LockedInput, request: &RocmRequest) -> Option<&'p RocmPin> {
    let LockedInput::Rocm(block) = pin else { return None };
    let RocmRequest { channel, platform, target, .. } = &block.requested;
    let fits = *channel == request.channel && *platform == request.platform && *target == request.target;
    fits.then_some(&block.locked)
}

fn candidate(pin: &RocmPin, request: &RocmRequest) -> Option<Candidate> {
    let url = pin.urls.first()?.clone();
    Some(Candidate {
        name: pin.file.clone(),
        version: pin.version.clone(),
        date: made(&pin.version, pin.mtime),
        target: request.target.clone(),
        mtime: pin.mtime,
        size: Some(pin.size),
        source: url.clone(),
        url,
        elsewhere: Vec::new(),
        sidecar: None,
    })
}

/// Returns the place of an end. A day without a build means the last one before for the good end, and the first one
/// after for the bad end.
fn place(all: &[Candidate], end: &End, is_good: bool) -> Result<usize> {
    let text = match end {
        End::Pin(pin) => pin.version(),
        End::Named(text) => text.clone(),
    };
    let version = text.parse::<RocmVersion>().ok();
    if let Some(at) = all.iter().position(|one| Some(&one.version) == version.as_ref()) {
        return Ok(at);
    }
    let day: Option<Date> = text.parse().ok().or(version.and_then(|version| version.date()));
    let Some(day) = day else {
        return Err(Error::new(Kind::Usage, format!("unknown version `{}`", crate::text::visible(&text)))
            .hint("a version such as 10.1.0a20260901, a day such as 2026-09-01, or the number of a generation"));
    };
    let found = if is_good {
        all.iter().rposition(|one| one.date.is_some_and(|made| made <= day))
    } else {
        all.iter().position(|one| one.date.is_some_and(|made| made >= day))
    };
    found.ok_or_else(|| {
        let near =
            if is_good { all.iter().take(LISTED).collect::<Vec<_>>() } else { all.iter().rev().take(LISTED).collect() };
        let near: Vec<String> = near.into_iter().map(|one| one.version.to_string()).collect();
        Error::new(
            Kind::NotFound,
            format!("there is no build of {day} or {}", if is_good { "before" } else { "after" }),
        )
        .fact("nearest", near.join(", "))
        .hint("no index lists it, and no lock of this store pins it: name another version")
    })
}
