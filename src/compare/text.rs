//! Lines of text files.

use crate::elf::Source;
use crate::error::Result;

const START: u64 = 8 << 10;
const CHUNK: u64 = 256 << 10;

/// The number of the line that the place is in, where both are text.
pub(super) fn line(first: &Source, second: &Source, place: u64) -> Result<Option<u64>> {
    if !is_text(first)? || !is_text(second)? {
        return Ok(None);
    }
    let mut line = 1;
    let mut offset = 0;
    // The same in both up to there.
    while offset < place {
        let count = CHUNK.min(place - offset);
        let bytes = first.read("the contents", offset, count, CHUNK)?;
        line += bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
        offset += count;
    }
    Ok(Some(line))
}

/// Judged by the beginning, as everybody does.
fn is_text(source: &Source) -> Result<bool> {
    let start = source.read("the contents", 0, START.min(source.len()), START)?;
    let valid = match std::str::from_utf8(&start) {
        Ok(_) => true,
        // A character may be cut off at the end.
        Err(error) => error.error_len().is_none(),
    };
    Ok(valid && !start.iter().any(|byte| *byte < b' ' && !b"\t\n\r\x0c".contains(byte)))
}
