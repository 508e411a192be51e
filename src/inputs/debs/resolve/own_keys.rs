//! The keys of an archive, taken from the archive itself where no keyring of this machine has them.
//!
//! The anchor is a fingerprint in the manifest (`keys`): a person can compare it with what the distribution publishes,
//! and it does not change unseen. All else is a search in unverified bytes, which the anchor then judges:
//!
//! 1. InRelease is fetched, and read without its signature.
//! 2. A package list that it names leads to the keyring package: list and package are fetched by the digests in there.
//! 3. The package is unpacked in a staging directory, by the rules for hostile archives. Nothing of it is run.
//! 4. Only keys are kept whose fingerprint is in `keys`. A fingerprint is a hash of its key, so that it does not matter
//!    who sent the key.
//! 5. Such a key must have signed the very InRelease of step 1. Then it vouches for the list and the package, too, and
//!    an archive cannot pass another one's keyring package off as its own.
//!
//! The result is a keyring, with which the usual verification begins anew. The lock records the fingerprint of the key
//! that signed, as always: it is the same on a machine that had the key already.

use std::collections::BTreeMap;

use url::Url;

use super::lists::{Lists, lists};
use super::release::document;
use super::trust::no_key;
use crate::deb::{Deb, Links, unpack};
use crate::digest::Promise;
use crate::error::{About as _, Error, Kind, Result};
use crate::fetch::Voucher;
use crate::intake::{Intake, file_vouched};
use crate::progress::Silent;
use crate::tree::confined::Root;
use crate::tree::{Listing, Node, named};
use crate::upstream::debs::apt::Preferences;
use crate::upstream::debs::archives::keyring_packages;
use crate::upstream::debs::candidate::Candidate;
use crate::upstream::debs::keyring::Keyring;
use crate::upstream::debs::release::Release;
use crate::upstream::debs::sources::AptSource;
use crate::upstream::debs::universe::Universe;
use crate::upstream::debs::{DebsRequest, below};

/// Greatest size of a keyring package. Debian's has less than 200 kB.
const PACKAGE: u64 = 16 << 20;
/// Greatest size of a package list, unpacked, since nobody has promised it yet. Debian's main has 50 MB.
const LIST: u64 = 512 << 20;
/// Greatest size of one keyring in the package.
const KEYRING: u64 = 4 << 20;
/// Greatest number of fingerprints that a message lists.
const SHOWN: usize = 8;

/// Keys that an archive brought.
pub(super) struct OwnKeys {
    /// The keys, of which only those with a wanted fingerprint count.
    pub keyring: Keyring,
    /// Tells where they come from.
    pub told: String,
}

