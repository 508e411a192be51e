//! Reads the header of a GGUF file: architecture, quantisation, context length, tensors.
//!
//! GGUF is the model format of llama.cpp (`docs/gguf.md` of ggml). Little endian throughout:
//!
//! ```text
//! "GGUF"  u32 version  u64 tensors  u64 pairs
//! pairs times:    string key, u32 type, value of that type
//! tensors times:  string name, u32 dimensions, u64 size of each, u32 type, u64 offset
//! (then padding and the tensors' data, which is not read here)
//!
//! string: u64 length, then so many bytes        array: u32 type, u64 count, then so many values
//! ```
//!
//! Owns a total reader of versions 2 and 3: any bytes give facts, or an error with the offset of the damage. Other
//! values are skipped and not held, so a vocabulary of a million tokens costs no memory, and a source that can seek
//! (a file, a server that knows ranges) does not even read long arrays. Every count is compared with a limit and with
//! the bytes that are left before a loop of that length begins. Never reads tensors, never judges a model.
//!
//! Not every such file is a whole model: a later part of a split one, an importance matrix or a vocabulary has fewer
//! pairs in its header. So a [`Header`] has the facts of one file, and [`Gguf`] those of a model, if the header
//! describes one.

mod cursor;
mod metadata;
mod quantisation;
mod split;
mod tensors;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

use cursor::Cursor;
pub use metadata::pairs;
pub use quantisation::quantisation;
pub use split::{Part, PartName, Piece, contradiction};

/// The first bytes of every GGUF file.
pub const MAGIC: &[u8; 4] = b"GGUF";

/// The facts about a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gguf {
    /// `general.architecture`, such as `llama` or `gemma3`.
    pub architecture: String,
    /// The name of `general.file_type`, such as `Q4_K_M`: see [`mod@quantisation`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantisation: Option<String>,
    /// `<architecture>.context_length`: the context length that the model was trained for, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// Number of tensors, in all files of the model.
    pub tensors: u64,
    /// Number of parameters: the elements of all tensors.
    pub parameters: u64,
}

/// The facts in the header of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// See [`Gguf`]. Only a model, or the first part of one, has it.
    pub architecture: Option<String>,
    /// See [`Gguf`].
    pub quantisation: Option<String>,
    /// See [`Gguf`].
    pub context: Option<u64>,
    /// Number of tensors in this file.
    pub tensors: u64,
    /// Number of elements of those tensors.
    pub parameters: u64,
    /// Types of the tensors in this file, by ggml's numbers.
    pub types: BTreeSet<u32>,
    /// Its place in a split model.
    pub part: Option<Part>,
}

impl Header {
    /// Reads the header at the beginning of `reader`, whose whole content has `size` bytes. Fails with
    /// [`Kind::Invalid`] if it is damaged.
    pub fn read(reader: impl Read + Seek, size: u64) -> Result<Self> {
        let mut cursor = Cursor::new(reader, size);
        let (tensors, pairs) = metadata::counts(&mut cursor)?;
        let known = metadata::read(&mut cursor, pairs)?;
        let (parameters, types) = tensors::read(&mut cursor, tensors)?;
        Ok(Self {
            context: known.context(),
            quantisation: known.file_type.map(quantisation),
            part: known.part(),
            architecture: known.architecture,
            tensors,
            parameters,
            types,
        })
    }

    /// Reads the file at `path`. Returns `None` if it is not a GGUF file; fails with [`Kind::Invalid`] if it is
    /// damaged.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let mut file = fs_err::File::open(path)?;
        let size = file.metadata()?.len();
        let mut magic = Vec::new();
        file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic)?;
        if magic != MAGIC {
            return Ok(None);
        }
        file.rewind()?;
        Self::read(BufReader::new(file), size).map(Some)
    }

    /// Returns the error for a readable header that does not describe a model.
    #[must_use]
    pub fn no_model() -> Error {
        Error::new(Kind::Invalid, "the GGUF header does not describe a model: missing `general.architecture`")
    }
}

impl Gguf {
    /// Combines the headers of a model's files: the first one of a split model has the metadata, and each has its
    /// own tensors. Returns `None` if the first one names no architecture.
    #[must_use]
    pub fn of(headers: &[Header]) -> Option<Self> {
        let (first, rest) = headers.split_first()?;
        let mut facts = Self {
            architecture: first.architecture.clone()?,
            quantisation: first.quantisation.clone(),
            context: first.context,
            tensors: first.tensors,
            parameters: first.parameters,
        };
        for part in rest {
            facts.tensors = facts.tensors.saturating_add(part.tensors);
            facts.parameters = facts.parameters.saturating_add(part.parameters);
        }
        Some(facts)
    }

    /// Formats all facts in one line, for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut parts = vec![self.architecture.clone()];
        parts.extend(self.quantisation.clone());
        parts.extend(self.context.map(|tokens| format!("context {tokens}")));
        parts.push(format!("{} tensors", self.tensors));
        parts.push(format!("{} parameters", crate::text::count(self.parameters)));
        parts.join(", ")
    }
}

/// Returns whether a path ends in `.gguf`, in any case.
#[must_use]
pub fn is_name(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("gguf"))
}

fn damaged(what: impl Into<String>, offset: u64) -> Error {
    Error::new(Kind::Invalid, "the GGUF header is damaged").fact("what", what.into()).fact("offset", offset)
}
