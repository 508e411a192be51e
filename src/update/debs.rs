//! What a `debs` request means now.
//!
//! From the machine or the manifest come archives; from each archive its InRelease file, verified; from that the package
//! lists, by digest; from those the closure. Nothing of it is the packages themselves: their digests stand in the lists, so
//! that they are fetched when they are needed. Package lists are kept among the store's downloads until `gc`.
//!
//! While the packages stay what they are, so does the pin: an archive signs a new Release file every few hours, and that alone
//! is no news.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::path::Path;

use liblzma::stream::{CONCATENATED, Stream};
use url::Url;

use super::{Options, Resolution, Taken};
use crate::digest::{HashingReader, Sha256Digest};
use crate::error::{About, Error, Kind, Result};
use crate::fetch::{Promise, show_url};
use crate::intake::{Intake, package_list};
use crate::lock::{Block, DebsPin, LockedInput, ReleasePin};
use crate::text;
use crate::upstream::debs::keyring::Keyring;
use crate::upstream::debs::release::Release;
use crate::upstream::debs::sources::{self, SignedBy, Source};
use crate::upstream::debs::universe::Universe;
use crate::upstream::debs::{Archive, DebPackage, DebsRequest, below, is_snapshot, keyring as keys, signature, solve};

/// The apt configuration that `host` means.
const APT: &str = "/etc/apt";

/// The longest InRelease file. Those of distributions have some hundred thousand bytes.
const IN_RELEASE: u64 = 8 << 20;

/// The longest package list, unpacked, where the Release file does not say how long it is.
const LIST: u64 = 4 << 30;

/// The memory that unpacking a package list may take.
const MEMORY: u64 = 256 << 20;

/// How many changed packages are told.
const SHOWN: usize = 40;

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
    let expired = request.accept_expired || (request.archive == Archive::Host && !sources::apt_checks_validity());
    for (number, source) in sources.iter().enumerate() {
        let keyring = keyring(request, source, options)?;
        let found = in_release(source, &keyring, intake, expired, options.now, &mut warnings)?;
        for list in lists(&found.release, source, &request.architecture)? {
            let read = Lists { name, source, release: &found.release, intake };
            read.add(&mut universe, number, &list).about(name)?;
        }
        releases.push(found);
    }
    universe.finish()?;
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

/// Who may sign a source: what the manifest says, else what apt would ask, else the distribution that the URL names.
fn keyring(request: &DebsRequest, source: &Source, options: &Options) -> Result<Keyring> {
    let mut keyring = Keyring::default();
    if let Some(path) = &request.keyring {
        keyring.read(&options.directory.join(path), path)?;
    } else if !request.keys.is_empty() {
        keys::add_all(&mut keyring, &[Path::new(keys::SHARED), &Path::new(APT).join("keyrings"), &trusted()])?;
    } else if !source.signed_by.is_empty() {
        let signed = &source.signed_by;
        for file in &signed.files {
            keyring.read(file, &file.display().to_string())?;
        }
        if let Some(armored) = &signed.armored {
            keyring.add("the apt configuration", armored.as_bytes())?;
        }
        if !signed.keys.is_empty() {
            keys::add_all(&mut keyring, &[Path::new(keys::SHARED), &trusted()])?;
            keyring = keyring.only(&signed.keys);
        }
    } else if request.archive == Archive::Host {
        keys::add_all(&mut keyring, &[&trusted()])?;
    } else {
        keyring = distribution(source)?;
    }
    if !request.keys.is_empty() {
        keyring = keyring.only(&request.keys);
        if keyring.is_empty() {
            return Err(Error::new(Kind::NotFound, "no keyring has a key with one of the fingerprints under `keys`")
                .fact("keys", request.keys.join(", "))
                .hint("name a keyring file that has it with `keyring`"));
        }
    }
    Ok(keyring)
}

fn trusted() -> std::path::PathBuf {
    Path::new(APT).join("trusted.gpg.d")
}

