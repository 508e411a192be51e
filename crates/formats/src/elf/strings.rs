//! Finds constants that look like the name of a shared library, which a program may open with `dlopen`.
//!
//! A compiler may also build a short name out of immediate operands, and a program may compose one at run time; such
//! names are not found here.

use std::collections::BTreeSet;

use super::{ElfFile, FileBytes, damaged};
use crate::error::Result;

const CHUNK: u64 = 256 << 10;
/// Longest constant that can be a file name.
const LONGEST: usize = 4096;
/// Most names that are kept; no program has as many, but a hostile file may.
const MOST: usize = 1 << 14;

impl ElfFile {
    /// Returns the constants that look like a library's name, `lib….so` with or without a version, with the
    /// directories before it. Includes constants that end in `.so.`, to which the version is appended at run time.
    /// Of one that begins with `%s/`, returns the rest: the directory is put before it at run time.
    ///
    /// `source` must be the one that this was read from. Reads all constants of the file, piece by piece.
    pub fn soname_constants(&self, source: &FileBytes) -> Result<BTreeSet<Vec<u8>>> {
        let total = self.constants.iter().fold(0, |total: u64, (_, size)| total.saturating_add(*size));
        if total > source.len() {
            // Overlapping ranges would have us read a large file thousands of times.
            return Err(damaged(format!("{total} bytes of constants"), 0));
        }
        let mut names = BTreeSet::new();
        for &(start, size) in &self.constants {
            let (mut offset, end) = (start, start.saturating_add(size));
            // The constant at the end of the last piece. If it grows too long to be a name, it is cleared and
            // `long` is set.
            let mut open: Vec<u8> = Vec::new();
            let mut long = false;
            while offset < end {
                let count = CHUNK.min(end - offset);
                let piece = source.read("the constants", offset, count, CHUNK)?;
                let mut parts = piece.split(|byte| *byte == 0).peekable();
                while let Some(part) = parts.next() {
                    long |= open.len() + part.len() > LONGEST;
                    if long {
                        open.clear();
                    } else {
                        open.extend_from_slice(part);
                    }
                    if parts.peek().is_some() {
                        let name = if long { None } else { soname(&open) };
                        if let Some(name) = name {
                            names.insert(name.to_vec());
                        }
                        open.clear();
                        long = false;
                    }
                }
                if names.len() > MOST {
                    return Err(damaged(format!("more than {MOST} names of libraries"), offset));
                }
                offset += count;
            }
        }
        Ok(names)
    }
}

impl ElfFile {
    /// Returns whether `word` occurs among the constants. `source` must be the one that this was read from.
    pub fn has_constant(&self, source: &FileBytes, word: &[u8]) -> Result<bool> {
        let mut left = source.len();
        for &(start, size) in &self.constants {
            // Overlapping ranges are read until as many bytes were read as the file has.
            let size = size.min(left);
            left -= size;
            let mut offset = 0;
            while offset < size {
                // A word may lie across the end of a piece.
                let count = (CHUNK + word.len() as u64).min(size - offset);
                let piece =
                    source.read("the constants", start.saturating_add(offset), count, CHUNK + word.len() as u64)?;
                if piece.windows(word.len()).any(|window| window == word) {
                    return Ok(true);
                }
                offset += CHUNK;
            }
        }
        Ok(false)
    }
}

/// Returns the library name that a constant holds, if it does.
fn soname(constant: &[u8]) -> Option<&[u8]> {
    let behind = [b"%s".as_slice(), b"%.*s"].iter().find_map(|directory| constant.strip_prefix(*directory));
    let name = behind.filter(|rest| rest.starts_with(b"/")).unwrap_or(constant);
    is_soname(name).then_some(name)
}

/// Returns whether the last component is `lib….so`, `lib….so.` or `lib….so.<version>`.
fn is_soname(text: &[u8]) -> bool {
    let name = text.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let Some(rest) = name.strip_prefix(b"lib") else { return false };
    let clean = |byte: &u8| byte.is_ascii_alphanumeric() || b"._+-".contains(byte);
    if !name.iter().all(clean) || !text.iter().all(|byte| clean(byte) || b"/${}".contains(byte)) {
        return false;
    }
    let Some(at) = rest.windows(3).rposition(|window| window == b".so") else { return false };
    let version = &rest[at + 3..];
    at > 0 && (version.is_empty() || (version[0] == b'.' && version.iter().all(|b| b.is_ascii_digit() || *b == b'.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_libraries_are_told_from_other_text() {
        for name in
            ["libhiprtc.so", "liba+b-c_d.so.1.2", "/opt/rocm/lib/libx.so.6", "libhiprtc-builtins.so.", "/liby.so"]
        {
            assert!(is_soname(name.as_bytes()), "{name}");
        }
        for name in
            ["", "lib.so", "libx.s", "libx.sock", "no libx.so", "libx.so.%d", "xlib.so", "libx.so/y", "libx.so.1a"]
        {
            assert!(!is_soname(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn what_is_put_behind_a_directory_is_a_name() {
        for (constant, expected) in [
            ("%s/sub/libx.so.1", Some("/sub/libx.so.1")),
            ("%.*s/../libx.so", Some("/../libx.so")),
            ("/sub/libx.so", Some("/sub/libx.so")),
            ("%slibx.so", None),
            ("%d/libx.so", None),
            ("%s/x", None),
        ] {
            assert_eq!(soname(constant.as_bytes()), expected.map(str::as_bytes), "{constant}");
        }
    }
}
