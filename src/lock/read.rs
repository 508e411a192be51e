//! Reads strix.lock, and says plainly what is wrong with one that cannot be read.

use std::path::Path;

use serde_json::Value;

use super::{FORMAT, Lock, LockedInput, derivation};
use crate::error::{Error, Kind, Result};
use crate::manifest::PROGRAM;
use crate::upstream::rocm::TarballName;

impl Lock {
    /// Reads the lock at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_if_there(path)?.ok_or_else(|| {
            Error::new(Kind::NotFound, "there is no lock")
                .fact("path", path.display())
                .hint("`strixlock update` writes one")
        })
    }

    /// Reads the lock at `path`, if there is a file.
    pub fn read_if_there(path: &Path) -> Result<Option<Self>> {
        match fs_err::read_to_string(path) {
            Ok(text) => Self::parse(&text).map(Some).map_err(|error| error.about(path.display().to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::new(Kind::Invalid, "the lock cannot be read").because(&error)),
        }
    }

    /// Parses a lock and checks everything that can be checked without the network and the store.
    pub fn parse(text: &str) -> Result<Self> {
        let marker = |line: &str| {
            ["<<<<<<< ", ">>>>>>> ", "||||||| "].iter().any(|marker| line.starts_with(marker)) || line == "======="
        };
        if let Some(line) = text.lines().position(marker) {
            return Err(invalid(format!("line {} is a conflict marker: a merge was not finished", line + 1)).hint(
                "take either side whole (`git checkout --theirs` or `--ours`), then `strixlock update` the inputs that the other side changed",
            ));
        }
        let not_json = |error: serde_json::Error| {
            invalid(format!("the lock is not valid at line {} column {}", error.line(), error.column()))
                .because(&error)
                .hint("restore it from version control, or remove it and run `strixlock update`")
        };
        let value: Value = serde_json::from_str(text).map_err(not_json)?;
        match value.get("version").map(Value::as_u64) {
            Some(Some(FORMAT)) => {}
            Some(Some(newer)) if newer > FORMAT => {
                return Err(invalid(format!(
                    "the lock has format {newer}, and this strixlock {PROGRAM} knows formats up to {FORMAT}"
                ))
                .hint("install a newer strixlock"));
            }
            _ => {
                return Err(invalid("the lock does not say which format it has")
                    .fact("expected", format!("\"version\": {FORMAT}"))
                    .hint("restore it from version control, or remove it and run `strixlock update`"));
            }
        }
        // From the value and not from the text: duplicate keys then mean the same to both.
        let lock: Self = serde_json::from_value(value).map_err(|error| {
            invalid("the lock has the right format, but not the right contents")
                .because(&error)
                .hint("restore it from version control, or remove it and run `strixlock update`")
        })?;
        if !lock.requires.matches(&PROGRAM) {
            return Err(invalid(format!("this lock requires strixlock {}, and this is {PROGRAM}", lock.requires))
                .hint("install a strixlock that fits"));
        }
        lock.check()?;
        Ok(lock)
    }

    fn check(&self) -> Result<()> {
        for (name, input) in &self.inputs {
            let (said, is) = input.entries()?;
            if said != is {
                return Err(invalid(format!(
                    "the block of input `{name}` was edited by hand: its `entry` digest does not fit"
                ))
                .fact("entry", said)
                .fact("block has", is)
                .hint(format!("restore it from version control, or run `strixlock update {name}`")));
            }
        }
        for (name, input) in &self.inputs {
            if let Some(wrong) = impossible(input) {
                return Err(invalid(format!("the block of input `{name}` cannot be right: {wrong}"))
                    .hint(format!("restore it from version control, or run `strixlock update {name}`")));
            }
        }
        for (name, output) in &self.outputs {
            let is = derivation(name, &self.inputs, &self.outputs)?;
            if output.derivation != is {
                return Err(invalid(format!(
                    "the block of output `{name}` was edited by hand: its `derivation` does not fit"
                ))
                .fact("derivation", output.derivation)
                .fact("block has", is)
                .hint("restore it from version control, or run `strixlock update`"));
            }
        }
        Ok(())
    }
}

/// What no update would write. These fields become file names and arguments.
fn impossible(input: &LockedInput) -> Option<String> {
    let id = |text: &str| text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match input {
        LockedInput::Rocm(block) => {
            let name = TarballName::parse(&block.locked.file);
            let fits = name.is_some_and(|name| name.version == block.locked.version);
            (!fits).then(|| format!("`{}` is not the name of its tarball", block.locked.file))
        }
        LockedInput::Git(block) => {
            let ids = [&block.locked.commit, &block.locked.tree]
                .into_iter()
                .chain(block.locked.submodules.values().map(|one| &one.commit));
            ids.into_iter().find(|text| !id(text)).map(|text| format!("`{text}` is not a git id"))
        }
        LockedInput::File(_) => None,
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, message)
}
