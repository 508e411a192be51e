//! Line numbers in text files.

use crate::elf::FileBytes;
use crate::error::Result;

const START: u64 = 8 << 10;
const CHUNK: u64 = 256 << 10;

/// Returns the number of the line at `position`, up to which both are equal, if both are text.
pub(super) fn line(first: &FileBytes, second: &FileBytes, position: u64) -> Result<Option<u64>> {
    if !is_text(first)? || !is_text(second)? {
        return Ok(None);
    }
    let mut line = 1;
    let mut offset = 0;
    while offset < position {
        let count = CHUNK.min(position - offset);
        let bytes = first.read("the contents", offset, count, CHUNK)?;
        line += bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
        offset += count;
    }
    Ok(Some(line))
}

/// Returns whether the beginning is valid text, which is what most tools look at.
fn is_text(source: &FileBytes) -> Result<bool> {
    let start = source.read("the contents", 0, START.min(source.len()), START)?;
    let valid = match std::str::from_utf8(&start) {
        Ok(_) => true,
        // A character may be cut off at the end.
        Err(error) => error.error_len().is_none(),
    };
    Ok(valid && !start.iter().any(|byte| *byte < b' ' && !b"\t\n\r\x0c".contains(byte)))
}