/// The keyring that a distribution installs for its own archives.
fn distribution(source: &Source) -> Result<Keyring> {
    let named = |word: &str| source.archives.iter().any(|url| url.as_str().contains(word));
    let names: Vec<&str> = ["ubuntu", "debian"].into_iter().filter(|word| named(word)).collect();
    let mut keyring = Keyring::default();
    for name in &names {
        for ending in ["gpg", "pgp"] {
            let path = Path::new(keys::SHARED).join(format!("{name}-archive-keyring.{ending}"));
            if path.is_file() {
                keyring.read(&path, &path.display().to_string())?;
                return Ok(keyring);
            }
        }
    }
    let archive = source.archives.first().map(show_url).unwrap_or_default();
    let error = Error::new(Kind::NotFound, "it is not known which keys may sign this archive").fact("archive", archive);
    Err(error.hint(match names.first() {
        Some(name) => format!(
            "install the package {name}-keyring or {name}-archive-keyring, or name a keyring file with `keyring`"
        ),
        None => "name a keyring file beside the manifest with `keyring`, or fingerprints with `keys`".to_owned(),
    }))
}

/// A verified Release file.
struct Found {
    release: Release,
    digest: Sha256Digest,
    by: String,
}

/// The InRelease file of the first archive that has a sound one.
fn in_release(
    source: &Source,
    keyring: &Keyring,
    intake: Intake,
    expired: bool,
    now: i64,
    warnings: &mut Vec<String>,
) -> Result<Found> {
    let mut failure: Option<Error> = None;
    for archive in &source.archives {
        let Some(url) = below(archive, &format!("dists/{}/InRelease", source.suite)) else { continue };
        let found = intake.fetcher.get_signed(&url, IN_RELEASE).map_err(no_suite).and_then(|bytes| {
            let signed = signature::verify(&bytes, keyring)?;
            let release = Release::parse(&signed.text)?;
            release.check(&source.suite, now, expired || is_snapshot(archive))?;
            Ok(Found { release, digest: Sha256Digest::of(&bytes), by: signed.by })
        });
        match found {
            Ok(found) => {
                let failed = failure.map(|error| format!("an archive is passed over: {}", error.message()));
                warnings.extend(failed);
                return Ok(found);
            }
            Err(error) => {
                let error = if error.kind() == Kind::NotFound { error } else { error.fact("file", show_url(&url)) };
                let keep = failure.as_ref().is_some_and(|old| old.kind() == Kind::Mismatch);
                failure = if keep { failure } else { Some(error) };
            }
        }
    }
    Err(failure.unwrap_or_else(|| Error::new(Kind::Invalid, "there is no archive to ask")))
}

fn no_suite(error: Error) -> Error {
    if error.kind() != Kind::NotFound {
        return error;
    }
    let url = error.to_json()["facts"][0]["value"].as_str().unwrap_or_default().to_owned();
    Error::new(Kind::NotFound, "the archive has no such suite").fact("url", url).hint(
        "suites are called as in sources.list, such as `noble-updates`; a snapshot must not be older than its suite",
    )
}

/// A package list that a Release file promises.
struct List {
    path: String,
    packed: Packed,
    promise: Promise,
    /// Its size when it is unpacked.
    size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packed {
    Xz,
    Gzip,
    Not,
}

/// The lists of all components, in the smallest form that there is.
fn lists(release: &Release, source: &Source, architecture: &str) -> Result<Vec<List>> {
    let mut found = Vec::new();
    for component in &source.components {
        let list = |architecture: &str| {
            let plain = format!("{component}/binary-{architecture}/Packages");
            let size = release.files.get(&plain).map_or(LIST, |(size, _)| *size);
            [(".xz", Packed::Xz), (".gz", Packed::Gzip), ("", Packed::Not)].into_iter().find_map(|(ending, packed)| {
                let path = format!("{plain}{ending}");
                let (bytes, digest) = *release.files.get(&path)?;
                Some(List { path, packed, promise: Promise { size: bytes, digest }, size })
            })
        };
        let own = list(architecture);
        if own.is_none() {
            let known = |path: &String| {
                let (component, rest) = path.split_once("/binary-")?;
                let architecture = rest.strip_suffix("/Packages").or_else(|| rest.strip_suffix("/Packages.xz"))?;
                Some(format!("{component} {architecture}"))
            };
            let mut there: Vec<String> = release.files.keys().filter_map(known).collect();
            there.dedup();
            return Err(Error::new(
                Kind::NotFound,
                format!("the suite `{}` has no component `{component}` for {architecture}", source.suite),
            )
            .fact("it has", there.join(", ")));
        }
        found.extend(own);
        if release.separate_all {
            found.extend(list("all"));
        }
    }
    Ok(found)
}

struct Lists<'a> {
    name: &'a str,
    source: &'a Source,
    release: &'a Release,
    intake: Intake<'a>,
}

