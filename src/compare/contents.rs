//! What differs between two files, by their parts: sections, members, lines, or places.

use serde::Serialize;

use super::bytes::{Differing, differing};
use super::cause::{Cause, guess};
use super::excerpt::Around;
use super::{archive, sections, text};
use crate::elf::Source;
use crate::error::Result;

/// More parts of a file than this are not told.
pub(super) const MOST_PARTS: usize = 64;
/// Archives in archives.
const DEEPEST: u8 = 3;

/// A part of two files that is not the same.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Part {
    /// Which part: `.rodata`, `member a.o: .text`, `line 12`; empty for the file as a whole.
    pub part: String,
    /// Where in the part they first differ, in bytes.
    pub offset: u64,
    /// How many bytes differ.
    pub bytes: u64,
    /// What the first has there.
    pub first: String,
    /// What the second has there.
    pub second: String,
    /// Why, probably: one for each kind of place that was looked at.
    pub causes: Vec<Cause>,
}

/// The parts of two files that differ; at least one when the files do. Whatever the files hold, there is an answer.
pub fn contents(first: &Source, second: &Source) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    explain("", first, second, DEEPEST, &mut parts)?;
    parts.truncate(MOST_PARTS);
    Ok(parts)
}

/// Adds what differs between two ranges that are called `name`.
pub(super) fn explain(name: &str, first: &Source, second: &Source, depth: u8, parts: &mut Vec<Part>) -> Result<()> {
    let Some(found) = differing(first, second)? else { return Ok(()) };
    if parts.len() >= MOST_PARTS {
        return Ok(());
    }
    let before = parts.len();
    // Files that are damaged as what they seem to be are still bytes.
    if depth > 0 {
        let _ = archive::explain(name, first, second, depth, parts);
        if parts.len() == before {
            let _ = sections::explain(name, first, second, parts);
        }
    }
    if parts.len() == before {
        let lines = text::line(first, second, found.first())?;
        let part = lines.map_or_else(|| name.to_owned(), |line| join(name, &format!("line {line}")));
        parts.push(place(part, first, second, &found)?);
    }
    Ok(())
}

/// Tells what differs in two ranges that have no parts.
pub(super) fn place(part: String, first: &Source, second: &Source, found: &Differing) -> Result<Part> {
    let mut causes = Vec::new();
    for (start, end) in &found.runs {
        let (one, other) = (Around::read(first, *start)?, Around::read(second, *start)?);
        let cause = guess(&part, &one, &other, end - start);
        causes.extend(cause.filter(|cause| !causes.contains(cause)));
    }
    if causes.is_empty() {
        causes.push(Cause::Unknown);
    }
    let at = found.first();
    Ok(Part {
        offset: at,
        bytes: found.bytes,
        first: Around::read(first, at)?.show(),
        second: Around::read(second, at)?.show(),
        causes,
        part,
    })
}

/// The name of a part of a part.
pub(super) fn join(name: &str, part: &str) -> String {
    if name.is_empty() { part.to_owned() } else { format!("{name}: {part}") }
}
