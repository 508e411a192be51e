//! The metadata: pairs of keys and values.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::cursor::Cursor;
use super::{MAGIC, Part, damaged};
use crate::error::{Error, Result};

/// Most pairs; no model has as many. Bounds only time.
const PAIRS: u64 = 1 << 16;
/// Most tensors; no model has as many.
const TENSORS: u64 = 1 << 20;
/// Candidates for the context length that are kept: one per architecture that a file could name later.
const CONTEXTS: usize = 16;

/// The values that are kept.
#[derive(Default)]
pub(super) struct Known {
    pub architecture: Option<String>,
    pub file_type: Option<u64>,
    /// `split.no`, `split.count` and `split.tensors.count`.
    split: [Option<u64>; 3],
    /// By the architecture in the key, since the file's own may come later.
    contexts: BTreeMap<String, u64>,
}

impl Known {
    /// Returns the context length of the file's architecture.
    pub fn context(&self) -> Option<u64> {
        self.contexts.get(self.architecture.as_ref()?).copied()
    }

    /// Returns the place in a split model, if the header gives one.
    pub fn part(&self) -> Option<Part> {
        let [number, of, tensors] = self.split;
        let of = of.filter(|of| *of > 0)?;
        Some(Part { number: number.unwrap_or(0).saturating_add(1), of, tensors })
    }
}

/// Reads magic number, version and counts. Returns the number of tensors and that of pairs.
pub(super) fn counts(cursor: &mut Cursor<impl Read + Seek>) -> Result<(u64, u64)> {
    if cursor.magic()? != *MAGIC {
        return Err(damaged("it does not begin with `GGUF`", 0));
    }
    match cursor.u32("the version")? {
        2 | 3 => {}
        other if matches!(other.swap_bytes(), 1..=3) => {
            return Err(damaged("it is for a big-endian machine", 4));
        }
        other => return Err(damaged(format!("unsupported version {other}, expected 2 or 3"), 4)),
    }
    let tensors = cursor.u64("the number of tensors")?;
    let pairs = cursor.u64("the number of pairs")?;
    for (what, count, most) in [("tensors", tensors, TENSORS), ("pairs", pairs, PAIRS)] {
        if count > most {
            return Err(damaged(format!("{count} {what}, the limit is {most}"), 8));
        }
    }
    Ok((tensors, pairs))
}

/// Reads `count` pairs.
pub(super) fn read(cursor: &mut Cursor<impl Read + Seek>, count: u64) -> Result<Known> {
    let mut known = Known::default();
    for _ in 0..count {
        let at = cursor.at();
        let key = cursor.string("a key")?;
        let kind = Type::read(cursor)?;
        let twice = || damaged(format!("duplicate key `{}`", key.escape_ascii()), at);
        match key.as_slice() {
            b"general.architecture" => {
                let text = match kind {
                    Type::String => cursor.string("the architecture")?,
                    _ => return Err(damaged("the architecture is not a string", at)),
                };
                let text = String::from_utf8(text).ok().filter(|text| is_architecture(text));
                let text = text.ok_or_else(|| damaged("the architecture is not a plain word", at))?;
                if known.architecture.replace(text).is_some() {
                    return Err(twice());
                }
            }
            b"general.file_type" => keep(&mut known.file_type, number(cursor, kind)?, twice)?,
            b"split.no" => keep(&mut known.split[0], number(cursor, kind)?, twice)?,
            b"split.count" => keep(&mut known.split[1], number(cursor, kind)?, twice)?,
            b"split.tensors.count" => keep(&mut known.split[2], number(cursor, kind)?, twice)?,
            _ => match key.strip_suffix(b".context_length").and_then(|name| std::str::from_utf8(name).ok()) {
                Some(name) if known.contexts.len() < CONTEXTS => {
                    if let Some(tokens) = number(cursor, kind)?
                        && known.contexts.insert(name.to_owned(), tokens).is_some()
                    {
                        return Err(twice());
                    }
                }
                _ => skip(cursor, kind)?,
            },
        }
    }
    Ok(known)
}

/// Returns the pairs whose keys `wanted` picks, in order and in the bytes of the format: each key, type and value.
/// `size` is the size of the file's content in bytes.
pub fn pairs(reader: impl Read + Seek, size: u64, wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<Vec<u8>>> {
    let mut cursor = Cursor::new(reader, size);
    let (_, count) = counts(&mut cursor)?;
    let mut found = Vec::new();
    for _ in 0..count {
        let begin = cursor.at();
        let key = cursor.string("a key")?;
        let kind = Type::read(&mut cursor)?;
        skip(&mut cursor, kind)?;
        if wanted(&key) {
            found.push(cursor.reread(begin, cursor.at() - begin)?);
        }
    }
    Ok(found)
}

/// Returns whether a text can be an architecture: it becomes a word on pages and in tables.
fn is_architecture(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// The type of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    /// An integer: its size in bytes, and true if it is signed.
    Integer(u64, bool),
    /// Any other type of a fixed size, in bytes.
    Fixed(u64),
    String,
    Array,
}

impl Type {
    fn read(cursor: &mut Cursor<impl Read + Seek>) -> Result<Self> {
        let at = cursor.at();
        Ok(match cursor.u32("the type of a value")? {
            0 => Self::Integer(1, false),
            1 => Self::Integer(1, true),
            2 => Self::Integer(2, false),
            3 => Self::Integer(2, true),
            4 => Self::Integer(4, false),
            5 => Self::Integer(4, true),
            6 => Self::Fixed(4),
            7 => Self::Fixed(1),
            8 => Self::String,
            9 => Self::Array,
            10 => Self::Integer(8, false),
            11 => Self::Integer(8, true),
            12 => Self::Fixed(8),
            other => return Err(damaged(format!("unknown value type {other}"), at)),
        })
    }
}

/// Stores a number, which may occur once.
fn keep(place: &mut Option<u64>, number: Option<u64>, twice: impl Fn() -> Error) -> Result<()> {
    match number {
        Some(number) if place.replace(number).is_some() => Err(twice()),
        _ => Ok(()),
    }
}

/// Reads an integer; `None` if the value has another type, which is ignored.
fn number(cursor: &mut Cursor<impl Read + Seek>, kind: Type) -> Result<Option<u64>> {
    match kind {
        Type::Integer(size, signed) => Ok(u64::try_from(cursor.integer(size, signed)?).ok()),
        _ => skip(cursor, kind).map(|()| None),
    }
}

fn skip(cursor: &mut Cursor<impl Read + Seek>, kind: Type) -> Result<()> {
    match kind {
        Type::Integer(size, _) | Type::Fixed(size) => cursor.skip("a number", 1, size),
        Type::String => cursor.skip_string("a string"),
        Type::Array => {
            let at = cursor.at();
            let of = Type::read(cursor)?;
            let count = cursor.u64("the length of an array")?;
            match of {
                Type::Integer(size, _) | Type::Fixed(size) => cursor.skip("an array", count, size),
                Type::String => {
                    // Each string has a length at least, so an impossible count is refused before the loop begins.
                    cursor.demand("an array of strings", count, 8)?;
                    (0..count).try_for_each(|_| cursor.skip_string("a string of an array"))
                }
                // llama.cpp does not read them either, and they could be nested as deep as the file is long.
                Type::Array => Err(damaged("an array of arrays", at)),
            }
        }
    }
}
