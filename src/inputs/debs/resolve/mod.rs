//! Resolves a `debs` request to its pin.
//!
//! From the machine or the manifest come archives; from each archive its InRelease file, verified by a key that this
//! machine has (`trust`) or that the archive brings (`own_keys`); from that the package lists, by digest; from those
//! the closure. Nothing of it is the packages themselves: their digests stand in
//! the lists, so that they are fetched when they are needed. Package lists are kept among the store's downloads until
//! `gc`.
//!
//! While the packages stay what they are, so does the pin: an archive signs a new Release file every few hours, and
//! that alone is no news.

mod changes;
mod lists;
mod own_keys;
mod release;
mod trust;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use url::Url;

use super::{DebsPin, ReleasePin};
use crate::error::{About, Error, Kind, Result};
use crate::inputs::{Answer, Block, Preview, Question, Resolution, Resolve, Taken};
use crate::intake::Intake;
use crate::progress::{Doing, Unit};
use crate::threads::on_threads;
use crate::upstream::debs::apt::{self, Configuration};
use crate::upstream::debs::keyring::Keyring;
use crate::upstream::debs::release::Leniency;
use crate::upstream::debs::signature::NOBODY;
use crate::upstream::debs::sources::{AptSource, SignedBy, SourceOptions};
use crate::upstream::debs::universe::Universe;
use crate::upstream::debs::{Archive, DebPackage, DebsRequest, solve};
pub(super) use changes::changed_packages;
use changes::{details, went_back};
use lists::{Lists, lists};
use own_keys::own_keys;
use release::{Found, Wanted};
use trust::{keyring, may_bring_keys};

impl Resolve for DebsRequest {
    fn resolve(&self, locked: Option<&Block<Self>>, question: Question) -> Result<Answer> {
        let configuration = configuration(self)?;
        let mut left_out = configuration.left_out.clone();
        let chosen = choose(self, &configuration, question, &mut left_out);
        // A missing package may be in a source that was left out.
        let told = |error: Error| match error.kind() {
            Kind::NotFound => left_out.iter().fold(error, |error, why| error.fact("left out", why)),
            _ => error,
        };
        let Chosen { pin: new, mut warnings, keys } = chosen.map_err(told)?;
        warnings.splice(0..0, left_out);
        let old = locked.map(|block| &block.locked);
        warnings.extend(old.map(|old| went_back(old, &new)).into_iter().flatten());
        if let Some(old) = old.filter(|old| old.packages == new.packages) {
            let pin = if is_the_same_place(old, &new) { old.clone() } else { new };
            return Ok((Resolution::same(Block::new(self.clone(), pin)?), warnings));
        }
        let details = keys.into_iter().chain(details(old, &new)).collect();
        let (to, request) = (new.version(), self.clone());
        let preview = Preview { short: Some(new.short_version()), made: new.day(), ..Preview::default() };
        let take_in = move |_: Intake| {
            Ok(Taken { block: Block::new(request, new)?.into(), details: Vec::new(), warnings: Vec::new() })
        };
        Ok((Resolution::New { to, details, preview, take_in: Box::new(take_in) }, warnings))
    }
}

/// The pin for a request.
struct Chosen {
    pin: DebsPin,
    warnings: Vec<String>,
    /// Tells which keys came from the archive itself, if any did.
    keys: Option<String>,
}

