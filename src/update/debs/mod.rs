//! What a `debs` request means now.
//!
//! From the machine or the manifest come archives; from each archive its InRelease file, verified; from that the package
//! lists, by digest; from those the closure. Nothing of it is the packages themselves: their digests stand in the lists, so
//! that they are fetched when they are needed. Package lists are kept among the store's downloads until `gc`.
//!
//! While the packages stay what they are, so does the pin: an archive signs a new Release file every few hours, and that alone
//! is no news.

mod changes;
mod lists;
mod release;
mod trust;

use std::collections::BTreeMap;
use std::path::Path;

use url::Url;

use super::{Options, Resolution, Taken};
use crate::error::{About, Error, Kind, Result};
use crate::intake::Intake;
use crate::lock::{Block, DebsPin, LockedInput, ReleasePin};
use crate::upstream::debs::release::Leniency;
use crate::upstream::debs::sources::{self, SignedBy, Source};
use crate::upstream::debs::universe::Universe;
use crate::upstream::debs::{Archive, DebPackage, DebsRequest, solve};
use changes::{details, went_back};
use lists::{Lists, lists};
use release::{Found, Wanted};
use trust::keyring;

/// The apt configuration that `host` means.
const APT: &str = "/etc/apt";

pub(super) fn resolve(
    name: &str,
    request: &DebsRequest,
    locked: Option<&Block<DebsRequest, DebsPin>>,
    intake: Intake,
    options: &Options,
) -> Result<(Resolution, Vec<String>)> {
    let (sources, mut warnings) = sources(request)?;
    let mut universe = Universe::new(&request.architecture);
    let mut releases = Vec::new();
    let leniency = Leniency {
        expired: request.accept_expired || (request.archive == Archive::Host && !sources::apt_checks_validity()),
        future: false,
        names: request.accept_names.clone(),
    };
    for (number, source) in sources.iter().enumerate() {
        let keyring = keyring(request, source, options)?;
        let (unsigned, leniency) = (request.unsigned, leniency.clone());
        let wanted = Wanted { source, keyring: &keyring, intake, unsigned, leniency, now: options.now };
        let found = wanted.find(&mut warnings)?;
        let (lists, missing) = lists(&found.release, source, &request.architecture);
        if let Some(error) = missing.into_iter().next() {
            return Err(error);
        }
        for list in lists {
            let read = Lists { name, source, release: &found.release, intake };
            warnings.extend(read.add(&mut universe, number, &list).about(name)?);
        }
        releases.push(found);
    }
    universe.finish();
    let closure = solve(&universe, &request.packages)?;
    let new = pin(&universe, &closure.0, &sources, &releases);
    let old = locked.map(|block| &block.locked);
    warnings.extend(old.map(|old| went_back(old, &new)).into_iter().flatten());
    if let Some(old) = old.filter(|old| old.packages == new.packages) {
        let pin = if is_the_same_place(old, &new) { old.clone() } else { new };
        return Ok((Resolution::Same(Box::new(LockedInput::debs(request.clone(), pin)?)), warnings));
    }
    let details = details(old, &new);
    let (to, request) = (new.version(), request.clone());
    let take_in = move |_: Intake| {
        Ok(Taken { block: LockedInput::debs(request, new)?, details: Vec::new(), warnings: Vec::new() })
    };
    Ok((Resolution::New { to, details, take_in: Box::new(take_in) }, warnings))
}

/// The suites that the request means.
fn sources(request: &DebsRequest) -> Result<(Vec<Source>, Vec<String>)> {
    let archives = match &request.archive {
        Archive::Host => return host(request),
        Archive::Urls(urls) => urls,
    };
    let source = |suite: &String| Source {
        archives: archives.clone(),
        suite: suite.clone(),
        components: request.components.clone(),
        signed_by: SignedBy::default(),
    };
    Ok((request.suites.iter().map(source).collect(), Vec::new()))
}

fn host(request: &DebsRequest) -> Result<(Vec<Source>, Vec<String>)> {
    let (mut sources, left_out) = sources::read(Path::new(APT), &request.architecture)?;
    let names: Vec<String> = sources.iter().map(|source| source.suite.clone()).collect();
    if !request.suites.is_empty() {
        sources.retain(|source| request.suites.contains(&source.suite));
    }
    if !request.components.is_empty() {
        for source in &mut sources {
            source.components.retain(|component| request.components.contains(component));
        }
        sources.retain(|source| !source.components.is_empty());
    }
    if sources.is_empty() {
        return Err(Error::new(Kind::NotFound, "this machine's apt configuration names no archive that fits")
            .fact("asked", [request.suites.join(", "), request.components.join(", ")].join(" "))
            .fact("it has", names.join(", "))
            .hint("name an archive by its URL, and its suites, in the manifest"));
    }
    Ok((sources, left_out))
}

fn pin(universe: &Universe, chosen: &[usize], sources: &[Source], found: &[Found]) -> DebsPin {
    // Two archives may call a suite the same.
    let name = |number: usize| {
        let suite = &sources[number].suite;
        let before = sources[..number].iter().filter(|source| source.suite == *suite).count();
        if before == 0 { suite.clone() } else { format!("{suite} {}", before + 1) }
    };
    let mut pin = DebsPin { releases: BTreeMap::new(), packages: Vec::new() };
    for index in chosen {
        let candidate = universe.get(*index);
        let (source, found) = (&sources[candidate.source], &found[candidate.source]);
        let release = name(candidate.source);
        pin.releases.entry(release.clone()).or_insert_with(|| ReleasePin {
            archives: source.archives.clone(),
            suite: source.suite.clone(),
            date: found.release.date,
            inrelease: found.proof.inrelease,
            release: found.proof.release,
            signature: found.proof.signature,
            signed_by: found.proof.by.clone(),
        });
        pin.packages.push(DebPackage {
            name: candidate.name.clone(),
            version: candidate.version.clone(),
            architecture: candidate.architecture.clone(),
            release,
            path: candidate.path.clone(),
            size: candidate.size,
            sha256: candidate.sha256,
        });
    }
    pin
}

/// Whether two pins of the same packages have them from the same places.
fn is_the_same_place(old: &DebsPin, new: &DebsPin) -> bool {
    let place = |pin: &DebsPin| -> Vec<(String, Vec<Url>, String)> {
        let releases = pin.releases.iter();
        releases.map(|(name, one)| (name.clone(), one.archives.clone(), one.suite.clone())).collect()
    };
    place(old) == place(new)
}
