//! Reads and validates strix.lock.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::file::LockFile;
use super::{FORMAT, Lock, valid};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::manifest::PROGRAM;

/// A lock that is about to be updated, without what no longer holds in it.
pub struct ForUpdate {
    /// The rest.
    pub lock: Lock,
    /// Names of inputs whose blocks were edited or are invalid. They are resolved again.
    pub edited: Vec<String>,
    /// Names of outputs whose seals were for other pins or another recipe, as after a merge.
    pub unsealed: Vec<String>,
}

impl Lock {
    /// Reads the lock at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_if_there(path)?.ok_or_else(|| {
            Error::new(Kind::NotFound, "there is no lock")
                .fact("path", path.display())
                .hint("`strixlock update` writes one")
        })
    }

    /// Reads the lock at `path`, if it exists.
    pub fn read_if_there(path: &Path) -> Result<Option<Self>> {
        read(path, Self::parse)
    }

    /// Reads the lock at `path` for an update, if it exists, without what no longer holds in it.
    pub fn read_for_update(path: &Path) -> Result<Option<ForUpdate>> {
        read(path, Self::parse_for_update)
    }

    /// Parses and validates a lock, as far as that needs neither network nor store.
    pub fn parse(text: &str) -> Result<Self> {
        let file = parse(text)?;
        check(&file)?;
        let (lock, foreign) = file.complete()?;
        if let Some(name) = foreign.first() {
            return Err(invalid(format!(
                "the output `{}` was sealed for other pins or another recipe than the lock has",
                name.escape_debug()
            ))
            .hint("this is normal after a merge: `strixlock update` removes the seal"));
        }
        if lock.to_text()? != text {
            return Err(invalid("the lock is not in canonical form: something rewrote it")
                .hint("`strixlock update` restores the form, on which digests of the file depend"));
        }
        Ok(lock)
    }

    /// Parses and validates a lock for a merge, without seals that an earlier merge left for other pins.
    pub(super) fn parse_without_foreign_seals(text: &str) -> Result<Self> {
        let file = parse(text)?;
        check(&file)?;
        Ok(file.complete()?.0)
    }

    fn parse_for_update(text: &str) -> Result<ForUpdate> {
        let mut file = parse(text)?;
        let mut edited = Vec::new();
        file.inputs.retain(|name, input| {
            let good = input.entries().is_ok_and(|(said, is)| said == is) && valid::input(name, input).is_none();
            if !good {
                edited.push(name.clone());
            }
            good
        });
        file.outputs.retain(|name, block| {
            block.digest().is_ok_and(|is| is == block.entry) && valid::output(name, &block.recipe).is_none()
        });
        // Outputs that used a dropped block have no derivation any more.
        let inputs: BTreeSet<String> = file.inputs.keys().cloned().collect();
        loop {
            let outputs: BTreeSet<String> = file.outputs.keys().cloned().collect();
            file.outputs.retain(|_, block| {
                block.recipe.inputs().iter().all(|(_, name)| inputs.contains(*name))
                    && block.recipe.outputs().iter().all(|(_, name)| outputs.contains(*name))
            });
            if file.outputs.len() == outputs.len() {
                break;
            }
        }
        let (lock, unsealed) = file.complete()?;
        Ok(ForUpdate { lock, edited, unsealed })
    }
}

fn read<T>(path: &Path, parse: impl Fn(&str) -> Result<T>) -> Result<Option<T>> {
    match fs_err::read_to_string(path) {
        Ok(text) => parse(&text).map(Some).map_err(|error| error.about(path.display().to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::new(Kind::Invalid, "the lock cannot be read").because(&error)),
    }
}

fn parse(text: &str) -> Result<LockFile> {
    let marker = |line: &str| {
        ["<<<<<<< ", ">>>>>>> ", "||||||| "].iter().any(|marker| line.starts_with(marker)) || line == "======="
    };
    if let Some(line) = text.lines().position(marker) {
        return Err(invalid(format!("line {} is a conflict marker: unfinished merge", line + 1)).hint(
            "take all of one side (`git checkout --theirs` or `--ours`), then `strixlock update` the inputs that the \
             other side changed; with git's merge driver `strixlock lock merge`, locks merge by themselves",
        ));
    }
    let not_json = |error: serde_json::Error| {
        invalid(format!("invalid JSON at line {} column {}", error.line(), error.column()))
            .because(&error)
            .hint("restore it from version control, or remove it and run `strixlock update`")
    };
    let value: Value = serde_json::from_str(text).map_err(not_json)?;
    match value.get("version").map(Value::as_u64) {
        Some(Some(FORMAT)) => {}
        Some(Some(newer)) if newer > FORMAT => {
            return Err(invalid(format!(
                "the lock has format {newer}, and this strixlock {} supports formats up to {FORMAT}",
                *PROGRAM
            ))
            .hint("install a newer strixlock"));
        }
        _ => {
            return Err(invalid("the lock has no format version")
                .fact("expected", format!("\"version\": {FORMAT}"))
                .hint("restore it from version control, or remove it and run `strixlock update`"));
        }
    }
    // Parsed from the value and not from the text, so that duplicate keys mean the same to both.
    let file: LockFile = serde_json::from_value(value).map_err(|error| {
        invalid("invalid contents of the lock")
            .because(&error)
            .hint("restore it from version control, or remove it and run `strixlock update`")
    })?;
    if !file.requires.matches(&PROGRAM) {
        return Err(invalid(format!("this lock requires strixlock {}, and this is {}", file.requires, *PROGRAM))
            .hint("install a matching version of strixlock"));
    }
    Ok(file)
}

/// Fails if a block was edited or is invalid.
fn check(file: &LockFile) -> Result<()> {
    let edited = |what: &str, said: Sha256Digest, is: Sha256Digest| {
        invalid(format!("the block of {what} was edited by hand: its `entry` digest does not match"))
            .fact("entry", said)
            .fact("block has", is)
            .hint("restore it from version control, or run `strixlock update`, which resolves it again")
    };
    let impossible = |what: &str, why: String| {
        invalid(format!("invalid block of {what}: {why}"))
            .hint("restore it from version control, or run `strixlock update`, which resolves it again")
    };
    for (name, input) in &file.inputs {
        let what = format!("input `{}`", name.escape_debug());
        let (said, is) = input.entries()?;
        if said != is {
            return Err(edited(&what, said, is));
        }
        if let Some(why) = valid::input(name, input) {
            return Err(impossible(&what, why));
        }
    }
    for (name, block) in &file.outputs {
        let what = format!("output `{}`", name.escape_debug());
        let is = block.digest()?;
        if block.entry != is {
            return Err(edited(&what, block.entry, is));
        }
        if let Some(why) = valid::output(name, &block.recipe) {
            return Err(impossible(&what, why));
        }
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, message)
}
