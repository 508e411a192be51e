//! What a GGUF file says of itself: architecture, quantisation, context length, tensors.
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
//! Owns a total reader of versions 2 and 3: any bytes give facts or an error that says where the damage is. What nobody asked
//! for is skipped and not held, so a vocabulary of a million tokens costs no memory, and a source that can skip (a file, a
//! server that knows ranges) does not even read long arrays. Every count is held against a limit and against the bytes that are
//! left before anything is done so often. Never reads tensors, never says whether a model is any good.
//!
//! Not every such file is a whole model: a later part of a split one, an importance matrix or a vocabulary has a header with
//! less in it. So a [`Header`] is what one file says, and [`Gguf`] what is known of a model, if its header names one.

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

/// What every GGUF file begins with.
pub const MAGIC: &[u8; 4] = b"GGUF";

/// What is known of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gguf {
    /// `general.architecture`, such as `llama` or `gemma3`.
    pub architecture: String,
    /// The name of `general.file_type`, such as `Q4_K_M`: see [`mod@quantisation`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantisation: Option<String>,
    /// `<architecture>.context_length`: the tokens that the model was trained to look back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// How many tensors there are, in all files of the model.
    pub tensors: u64,
    /// How many numbers those tensors hold.
    pub parameters: u64,
}

/// Facts that one file states of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// See [`Gguf`]; only files that are a model, or the first part of one, have it.
    pub architecture: Option<String>,
    /// See [`Gguf`].
    pub quantisation: Option<String>,
    /// See [`Gguf`].
    pub context: Option<u64>,
    /// Number of tensors in this file.
    pub tensors: u64,
    /// Number of numbers that they hold.
    pub parameters: u64,
    /// Types of the tensors in this file, as ggml numbers them.
    pub types: BTreeSet<u32>,
    /// Its place in a split model.
    pub part: Option<Part>,
}

impl Header {
    /// Reads the header at the beginning of `reader`, whose whole content has `size` bytes. Damage is [`Kind::Invalid`].
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

    /// Reads the file at `path`; `None` when it is no GGUF file.
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

    /// Why there are no facts of a model in a header that can be read.
    #[must_use]
    pub fn no_model() -> Error {
        Error::new(Kind::Invalid, "the GGUF header is not that of a model: it has no `general.architecture`")
    }
}

impl Gguf {
    /// The facts of a model that lies in files with these headers: a split model's first file has the metadata, and each
    /// has its own tensors. `None` where the first one names no architecture.
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

    /// All of it in a line, for people.
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

/// Whether a path is named as GGUF files are.
#[must_use]
pub fn is_name(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("gguf"))
}

fn damaged(what: impl Into<String>, offset: u64) -> Error {
    Error::new(Kind::Invalid, "the GGUF header is damaged").fact("what", what.into()).fact("offset", offset)
}
