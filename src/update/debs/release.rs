//! Fetches the InRelease file of a source and verifies it.

use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::fetch::show_url;
use crate::intake::Intake;
use crate::upstream::debs::keyring::Keyring;
use crate::upstream::debs::release::Release;
use crate::upstream::debs::sources::Source;
use crate::upstream::debs::{below, is_snapshot, signature};

/// The longest InRelease file. Those of distributions have some hundred thousand bytes.
const IN_RELEASE: u64 = 8 << 20;

/// A verified Release file.
pub(super) struct Found {
    pub release: Release,
    /// The digest of the InRelease file.
    pub digest: Sha256Digest,
    /// The fingerprint of the key that signed it.
    pub by: String,
}

/// The InRelease file of the first archive that has a sound one.
pub(super) fn in_release(
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
            let release = Release::parse(&signed.text)?.until(signed.until);
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
