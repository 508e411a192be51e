//! The keys that may sign the Release files of a source.

use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::upstream::debs::keyring::{self as keys, Keyring};
use crate::upstream::debs::sources::AptSource;
use crate::upstream::debs::{Archive, DebsRequest};
use crate::urls::show_url;

/// Returns the keys that may sign a source: those in the manifest, else those that apt would require, else those of the
/// distribution in the URL. `trusted` are apt's own keyrings.
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
        if keyring.is_empty() {
            return Err(Error::new(Kind::NotFound, "no keyring has a key with one of the fingerprints under `keys`")
                .fact("keys", request.keys.join(", "))
                .hint("name a keyring file that has it with `keyring`"));
        }
    }
    Ok(keyring)
}

/// Returns the keyring that a distribution installs for its own archives.
fn distribution(source: &AptSource) -> Result<Keyring> {
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
    let error =
        Error::new(Kind::NotFound, "the keys that may sign this archive are not known").fact("archive", archive);
    Err(error.hint(match names.first() {
        Some(name) => format!(
            "install the package {name}-keyring or {name}-archive-keyring if this distribution has it; or name a \
             keyring file with `keyring`; or take this machine's own archives with archive = \"host\""
        ),
        None => "name a keyring file beside the manifest with `keyring`, or fingerprints with `keys`".to_owned(),
    }))
}
