//! Input kind `debs`: a closed set of distribution packages. [`crate::upstream::debs`] has apt's rules, archives and
//! keys.
//!
//! ```toml
//! [inputs.sysroot]
//! type = "debs"
//! archive = "https://snapshot.ubuntu.com/ubuntu/20261101T000000Z"   # or a mirror, or "host"
//! archives = []                                 # more URLs of the same files
//! suites = ["noble", "noble-updates"]           # or suite = "noble"; none of them with "host": all that it names
//! components = ["main", "universe"]             # "main" without; with "host" all that it names
//! architecture = "amd64"
//! packages = ["g++", "cmake"]
//! keyring = "archive.gpg"                       # relative to the manifest
//! keys = []                                     # fingerprints; which of the keyring's keys may sign
//! accept-expired = false                        # a Release file may be past its Valid-Until
//! accept-names = []                             # names that Release files may have besides those of their suites
//! unsigned = false                              # a Release file need not be signed
//! ```
//!
//! Trusted keys: those of `keyring`; without it, those in `keys`, from any keyring of this machine, since a fingerprint
//! identifies a key, or else from the archive's own keyring package (`resolve/own_keys.rs`); without both, with `host`
//! those that apt would require, else the keyring that the distribution installs for its own archives, by the word
//! `debian` or `ubuntu` in the URL. The lock has the fingerprint of the key.

mod pin;
mod report;
mod resolve;
mod supply;

use toml::Spanned;
use url::Url;

use super::Request;
use crate::deb::is_package_name;
use crate::error::Result;
use crate::fields::{SourceText, Table, urls};
use crate::upstream::debs::{Archive, DebsRequest, is_word};

pub use pin::{DebsPin, ReleasePin};
pub use resolve::{KeyPlace, key_place};
pub use supply::debs;

impl Request for DebsRequest {
    type Pin = DebsPin;

    fn parse(source: &SourceText, fields: &Table) -> Result<Self> {
        request(source, fields)
    }

    fn asks(&self) -> Result<Vec<String>> {
        resolve::archives(self)
    }
}

fn request(source: &SourceText, fields: &Table) -> Result<DebsRequest> {
    fields.later(&["archive", "archives", "packages"]);
    let mut components = words(source, fields, "components")?;
    let architecture = match fields.text("architecture")? {
        Some(text) => word(source, text)?,
        None => "amd64".to_owned(),
    };
    let (keyring, keys) = (keyring(source, fields)?, keys(source, fields)?);
    let accept_names = words(source, fields, "accept-names")?;
    let (unsigned, accept_expired) = (fields.flag("unsigned")?, fields.flag("accept-expired")?);
    if let Some(name) = ["keyring", "keys"].into_iter().find(|name| unsigned && fields.field(name).is_some()) {
        let told = format!("`unsigned` and `{name}` contradict each other");
        return Err(source.error(fields.span.clone(), &told, "leave out one of them"));
    }
    let suites = suites(source, fields)?;
    let packages = packages(source, fields)?;
    let archive = archive(source, fields)?;
    let is_host = archive == Archive::Host;
    if suites.is_empty() && !is_host {
        return Err(fields.missing("suite", &["suites"]));
    }
    if components.is_empty() && !is_host {
        components.push("main".to_owned());
    }
    Ok(DebsRequest {
        archive,
        suites,
        components,
        architecture,
        packages,
        keyring,
        accept_expired,
        accept_names,
        unsigned,
        keys,
    })
}

/// Reads `suites`, and `suite` before them.
fn suites(source: &SourceText, fields: &Table) -> Result<Vec<String>> {
    let all = fields.texts("suites")?.unwrap_or_default();
    fields.text("suite")?.into_iter().chain(all).map(|text| suite_name(source, text)).collect()
}

/// Reads `archive`, with more URLs of the same files under `archives`.
fn archive(source: &SourceText, fields: &Table) -> Result<Archive> {
    let first = fields.text("archive")?;
    let more = fields.texts("archives")?.unwrap_or_default();
    if let Some(host) = first.as_ref().filter(|text| text.get_ref() == "host") {
        return match more.first() {
            None => Ok(Archive::Host),
            Some(_) => Err(source.error(host.span(), "`host` has no mirrors", "or name the archive by its URL")),
        };
    }
    let all: Vec<Url> = urls(source, first.into_iter().chain(more).collect())?;
    if all.is_empty() { Err(fields.missing("archive", &["archives"])) } else { Ok(Archive::Urls(all)) }
}

fn words(source: &SourceText, fields: &Table, name: &'static str) -> Result<Vec<String>> {
    fields.texts(name)?.unwrap_or_default().into_iter().map(|text| word(source, text)).collect()
}

/// Reads the name of a suite. A trailing slash means a flat archive, which has no suites.
fn suite_name(source: &SourceText, text: Spanned<String>) -> Result<String> {
    if text.get_ref().ends_with('/') {
        return Err(source.error(
            text.span(),
            "flat archives, whose suite is a directory, are not supported",
            "an archive with a directory `dists` and a suite in it",
        ));
    }
    word(source, text)
}

fn word(source: &SourceText, text: Spanned<String>) -> Result<String> {
    if is_word(text.get_ref()) {
        return Ok(text.into_inner());
    }
    Err(source.error(text.span(), "this cannot be part of an archive's address", "letters, digits, `-`, `_`, `.`"))
}

/// Reads the names of packages, and sorts them: their order has no meaning.
fn packages(source: &SourceText, fields: &Table) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for text in fields.texts("packages")?.ok_or_else(|| fields.missing("packages", &[]))? {
        if !is_package_name(text.get_ref()) {
            return Err(source.error(text.span(), "this is not the name of a package", "such as \"g++\""));
        }
        names.push(text.into_inner());
    }
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Err(source.error(fields.span.clone(), "a set of packages needs at least one", "name it in `packages`"));
    }
    Ok(names)
}

/// Reads the path of a keyring. It goes into the lock, so it must not be an absolute path of one machine.
pub(super) fn keyring(source: &SourceText, fields: &Table) -> Result<Option<String>> {
    let Some(text) = fields.text("keyring")? else { return Ok(None) };
    let path = text.get_ref();
    if path.is_empty() || path.starts_with('/') || path.contains(char::is_control) {
        return Err(source.error(
            text.span(),
            "a keyring is named relative to the manifest",
            "keep it beside the manifest; or name fingerprints in `keys`",
        ));
    }
    Ok(Some(text.into_inner()))
}

/// Reads fingerprints, in any case and with blanks.
pub(super) fn keys(source: &SourceText, fields: &Table) -> Result<Vec<String>> {
    let mut keys = Vec::new();
    for text in fields.texts("keys")?.unwrap_or_default() {
        let key: String = text.get_ref().split_whitespace().collect::<String>().to_ascii_uppercase();
        let key = key.strip_prefix("0X").unwrap_or(&key).to_owned();
        if !matches!(key.len(), 40 | 64) || !key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(source.error(text.span(), "this is not a fingerprint", "all of its 40 hexadecimal digits"));
        }
        keys.push(key);
    }
    keys.sort();
    keys.dedup();
    Ok(keys)
}
