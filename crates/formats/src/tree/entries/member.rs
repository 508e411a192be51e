//! An entry, put together from all of its headers.

use super::header::Header;
use super::pax::Records;
use super::refused;
use crate::error::{Error, Kind, Result};

/// One entry.
pub(in crate::tree) struct Member {
    /// Its name as in the archive: it may be absolute or contain `..`.
    pub name: Vec<u8>,
    /// Its kind.
    pub kind: MemberKind,
    /// Its permission bits.
    pub mode: u32,
}

/// Kind of an entry.
pub(in crate::tree) enum MemberKind {
    /// A directory.
    Directory,
    /// A file, whose contents come next.
    File,
    /// A symbolic link with this target.
    Link(Vec<u8>),
    /// A hard link to the entry of this name.
    HardLink(Vec<u8>),
    /// A device or a named pipe, in words.
    Node(&'static str),
}

/// The extended headers collected before an entry.
#[derive(Default)]
pub(super) struct ExtendedHeaders {
    records: Option<Records>,
    long_name: Option<Vec<u8>>,
    long_target: Option<Vec<u8>>,
}

impl ExtendedHeaders {
    /// Adds an extended header with its contents.
    pub fn take(&mut self, header: &Header, body: &[u8]) -> Result<(), &'static str> {
        let twice = match header.kind() {
            b'g' => {
                // Some programs apply the extended header of the next entry to the global header.
                if !self.is_empty() {
                    return Err("a global header stands between an extended header and its entry");
                }
                if !Records::parse(body)?.say_nothing() {
                    return Err("a global header gives a name or a size to all entries");
                }
                false
            }
            b'x' => self.records.replace(Records::parse(body)?).is_some(),
            b'L' => self.long_name.replace(long(body)?).is_some(),
            _ => self.long_target.replace(long(body)?).is_some(),
        };
        if twice { Err("two extended headers of one kind before one entry") } else { Ok(()) }
    }

    fn is_empty(&self) -> bool {
        self.records.is_none() && self.long_name.is_none() && self.long_target.is_none()
    }

    /// Fails if extended headers are left over, since the entry that they describe is missing.
    pub fn demand_nothing_left(&self) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        Err(Error::new(Kind::Invalid, "the archive is refused: it ends after an extended header, without its entry"))
    }

    /// Returns the entry, and the number of bytes of contents that the archive holds of it.
    pub fn member(self, header: &Header) -> Result<(Member, u64)> {
        let records = self.records.unwrap_or_default();
        let one_of = |records: Option<Vec<u8>>, long: Option<Vec<u8>>| match (records, long) {
            (Some(_), Some(_)) => Err(refused(&header.shown(), "it has two names in extended headers")),
            (records, long) => Ok(records.or(long)),
        };
        let named = one_of(records.path, self.long_name)?;
        let (is_named, target) = (named.is_some(), one_of(records.target, self.long_target)?);
        let name = match named {
            Some(name) => name,
            None => header.name().map_err(|why| refused(&header.shown(), why))?,
        };
        let wrong = |why| refused(&name, why);
        if records.sparse {
            return Err(wrong("it is a sparse file in PAX form, which parsers read differently"));
        }
        if header.is_sparse() && records.size.is_some() {
            return Err(wrong("it is a sparse file in two forms"));
        }
        let said = header.size().map_err(wrong)?;
        let size = records.size.unwrap_or(said);
        let mode = header.mode().map_err(wrong)?;
        let last = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let like_directory = matches!(last, b"" | b".") && !name.is_empty();
        let target = |what| {
            let target = target.unwrap_or_else(|| header.target().to_vec());
            if target.is_empty() { Err(wrong(what)) } else { Ok(target) }
        };
        let kind = match header.kind() {
            b'5' => MemberKind::Directory,
            // In Unix Version 7 a directory is a name that ends in a slash. Python looks only at the name in this
            // header.
            0 if header.shown().ends_with(b"/") => {
                if is_named {
                    return Err(wrong("the header of a directory and its extended header have different names"));
                }
                MemberKind::Directory
            }
            0 | b'0' | b'7' | b'S' => MemberKind::File,
            b'2' => MemberKind::Link(target("it is a link without a target")?),
            b'1' => {
                let target = target("it is a hard link without a target")?;
                if target.ends_with(b"/") {
                    return Err(wrong("it is a hard link to the name of a directory"));
                }
                MemberKind::HardLink(target)
            }
            b'3' => MemberKind::Node("a character device"),
            b'4' => MemberKind::Node("a block device"),
            b'6' => MemberKind::Node("a named pipe"),
            _ => return Err(wrong("unsupported type of entry: not a directory, file, or link")),
        };
        if like_directory && !matches!(kind, MemberKind::Directory) {
            return Err(wrong("the name ends like a directory's, but the entry is not one"));
        }
        if size > 0 && !matches!(kind, MemberKind::File) {
            return Err(wrong("it has a size, but is not a file"));
        }
        Ok((Member { name, kind, mode }, size))
    }
}

/// Returns a name that is the contents of an entry. It ends with a zero; only zeros may follow.
fn long(body: &[u8]) -> Result<Vec<u8>, &'static str> {
    let end = body.iter().position(|byte| *byte == 0).unwrap_or(body.len());
    let (name, rest) = body.split_at(end);
    if name.is_empty() || rest.iter().any(|byte| *byte != 0) {
        return Err("the long name before an entry is empty or contains a zero byte");
    }
    Ok(name.to_vec())
}