/// Gets the keys with the fingerprints of the manifest from the first suite whose archive has a keyring package with
/// one of them.
pub(super) fn own_keys(name: &str, request: &DebsRequest, sources: &[AptSource], intake: Intake) -> Result<OwnKeys> {
    let seeker = Seeker { name, request, intake };
    let mut without = Vec::new();
    let mut failure = None;
    for source in sources {
        for archive in &source.archives {
            match seeker.seek(source, archive) {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => without.push(source.suite.clone()),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
    }
    Err(failure.unwrap_or_else(|| {
        without.dedup();
        let wanted: Vec<&str> = keyring_packages().collect();
        no_key(request)
            .fact("archive", format!("{} has no package {}", without.join(", "), wanted.join(" or ")))
            .hint(HINT)
    }))
}

/// The hint for fingerprints that lead to no key.
const HINT: &str = "compare `keys` with the fingerprints that the distribution publishes; or name a keyring file beside the \
                    manifest with `keyring`";

/// Searches archives for the keys of a request.
struct Seeker<'a> {
    name: &'a str,
    request: &'a DebsRequest,
    intake: Intake<'a>,
}

impl Seeker<'_> {
    /// Returns the keys that a suite brings, or `None` if it has no keyring package. Fails if the package has no wanted
    /// key, or if no such key has signed the suite.
    fn seek(&self, source: &AptSource, archive: &Url) -> Result<Option<OwnKeys>> {
        let document = document(self.intake, source, archive, false)?;
        let release = Release::parse(&document.unverified()?)?;
        let source = AptSource { archives: vec![archive.clone()], ..source.clone() };
        let mut odd = None;
        for package in self.packages(&source, &release)? {
            let called = format!("{} {} of {}", package.name, package.version, source.suite);
            let keyring = self.keys_in(&package, archive).map_err(|error| error.fact("package", &called))?;
            let brought = keyring.clone().only(&self.request.keys);
            if brought.is_empty() {
                odd = Some(without_wanted(self.request, &keyring, &called));
                continue;
            }
            document.demand_signed(&brought).map_err(|error| error.fact("package", &called))?;
            let keys = brought.fingerprints().join(", ");
            let told = format!("keys     {keys} from {called}; the fingerprint is the manifest's");
            return Ok(Some(OwnKeys { keyring: brought, told }));
        }
        odd.map_or(Ok(None), Err)
    }

    /// Returns the keyring packages of a suite.
    fn packages(&self, source: &AptSource, release: &Release) -> Result<Vec<Candidate>> {
        let preferences = Preferences::default();
        let read = Lists { name: self.name, source, release, intake: self.intake, preferences: &preferences };
        for list in lists(release, source, &self.request.architecture).0 {
            let mut universe = Universe::new(&self.request.architecture);
            read.add(&mut universe, 0, &list.limited(LIST)).about(self.name)?;
            universe.finish();
            let found: Vec<Candidate> =
                keyring_packages().filter_map(|name| Some(universe.get(universe.named(name)?).clone())).collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// Returns all keys in a package, except those in keyrings of removed keys.
    fn keys_in(&self, package: &Candidate, archive: &Url) -> Result<Keyring> {
        if package.size > PACKAGE {
            return Err(Error::new(Kind::Mismatch, "the keyring package is too large").fact("size", package.size));
        }
        let promise = Promise { size: package.size, digest: package.sha256 };
        let urls: Vec<Url> = below(archive, &package.path).into_iter().collect();
        let (path, _) = file_vouched(self.intake, self.name, &urls, Some(promise), Voucher::Archive)?;
        let staging = self.intake.store.stage()?;
        let deb = Deb { name: package.name.clone(), version: package.version.clone(), path };
        let none = BTreeMap::new();
        let unpacked = unpack(&[deb], &Links { wanted: &none, usual: &[] }, staging.path(), &Silent)?;
        keyrings(&Root::open(&staging.path().join("tree"))?, &unpacked.listing)
    }
}

/// Reads the keyrings in the tree of a package.
fn keyrings(root: &Root, listing: &Listing) -> Result<Keyring> {
    let mut keyring = Keyring::default();
    for entry in listing.entries() {
        let Node::File { size, .. } = &entry.node else { continue };
        let path = named(&entry.path);
        let Some(file) = path.strip_prefix("usr/share/keyrings/") else { continue };
        // A distribution keeps the keys that it no longer trusts in a file of their own.
        if *size > KEYRING
            || file.contains("removed")
            || ![".gpg", ".pgp", ".asc"].iter().any(|end| file.ends_with(end))
        {
            continue;
        }
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut root.open_file(&entry.path)?, &mut bytes)?;
        // An odd file must not hide the others.
        let _ = keyring.add(&path, &bytes);
    }
    Ok(keyring)
}

/// Returns the error for a package without any wanted key.
fn without_wanted(request: &DebsRequest, keyring: &Keyring, called: &str) -> Error {
    let mut held = keyring.fingerprints();
    let more = held.len().saturating_sub(SHOWN);
    held.truncate(SHOWN);
    let held = match (held.is_empty(), more) {
        (true, _) => "no key at all".to_owned(),
        (false, 0) => held.join(", "),
        (false, more) => format!("{} and {more} more", held.join(", ")),
    };
    Error::new(Kind::Mismatch, "the archive's keyring package has no key with a fingerprint under `keys`")
        .fact("keys", request.keys.join(", "))
        .fact("package", called)
        .fact("it has", held)
        .hint(HINT)
}