/// Returns the pin for a request in the current state of the archives.
fn choose(
    request: &DebsRequest,
    configuration: &Configuration,
    question: Question,
    left_out: &mut Vec<String>,
) -> Result<Chosen> {
    let Question { name, intake, .. } = question;
    let mut warnings = Vec::new();
    let mut universe = Universe::new(&request.architecture);
    let mut used: Vec<(&AptSource, Found)> = Vec::new();
    let is_host = request.archive == Archive::Host;
    let mut brought = None;
    let releases = Releases { request, configuration, question };
    let found = releases.all()?;
    let reading = format!("package lists of {name}");
    let _reading = intake.fetcher.progress().begin(Doing::Read, &reading, None, Unit::Steps);
    for (source, (found, said)) in configuration.sources.iter().zip(found) {
        warnings.extend(said);
        let found = match found {
            Err(error) if releases.lacks_key(source, &error)? => {
                if brought.is_none() {
                    brought = Some(own_keys(name, request, &configuration.sources, intake)?);
                }
                releases.find(source, brought.as_ref().map(|own| &own.keyring), &mut warnings)
            }
            found => found,
        };
        let found = match found {
            Err(error) if source.options.unsigned && !releases.may_be_unsigned(source) && is_unsigned(&error) => {
                left_out.push(format!(
                    "suite {} of the apt configuration is left out: it is not signed, and its `trusted=yes` is \
                     followed only with `unsigned = true` in the manifest",
                    source.suite
                ));
                continue;
            }
            found => found?,
        };
        let (lists, missing) = lists(&found.release, source, &request.architecture);
        for error in missing {
            // apt only warns of missing components in its own configuration; one in the manifest is required.
            if !is_host || !request.components.is_empty() {
                return Err(error);
            }
            left_out.push(error.message().to_owned());
        }
        for list in lists {
            let (release, preferences) = (&found.release, &configuration.preferences);
            let read = Lists { name, source, release, intake, preferences };
            warnings.extend(read.add(&mut universe, used.len(), &list).about(name)?);
        }
        used.push((source, found));
    }
    universe.finish();
    let closure = solve(&universe, &request.packages)?;
    Ok(Chosen { pin: pin(&universe, &closure.0, &used), warnings, keys: brought.map(|own| own.told) })
}

/// The place of the keys that may sign an input's archives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// These keyrings.
    Keyrings(String),
    /// The archive itself, which has to bring the keys with these fingerprints.
    Archive(Vec<String>),
    /// None: the manifest allows an archive that nobody signed.
    Unsigned,
}

/// Returns the place of the keys that may sign an input's archives, without asking the archives. Fails if there is
/// none.
pub fn key_place(request: &DebsRequest, directory: &Path) -> Result<KeyPlace> {
    let configuration = configuration(request)?;
    let mut all = Keyring::default();
    for source in &configuration.sources {
        let keyring = keyring(request, source, &configuration.trusted, directory)?;
        match (keyring.is_empty(), may_bring_keys(request)) {
            (true, true) => return Ok(KeyPlace::Archive(request.keys.clone())),
            (true, false) if request.unsigned => return Ok(KeyPlace::Unsigned),
            _ => all.extend(&keyring),
        }
    }
    Ok(KeyPlace::Keyrings(all.homes()))
}

/// The Release files of an input's sources, in the present state of the archives.
struct Releases<'a> {
    request: &'a DebsRequest,
    configuration: &'a Configuration,
    question: Question<'a>,
}

impl Releases<'_> {
    /// Asks for all Release files side by side. Returns each with warnings, in the order of the sources.
    fn all(&self) -> Result<Vec<(Result<Found>, Vec<String>)>> {
        let sources = &self.configuration.sources;
        on_threads(sources.len(), "a thread that asks an archive", |number| {
            let mut said = Vec::new();
            let found = self.find(&sources[number], None, &mut said);
            Ok((found, said))
        })
    }

    /// Asks for the Release file of a source. Signatures of these further keys are accepted too.
    fn find(&self, source: &AptSource, keys: Option<&Keyring>, said: &mut Vec<String>) -> Result<Found> {
        let Self { request, configuration, question } = self;
        let mut keyring = self.keyring(source)?;
        if let Some(keys) = keys {
            keyring.extend(keys);
        }
        let leniency = Leniency {
            expired: request.accept_expired || source.options.expired.unwrap_or(configuration.expired),
            future: source.options.future,
            names: request.accept_names.clone(),
        };
        let (unsigned, intake, now) = (self.may_be_unsigned(source), question.intake, question.now);
        Wanted { source, keyring: &keyring, intake, unsigned, leniency, now }.find(said)
    }

    fn keyring(&self, source: &AptSource) -> Result<Keyring> {
        keyring(self.request, source, &self.configuration.trusted, self.question.directory)
    }

    /// Returns whether a Release file was refused for want of keys that the archive itself may bring.
    fn lacks_key(&self, source: &AptSource, error: &Error) -> Result<bool> {
        let may_help = error.message() == NOBODY && may_bring_keys(self.request);
        Ok(may_help && !self.keyring(source)?.lacks(&self.request.keys).is_empty())
    }

    /// Returns whether the Release file of a source may be unsigned.
    fn may_be_unsigned(&self, source: &AptSource) -> bool {
        self.request.unsigned && (self.request.archive != Archive::Host || source.options.unsigned)
    }
}

