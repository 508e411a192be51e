//! Recognises files that are not tar archives, or are compressed in a way that is not read here, by their first
//! bytes. That tells them apart from damaged ones.

use super::entries::{BLOCK, Header};
use crate::error::{Error, Kind};

/// Bytes of the beginning that are needed to recognise a file: a whole tar header.
pub(super) const START: u64 = BLOCK as u64;

/// A file of a kind that is not unpacked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Foreign {
    /// Any file, compressed in this way.
    Compressed(&'static str),
    /// Not a tar archive in any compression: its kind, in words.
    Other(&'static str),
}

/// First bytes of compressed files.
const COMPRESSED: [(&[u8], &str); 7] = [
    (b"\x1f\x9d", "compress (.Z)"),
    (b"\x1f\x1e", "pack (.z)"),
    (b"\x04\x22\x4d\x18", "LZ4"),
    // As in the Linux kernel.
    (b"\x02\x21\x4c\x18", "LZ4"),
    (b"LZIP", "lzip"),
    (b"\x89LZO\0", "lzop"),
    (b"\xfeLRZI", "lrzip"),
];
/// First bytes of other files.
const OTHER: [(&[u8], &str); 5] = [
    (b"\xed\xab\xee\xdb", "an rpm package"),
    (b"!<arch>\n", "an `ar` archive, as Debian packages are"),
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x7fELF", "an ELF file"),
];
/// Bytes that follow `BZh` and the level, in a stream with contents and in an empty one.
const BZIP2: [&[u8]; 2] = [b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"];

impl Foreign {
    /// Recognises a file by its beginning. The header of a tar archive is recognised first, by its magic or, as the
    /// oldest have none, by its checksum: the name in it may begin like any other file.
    pub fn of(start: &[u8]) -> Option<Self> {
        let header = start.first_chunk::<BLOCK>();
        if start.get(257..262) == Some(b"ustar") || header.is_some_and(|header| Header::new(header).is_ok()) {
            return None;
        }
        let find = |known: &[(&[u8], &'static str)]| {
            known.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, name)| *name)
        };
        let level = start.strip_prefix(b"BZh").and_then(|rest| rest.split_first());
        if level
            .is_some_and(|(level, rest)| level.is_ascii_digit() && BZIP2.iter().any(|magic| rest.starts_with(magic)))
        {
            return Some(Self::Compressed("bzip2"));
        }
        if is_lzma(start) {
            return Some(Self::Compressed("LZMA (.lzma)"));
        }
        let html = [&b"<!doctype html"[..], b"<html"];
        let begins = |text: &[u8]| start.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
        if html.iter().any(|text| begins(text)) {
            return Some(Self::Other("an HTML page"));
        }
        find(&COMPRESSED).map(Self::Compressed).or_else(|| find(&OTHER).map(Self::Other))
    }

    /// Returns the error that refuses this file in the place of a tar archive.
    pub fn refused(self) -> Error {
        match self {
            Self::Compressed(name) => Error::new(Kind::Invalid, format!("unsupported compression: {name}"))
                .fact("supported", "gzip, xz, zstd, none")
                .hint("get it in a supported form, or recompress it with one of these"),
            Self::Other(name) => Error::new(Kind::Mismatch, format!("expected a tar archive, found {name}"))
                .hint("check the URL: it leads to another kind of file"),
        }
    }
}

/// Returns whether this is the header of LZMA without xz's container. It has no magic: its usual properties, a
/// dictionary of a usual size, and a size below 256 GiB or none are compared.
fn is_lzma(start: &[u8]) -> bool {
    let Some(([0x5d, d0, d1, d2, d3], rest)) = start.split_first_chunk::<5>().map(|(first, rest)| (*first, rest))
    else {
        return false;
    };
    let dictionary = u32::from_le_bytes([d0, d1, d2, d3]);
    let rounded = dictionary.is_power_of_two() || (dictionary % 3 == 0 && (dictionary / 3).is_power_of_two());
    let size = rest.first_chunk::<8>().map(|size| u64::from_le_bytes(*size));
    rounded && dictionary >= 4096 && size.is_some_and(|size| size == u64::MAX || size < 1 << 38)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_beginning() {
        let lzma = b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0";
        for (start, expected) in [
            (&b"\x1f\x9d\x90x"[..], Some(Foreign::Compressed("compress (.Z)"))),
            (b"\x04\x22\x4d\x18d", Some(Foreign::Compressed("LZ4"))),
            (b"BZh91AY&SYx", Some(Foreign::Compressed("bzip2"))),
            (lzma, Some(Foreign::Compressed("LZMA (.lzma)"))),
            (b"\xed\xab\xee\xdb\x03\0", Some(Foreign::Other("an rpm package"))),
            (b"<!DOCTYPE html><title>", Some(Foreign::Other("an HTML page"))),
            // Names that a tar archive may begin with.
            (b"]\0\0\0\0\0\0\0\0\0\0\0\0\0", None),
            (b"BZh9.txt\0\0\0", None),
            (b"<htm", None),
            (b"", None),
        ] {
            assert_eq!(Foreign::of(start), expected, "{start:?}");
        }
        let mut header = [0; 512];
        header[..4].copy_from_slice(b"LZIP");
        assert_eq!(Foreign::of(&header), Some(Foreign::Compressed("lzip")));
        header[257..262].copy_from_slice(b"ustar");
        assert_eq!(Foreign::of(&header), None);
        // Unix Version 7 wrote no magic.
        let mut old = tar::Header::new_old();
        old.set_path("LZIP.txt").unwrap();
        old.set_cksum();
        assert_eq!(Foreign::of(old.as_bytes()), None);
        old.set_size(1);
        assert_eq!(Foreign::of(old.as_bytes()), Some(Foreign::Compressed("lzip")), "the checksum does not fit");
    }
}