impl Lists<'_> {
    /// Fetches a list and reads its packages.
    fn add(&self, universe: &mut Universe, number: usize, list: &List) -> Result<()> {
        let path = package_list(self.intake, self.name, &self.urls(list), list.promise)
            .map_err(|error| error.fact("list", format!("{} of {}", list.path, self.source.suite)))?;
        let mut hashed = HashingReader::new(BufReader::with_capacity(64 * 1024, fs_err::File::open(&path)?));
        let added = self.parse(universe, number, list, &mut hashed);
        std::io::copy(&mut hashed, &mut std::io::sink())?;
        // The store may have been damaged since the list came.
        if hashed.finish() != (list.promise.digest, list.promise.size) {
            fs_err::remove_file(&path)?;
            return Err(Error::new(Kind::Damaged, "a package list in the store was damaged, and is removed")
                .fact("list", &list.path)
                .hint("run the same command again"));
        }
        added.map_err(|error| error.fact("list", format!("{} of {}", list.path, self.source.suite)))
    }

    /// Reads the packages of a list. What it is worth is known only when all of it was hashed.
    fn parse(&self, universe: &mut Universe, number: usize, list: &List, packed: impl Read) -> Result<()> {
        let unpacked: Box<dyn Read + '_> = match list.packed {
            Packed::Xz => {
                let stream = Stream::new_stream_decoder(MEMORY, CONCATENATED)
                    .map_err(|error| Error::failure("cannot unpack xz").because(&error))?;
                Box::new(liblzma::read::XzDecoder::new_stream(packed, stream))
            }
            Packed::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
            Packed::Not => Box::new(packed),
        };
        let mut limited = BufReader::with_capacity(256 * 1024, unpacked.take(list.size));
        universe.add(&mut limited, number, self.release.priority)?;
        if limited.into_inner().into_inner().read(&mut [0])? == 0 {
            return Ok(());
        }
        Err(Error::new(Kind::Mismatch, "the package list is longer than its Release file says")
            .fact("promised", format!("{} bytes unpacked", list.size)))
    }

    /// By its digest where the archive has that, since names are given anew while an archive is updated.
    fn urls(&self, list: &List) -> Vec<Url> {
        let directory = list.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let by_hash = format!("{directory}/by-hash/SHA256/{}", list.promise.digest.hex());
        let mut urls = Vec::new();
        for path in self.release.by_hash.then_some(by_hash).iter().chain([&list.path]) {
            let path = format!("dists/{}/{path}", self.source.suite);
            urls.extend(self.source.archives.iter().filter_map(|archive| below(archive, &path)));
        }
        urls
    }
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
            inrelease: found.digest,
            signed_by: found.by.clone(),
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

/// A Release file older than the pinned one may be an old one that somebody plays back.
fn went_back(old: &DebsPin, new: &DebsPin) -> Vec<String> {
    let older = |(name, release): (&String, &ReleasePin)| {
        let before = old.releases.get(name).filter(|before| before.archives == release.archives)?;
        (release.date < before.date).then(|| {
            let (now, then) = (text::date(release.date), text::date(before.date));
            format!(
                "the archive went back in time: its Release file for {name} is of {now}, and the locked one of {then}"
            )
        })
    };
    new.releases.iter().filter_map(older).collect()
}

/// What changed, a line each.
fn details(old: Option<&DebsPin>, new: &DebsPin) -> Vec<String> {
    let mut lines = vec![format!("size     {}", text::bytes(new.size()))];
    for (name, release) in &new.releases {
        lines.push(format!("release  {name} of {}, signed by {}", text::date(release.date), release.signed_by));
    }
    let Some(old) = old else { return lines };
    let by_name = |pin: &DebsPin| -> BTreeMap<String, DebPackage> {
        pin.packages.iter().map(|package| (package.name.clone(), package.clone())).collect()
    };
    let (before, after) = (by_name(old), by_name(new));
    let mut changes = Vec::new();
    for (name, package) in &after {
        match before.get(name) {
            None => changes.push(format!("+ {name} {}", package.version)),
            Some(was) if was.version != package.version => {
                changes.push(format!("~ {name} {} -> {}", was.version, package.version));
            }
            Some(was) if was.sha256 != package.sha256 => {
                changes.push(format!("~ {name} {}, the same version with other contents", package.version));
            }
            Some(_) => {}
        }
    }
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name));
    changes.extend(gone.map(|(name, package)| format!("- {name} {}", package.version)));
    let more = changes.len().saturating_sub(SHOWN);
    lines.extend(changes.into_iter().take(SHOWN));
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}