/// Returns whether a Release file was refused because no trusted key has signed it.
fn is_unsigned(error: &Error) -> bool {
    [NOBODY, release::UNSIGNED].contains(&error.message())
}

/// Returns the suites that the request means.
fn configuration(request: &DebsRequest) -> Result<Configuration> {
    let archives = match &request.archive {
        Archive::Host => return host(request),
        Archive::Urls(urls) => urls,
    };
    let source = |suite: &String| AptSource {
        archives: archives.clone(),
        suite: suite.clone(),
        components: request.components.clone(),
        signed_by: SignedBy::default(),
        options: SourceOptions::default(),
    };
    let settings = apt::Settings::parse("");
    let trusted = settings.file("Dir::Etc::trustedparts").into_iter().collect();
    Ok(Configuration { sources: request.suites.iter().map(source).collect(), trusted, ..Configuration::default() })
}

/// Returns the URLs of the archives that the request means, each once.
pub(super) fn archives(request: &DebsRequest) -> Result<Vec<String>> {
    let sources = configuration(request)?.sources;
    let all: BTreeSet<String> = sources.iter().flat_map(|source| &source.archives).map(Url::to_string).collect();
    Ok(all.into_iter().collect())
}

fn host(request: &DebsRequest) -> Result<Configuration> {
    let mut configuration = apt::read(&apt::Settings::ask(), &request.architecture)?;
    let sources = &mut configuration.sources;
    let names: Vec<String> = sources.iter().map(|source| source.suite.clone()).collect();
    if !request.suites.is_empty() {
        sources.retain(|source| request.suites.contains(&source.suite));
    }
    if !request.components.is_empty() {
        for source in sources.iter_mut() {
            source.components.retain(|component| request.components.contains(component));
        }
        sources.retain(|source| !source.components.is_empty());
    }
    if !sources.is_empty() {
        return Ok(configuration);
    }
    let mut error = Error::new(Kind::NotFound, "this machine's apt configuration has no matching archive");
    let asked = [("suites", &request.suites), ("components", &request.components)];
    for (what, asked) in asked.into_iter().filter(|(_, asked)| !asked.is_empty()) {
        error = error.fact(what, asked.join(", "));
    }
    error = error.fact("it has", if names.is_empty() { "no usable archive".to_owned() } else { names.join(", ") });
    error = configuration.left_out.iter().fold(error, |error, why| error.fact("left out", why));
    Err(error.hint("name an archive by its URL, and its suites, in the manifest"))
}

fn pin(universe: &Universe, chosen: &[usize], used: &[(&AptSource, Found)]) -> DebsPin {
    // Two archives may have suites of the same name.
    let name = |number: usize| {
        let suite = &used[number].0.suite;
        let before = used[..number].iter().filter(|(source, _)| source.suite == *suite).count();
        if before == 0 { suite.clone() } else { format!("{suite} {}", before + 1) }
    };
    let mut pin = DebsPin { releases: BTreeMap::new(), packages: Vec::new() };
    for index in chosen {
        let candidate = universe.get(*index);
        let (source, found) = &used[candidate.source];
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

/// Returns whether two pins of the same packages have them from the same archives.
fn is_the_same_place(old: &DebsPin, new: &DebsPin) -> bool {
    let place = |pin: &DebsPin| -> Vec<(String, Vec<Url>, String)> {
        let releases = pin.releases.iter();
        releases.map(|(name, one)| (name.clone(), one.archives.clone(), one.suite.clone())).collect()
    };
    place(old) == place(new)
}
