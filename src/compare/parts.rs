//! The differing parts of two files: sections, members, lines, or offsets.

use serde::Serialize;

use super::bytes::{Differing, differing};
use super::cause::{Cause, guess};
use super::excerpt::Excerpt;
use super::{archive, sections, text};
use crate::elf::FileBytes;
use crate::error::Result;

/// Number of parts of a file that are reported.
pub(super) const MAX_PARTS: usize = 64;
/// Greatest depth of archives in archives.
const MAX_DEPTH: u8 = 3;

/// Two ranges of bytes to compare.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    /// The name with which the names of their parts begin; empty for whole files.
    pub name: &'a str,
    pub first: &'a FileBytes<'a>,
    pub second: &'a FileBytes<'a>,
}

/// A part in which two files differ.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Part {
    /// The name of the part: `.rodata`, `member a.o: .text`, `line 12`. Empty for the file as a whole.
    pub part: String,
    /// Offset of the first difference in the part, in bytes.
    pub offset: u64,
    /// Number of differing bytes.
    pub bytes: u64,
    /// Excerpt of the first file there.
    pub first: String,
    /// Excerpt of the second file there.
    pub second: String,
    /// Likely causes, each once.
    pub causes: Vec<Cause>,
}

/// Returns the parts in which two files differ: at least one if the files differ, whatever they contain.
pub fn differing_parts(first: &FileBytes, second: &FileBytes) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    explain(Pair { name: "", first, second }, MAX_DEPTH, &mut parts)?;
    parts.truncate(MAX_PARTS);
    Ok(parts)
}

/// Adds the differing parts of two ranges.
pub(super) fn explain(pair: Pair, depth: u8, parts: &mut Vec<Part>) -> Result<()> {
    let Pair { name, first, second } = pair;
    let Some(found) = differing(first, second)? else { return Ok(()) };
    if parts.len() >= MAX_PARTS {
        return Ok(());
    }
    let before = parts.len();
    // Falls back to a byte comparison if the format is damaged.
    if depth > 0 {
        let _ = archive::explain(pair, depth, parts);
        if parts.len() == before {
            let _ = sections::explain(pair, parts);
        }
    }
    if parts.len() == before {
        let lines = text::line(first, second, found.first())?;
        let part = lines.map_or_else(|| name.to_owned(), |line| join(name, &format!("line {line}")));
        parts.push(byte_part(part, first, second, &found)?);
    }
    Ok(())
}

/// Describes the differing bytes of two ranges that have no parts.
pub(super) fn byte_part(part: String, first: &FileBytes, second: &FileBytes, found: &Differing) -> Result<Part> {
    let mut causes = Vec::new();
    for (start, end) in &found.runs {
        let (one, other) = (Excerpt::read(first, *start)?, Excerpt::read(second, *start)?);
        let cause = guess(&part, &one, &other, end - start);
        causes.extend(cause.filter(|cause| !causes.contains(cause)));
    }
    if causes.is_empty() {
        causes.push(Cause::Unknown);
    }
    let offset = found.first();
    Ok(Part {
        offset,
        bytes: found.bytes,
        first: Excerpt::read(first, offset)?.show(),
        second: Excerpt::read(second, offset)?.show(),
        causes,
        part,
    })
}

/// Returns the name of a part within a part.
pub(super) fn join(name: &str, part: &str) -> String {
    if name.is_empty() { part.to_owned() } else { format!("{name}: {part}") }
}
