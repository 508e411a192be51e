//! Validations on disk: `validation/DATE-gGENERATION.json` for programs, `.md` for people, and a directory of logs.
//!
//! A name has the day, and the generation of the profile that has the lock (or the first digits of the lock's digest,
//! if there is none). Nothing is replaced: the second validation of a day gets `-2`. `index.json` says which record is
//! of which lock. It follows from the records: what it lacks is read, and what is gone is left out, so it may be deleted.
//! Records of earlier versions, which were named by the digest of the lock, are read like all others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Device, Validation, page};
use crate::digest::Sha256Digest;
use crate::error::{Error, Result};
use crate::store::replace_file;
use crate::text;

pub(super) const INDEX: &str = "index";
/// The version of the index. One of another version is made anew.
const VERSION: u64 = 1;

/// The files of a validation.
#[derive(Debug, Clone)]
pub struct Written {
    /// The record for programs.
    pub json: PathBuf,
    /// The page for people.
    pub page: PathBuf,
}

/// The index of a directory.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    version: u64,
    records: BTreeMap<String, Entry>,
}

/// A record in the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    lock: Sha256Digest,
    time: i64,
    device: Device,
    /// The digest of the model.
    model: Sha256Digest,
    passed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
}

impl Entry {
    fn of(validation: &Validation) -> Self {
        Self {
            lock: validation.lock,
            time: validation.time,
            device: validation.device,
            model: validation.model.sha256,
            passed: validation.passed(),
            generation: validation.profile_generation,
            variant: validation.variant.clone(),
        }
    }
}

/// Returns a name for a validation that no record has yet.
pub fn name(directory: &Path, now: i64, generation: Option<u64>, lock: Sha256Digest) -> String {
    let of = generation.map_or_else(|| lock.hex()[..8].to_owned(), |number| format!("g{number}"));
    free(directory, &format!("{}-{of}", day(now)))
}

/// Returns the day of a time, for a name.
pub(super) fn day(now: i64) -> String {
    text::day(now).map_or_else(|| "0000-00-00".to_owned(), |day| day.to_string())
}

/// Returns this name, or with a number behind it, so that no record has it yet.
pub(super) fn free(directory: &Path, first: &str) -> String {
    let is_free = |name: &String| !directory.join(format!("{name}.json")).exists();
    let further = (2_u64..).map(|number| format!("{first}-{number}"));
    std::iter::once(first.to_owned()).chain(further).find(is_free).unwrap_or_default()
}

/// Returns the directory of logs of a validation.
#[must_use]
pub fn logs(directory: &Path, name: &str) -> PathBuf {
    directory.join(name)
}

/// Returns the newest validation of a lock, if there is one that can be read. Those of variants do not count.
#[must_use]
pub fn of(directory: &Path, lock: Sha256Digest) -> Option<Validation> {
    Some(newest(directory, |entry| entry.lock == lock && entry.variant.is_none()).ok()??.1)
}

/// Returns the newest validation with the same model, device and variant. Records that cannot be read are skipped.
pub fn last(directory: &Path, like: &Validation) -> Result<Option<Validation>> {
    let is_like = |entry: &Entry| {
        entry.model == like.model.sha256 && entry.device == like.device && entry.variant == like.variant
    };
    let found = newest(directory, is_like)?;
    Ok(found.map(|(_, validation)| validation))
}

/// Returns name and content of the newest validation that failed, if one that can be read did. Those of variants do not
/// count.
pub fn last_failed(directory: &Path) -> Result<Option<(String, Validation)>> {
    newest(directory, |entry| !entry.passed && entry.variant.is_none())
}

fn newest(directory: &Path, fits: impl Fn(&Entry) -> bool) -> Result<Option<(String, Validation)>> {
    let mut found: Vec<_> = records(directory)?.into_iter().filter(|(_, entry)| fits(entry)).collect();
    found.sort_by(|(a, x), (b, y)| (x.time, a.len(), a).cmp(&(y.time, b.len(), b)));
    Ok(found.into_iter().rev().find_map(|(name, _)| read(directory, &name).map(|one| (name, one))))
}

/// Returns the names of the records in a directory, sorted.
pub(super) fn names(directory: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let entries = match fs_err::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(names),
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        let name = entry?.file_name().into_string().unwrap_or_default();
        names.extend(name.strip_suffix(".json").filter(|name| *name != INDEX).map(str::to_owned));
    }
    Ok(names)
}

/// Returns the records of a directory by name. Those that the index lacks are read.
fn records(directory: &Path) -> Result<BTreeMap<String, Entry>> {
    let names = names(directory)?;
    let index = fs_err::read(directory.join(format!("{INDEX}.json"))).ok();
    let index = index.and_then(|text| serde_json::from_slice::<Index>(&text).ok());
    let mut known = index.filter(|index| index.version == VERSION).map(|index| index.records).unwrap_or_default();
    known.retain(|name, _| names.contains(name));
    for name in names {
        if !known.contains_key(&name)
            && let Some(validation) = read(directory, &name)
        {
            known.insert(name, Entry::of(&validation));
        }
    }
    Ok(known)
}

/// Reads a record, if it can be read.
pub(super) fn read(directory: &Path, name: &str) -> Option<Validation> {
    read_as(directory, name)
}

/// Reads a record of any kind, if it can be read.
pub(super) fn read_as<T: serde::de::DeserializeOwned>(directory: &Path, name: &str) -> Option<T> {
    serde_json::from_slice(&fs_err::read(directory.join(format!("{name}.json"))).ok()?).ok()
}

/// Writes a validation as record and page, and lists it in the index. The page has the differences from the last one
/// (`moved`).
pub fn write(directory: &Path, name: &str, validation: &Validation, moved: Option<&[String]>) -> Result<Written> {
    fs_err::create_dir_all(directory)?;
    let (json, page) = (directory.join(format!("{name}.json")), directory.join(format!("{name}.md")));
    replace_file(&json, &to_text(validation)?)?;
    replace_file(&page, page::page(validation, moved).as_bytes())?;
    let mut records = records(directory)?;
    records.insert(name.to_owned(), Entry::of(validation));
    replace_file(&directory.join(format!("{INDEX}.json")), &to_text(&Index { version: VERSION, records })?)?;
    Ok(Written { json, page })
}

pub(super) fn to_text(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut text =
        serde_json::to_vec_pretty(value).map_err(|error| Error::failure("cannot write the record").because(&error))?;
    text.push(b'\n');
    Ok(text)
}
