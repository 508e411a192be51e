//! The keys that may sign the Release files of a source, as this machine has them. [`mod@super::own_keys`] gets those
//! that no keyring here has.

use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::upstream::debs::archives::Distribution;
use crate::upstream::debs::keyring::{self as keys, Keyring};
use crate::upstream::debs::sources::AptSource;
use crate::upstream::debs::{Archive, DebsRequest};
use crate::urls::show_url;
use url::Url;

/// Returns the keys that may sign a source: those in the manifest, else those that apt would require, else those of the
/// distribution in the URL. `trusted` are apt's own keyrings. With `keys` alone in the manifest, the result may be
/// empty.
pub(super) fn keyring(
    request: &DebsRequest,
    source: &AptSource,
    trusted: &[PathBuf],
    directory: &Path,
) -> Result<Keyring> {
    let mut keyring = Keyring::default();
    let all = |more: &[PathBuf]| -> Vec<PathBuf> {
        [PathBuf::from(keys::SHARED)].iter().chain(more).chain(trusted).cloned().collect()
    };
    if let Some(path) = &request.keyring {
        keyring.read(&directory.join(path), path)?;
    } else if !request.keys.is_empty() {
        keys::add_all(&mut keyring, &all(&[PathBuf::from("/etc/apt/keyrings")]))?;
    } else if !source.signed_by.is_empty() {
        let signed = &source.signed_by;
        for file in &signed.files {
            keyring.read(file, &file.display().to_string())?;
        }
        if let Some(armored) = &signed.armored {
            keyring.add("the apt configuration", armored.as_bytes())?;
        }
        if !signed.keys.is_empty() {
            keys::add_all(&mut keyring, &all(&[]))?;
            keyring = keyring.only(&signed.keys);
        }
    } else if request.archive == Archive::Host {
        keys::add_all(&mut keyring, trusted)?;
    } else {
        match distribution(source) {
            Err(error) if !request.unsigned => return Err(error),
            found => keyring = found.unwrap_or_default(),
        }
    }
    if !request.keys.is_empty() {
        keyring = keyring.only(&request.keys);
        if keyring.is_empty() && !may_bring_keys(request) {
            return Err(no_key(request).hint("name a keyring file that has it with `keyring`"));
        }
    }
    Ok(keyring)
}

/// Returns true if keys may come from the archive itself: the manifest names their fingerprints, and no keyring.
pub(super) fn may_bring_keys(request: &DebsRequest) -> bool {
    !request.keys.is_empty() && request.keyring.is_none() && request.archive != Archive::Host
}

/// Returns the error for fingerprints of which no keyring has a key.
pub(super) fn no_key(request: &DebsRequest) -> Error {
    Error::new(Kind::NotFound, "no keyring has a key with one of the fingerprints under `keys`")
        .fact("keys", request.keys.join(", "))
}

/// Returns the keyring that a distribution installs for its own archives.
fn distribution(source: &AptSource) -> Result<Keyring> {
    let known = Distribution::of(&source.archives);
    if let Some((path, name)) = known.and_then(installed) {
        let mut keyring = Keyring::default();
        keyring.read(&path, &name)?;
        return Ok(keyring);
    }
    Err(unknown_keys(known, &source.archives, std::slice::from_ref(&source.suite)))
}

/// Returns the keyring of a distribution on this machine, if it is installed.
pub(super) fn installed(distribution: &Distribution) -> Option<(PathBuf, String)> {
    ["gpg", "pgp"].into_iter().find_map(|ending| {
        let path = Path::new(keys::SHARED).join(format!("{}.{ending}", distribution.keyring));
        path.is_file().then(|| (path.clone(), path.display().to_string()))
    })
}

/// Returns the error for an archive for which neither the manifest nor this machine has keys.
pub(super) fn unknown_keys(known: Option<&Distribution>, archives: &[Url], suites: &[String]) -> Error {
    let archive = archives.first().map(show_url).unwrap_or_default();
    let error =
        Error::new(Kind::NotFound, "the keys that may sign this archive are not known").fact("archive", archive);
    let Some(distribution) = known else {
        return error.hint("name a keyring file beside the manifest with `keyring`, or fingerprints with `keys`");
    };
    let keys: Vec<String> = distribution.keys_of(suites).iter().map(|key| format!("{:?}", key.fingerprint)).collect();
    error.hint(format!(
        "this machine has no keyring of {}: to take the keys from the archive itself, by their fingerprints, set in the \
         manifest: keys = [{}]",
        distribution.name,
        keys.join(", ")
    ))
}
