//! The outer form of a `.deb`: an `ar` archive with three members in this order, as in deb(5).
//!
//! `debian-binary` holds the format's version, `control.tar.*` describes the package, `data.tar.*` is what is
//! installed. Members whose names begin with `_` are for other programs and skipped. Anything else that parsers could
//! disagree about is refused.

use std::io::{Read, Seek, SeekFrom};

use crate::error::{Error, Kind, Result};
use crate::tree::{Compression, Foreign, named};

const MAGIC: &[u8; 8] = b"!<arch>\n";
/// Bytes of the beginning that are read to recognise other kinds of files.
const START: u64 = 512;
const HEADER: u64 = 60;
/// Longest version, in bytes; real ones have four.
const MOST_VERSION: u64 = 64;
/// Most members; no package has as many.
const MOST_MEMBERS: usize = 16;

/// The two archives in a `.deb`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Parts {
    pub control: Member,
    pub data: Member,
}

/// A member: a range of the file, and its compression.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Member {
    pub offset: u64,
    pub size: u64,
    pub compression: Compression,
}

/// Finds the members of the `.deb` in `file`.
pub(super) fn parts(file: &mut (impl Read + Seek)) -> Result<Parts> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut start = Vec::new();
    file.by_ref().take(START).read_to_end(&mut start)?;
    if !start.starts_with(MAGIC) {
        return Err(match Foreign::of(&start) {
            Some(Foreign::Other(what)) => refused(format!("expected a `.deb`, found {what}")),
            _ if start.len() < MAGIC.len() => refused("it is too short"),
            _ => refused("not an `ar` archive"),
        });
    }
    let (mut version, mut control, mut data) = (false, None, None);
    let mut offset = MAGIC.len() as u64;
    for count in 0.. {
        if offset == length {
            break;
        }
        if count == MOST_MEMBERS {
            return Err(refused("too many members"));
        }
        let (name, size) = header(file, offset, length)?;
        let start = offset + HEADER;
        let member = |compression| Member { offset: start, size, compression };
        match (&*name, compressed(&name, b"control.tar", &[]), compressed(&name, b"data.tar", &OLD)) {
            (b"debian-binary", ..) if !version && offset == MAGIC.len() as u64 => {
                demand_version(file, size)?;
                version = true;
            }
            (_, Some(compression), _) if version && control.is_none() && data.is_none() => {
                control = Some(member(compression?));
            }
            (_, _, Some(compression)) if control.is_some() && data.is_none() => data = Some(member(compression?)),
            (name, ..) if version && name.starts_with(b"_") => {}
            (name, ..) => {
                return Err(refused("unexpected archive member").fact("member", named(name)));
            }
        }
        // Members begin at even offsets; the padding byte may be missing at the end of the file.
        offset = start + size;
        offset = (offset + offset % 2).min(length);
    }
    let missing = |what: &str| refused(format!("missing member {what}"));
    let control = control.ok_or_else(|| missing("control.tar"))?;
    Ok(Parts { control, data: data.ok_or_else(|| missing("data.tar"))? })
}

/// Returns the name and size of the member whose header is at `offset`.
fn header(file: &mut (impl Read + Seek), offset: u64, length: u64) -> Result<(Vec<u8>, u64)> {
    let cut = || refused("truncated").fact("at", offset);
    if length - offset < HEADER {
        return Err(cut());
    }
    let mut header = [0; HEADER as usize];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut header)?;
    let size = number(&header[48..58]).filter(|_| header[58..] == *b"`\n");
    let size = size.ok_or_else(|| refused("damaged member header").fact("at", offset))?;
    if size > length - offset - HEADER {
        return Err(cut());
    }
    let name = header[..16].trim_ascii_end();
    Ok((name.strip_suffix(b"/").unwrap_or(name).to_vec(), size))
}

fn number(field: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(field.trim_ascii_end()).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn demand_version(file: &mut impl Read, size: u64) -> Result<()> {
    let mut text = Vec::new();
    file.take(size.min(MOST_VERSION)).read_to_end(&mut text)?;
    if text.starts_with(b"2.") {
        return Ok(());
    }
    Err(refused("unknown format version").fact("expected", "2.0").fact("found", named(text.trim_ascii_end())))
}

type Named = (&'static str, Compression);

/// Compressions that dpkg accepts, by the suffixes of members' names.
const KNOWN: [Named; 4] =
    [("", Compression::Plain), (".gz", Compression::Gzip), (".xz", Compression::Xz), (".zst", Compression::Zstd)];
/// Compressions that dpkg still accepts in old packages, for `data.tar` alone.
const OLD: [Named; 2] = [(".bz2", Compression::Bzip2), (".lzma", Compression::Lzma)];

/// Returns the compression by the name of a member; `None` if it is another member.
fn compressed(name: &[u8], base: &[u8], old: &[Named]) -> Option<Result<Compression>> {
    let end = name.strip_prefix(base)?;
    let mut known = KNOWN.iter().chain(old);
    Some(match known.find(|(known, _)| known.as_bytes() == end) {
        Some((_, compression)) => Ok(*compression),
        None => Err(refused("unsupported compression of a member").fact("member", named(name)).fact(
            "known",
            KNOWN
                .iter()
                .chain(old)
                .map(|(end, _)| end.strip_prefix('.').unwrap_or("none"))
                .collect::<Vec<_>>()
                .join(", "),
        )),
    })
}

fn refused(why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Invalid, format!("the package is refused: {why}"))
}
