//! Changes of the `allowed_signers` file. All other lines, comments included, stay as they are.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::key::PublicKey;
use super::trusted::read;
use super::{NAMESPACE, Signer, Trusted};
use crate::error::{Error, Kind, Result};
use crate::store::replace_file;
use crate::suggest::suggest;

/// Adds keys of somebody. Returns those that were not there yet. Fails if one of them is somebody else's.
pub fn add(file: &Path, name: &str, keys: &[PublicKey]) -> Result<Vec<PublicKey>> {
    check_name(name)?;
    change(file, |text| {
        let trusted = Trusted::load(file)?;
        let (mut text, mut added): (String, Vec<PublicKey>) = (text.to_owned(), Vec::new());
        for key in keys {
            let is_new = match trusted.with_key(key) {
                Some(known) if names(known.name()).any(|known| known == name) => false,
                Some(known) => return Err(taken(known, name)),
                None => !added.iter().any(|one| one.fingerprint() == key.fingerprint()),
            };
            if is_new {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                text = format!("{text}{name} namespaces=\"{NAMESPACE}\" {key}\n");
                added.push(key.clone());
            }
        }
        Ok((text, added))
    })
}

/// Removes all keys of somebody, or the key with a fingerprint. Returns the removed keys with their names.
pub fn remove(file: &Path, who: &str) -> Result<Vec<(String, PublicKey)>> {
    change(file, |text| {
        let (mut kept, mut removed, mut known) = (String::new(), Vec::new(), Vec::new());
        for line in text.split_inclusive('\n') {
            let Ok(Some(signer)) = Signer::parse(line.trim_end_matches('\n')) else {
                kept.push_str(line);
                continue;
            };
            known.extend(names(signer.name()).map(str::to_owned));
            let rest: Vec<&str> = names(signer.name()).filter(|name| *name != who).collect();
            if signer.key().fingerprint() == who {
                removed.push((signer.name().to_owned(), signer.key().clone()));
            } else if rest.len() == names(signer.name()).count() {
                kept.push_str(line);
            } else {
                removed.push((who.to_owned(), signer.key().clone()));
                // A line that trusts others too, besides exceptions, remains theirs.
                if rest.iter().any(|name| !name.starts_with('!')) {
                    kept.push_str(&line.replacen(signer.name(), &rest.join(","), 1));
                }
            }
        }
        if removed.is_empty() {
            return Err(Error::new(Kind::NotFound, format!("no key of `{who}` is trusted"))
                .fact("trusted", file.display())
                .hint(suggest(who, known.iter().map(String::as_str))));
        }
        Ok((kept, removed))
    })
}

/// Replaces the text of the file by what `new` makes of it, while no other process does the same.
fn change<T>(file: &Path, new: impl FnOnce(&str) -> Result<(String, T)>) -> Result<T> {
    let cannot = |error: &dyn std::error::Error| {
        Error::failure("cannot write the list of trusted keys").fact("path", file.display()).because(error)
    };
    // A link, as managers of such files make it, is followed.
    let target = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf());
    let directory = target.parent().unwrap_or(Path::new("/"));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| cannot(&error))?;
    let held = fs_err::File::open(directory)?;
    flock(held.file(), FlockOperation::LockExclusive).map_err(|error| cannot(&error))?;
    let before = read(file)?.unwrap_or_default();
    let (after, result) = new(&before)?;
    if after != before {
        replace_file(&target, after.as_bytes())?;
    }
    Ok(result)
}

/// Returns the names of a line.
fn names(written: &str) -> impl Iterator<Item = &str> {
    written.split(',')
}

fn taken(known: &Signer, name: &str) -> Error {
    Error::new(Kind::Usage, format!("the key is trusted already, as `{}`", known.name()))
        .fact("key", known.key().fingerprint())
        .fact("name", name)
        .hint(format!("`strixlock trust remove {}` removes it there", known.key().fingerprint()))
}

/// Fails for a name that would be read as something else.
fn check_name(name: &str) -> Result<()> {
    let is_plain = |c: char| c.is_alphanumeric() || "@._+-".contains(c);
    if !name.is_empty() && name.chars().all(is_plain) && !PublicKey::is_type(name) {
        return Ok(());
    }
    Err(Error::new(Kind::Usage, format!("invalid name `{}` of a signer", crate::text::visible(name)))
        .hint("expected letters, digits and `@._+-`, such as ann@example.com"))
}
