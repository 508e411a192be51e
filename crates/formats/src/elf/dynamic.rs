//! The dynamic table, which the loader reads.

use object::LittleEndian as LE;
use object::elf;

use super::header::Header;
use super::versions::{List, VersionNeed};
use super::{FileBytes, Filter, damaged};
use crate::error::Result;

/// The entries of the dynamic table that are used here.
#[derive(Default)]
pub(super) struct Dynamic {
    pub soname: Option<Vec<u8>>,
    pub needed: Vec<Vec<u8>>,
    pub filters: Vec<Filter>,
    pub rpath: Vec<Vec<u8>>,
    pub runpath: Vec<Vec<u8>>,
    /// True if the file declares itself a position-independent program (`DF_1_PIE`).
    pub pie: bool,
    pub version_needs: Vec<VersionNeed>,
    /// `None` if the file's symbols have no versions, which differs from an empty list.
    pub versions: Option<Vec<Vec<u8>>>,
}

/// Largest dynamic table, in bytes; real ones have some forty entries.
const MOST_BYTES: u64 = 64 << 10;
/// Most bytes of all names and search paths of a file together; real ones have some hundred.
const MOST_TEXT: usize = 1 << 20;

pub(super) fn read(source: &FileBytes, header: &Header) -> Result<Dynamic> {
    let mut dynamic = Dynamic::default();
    let Some((offset, size)) = header.dynamic else { return Ok(dynamic) };
    let entry_size = size_of::<elf::Dyn64<LE>>() as u64;
    let mut entries: Vec<elf::Dyn64<LE>> = source.table("the dynamic table", offset, size / entry_size, MOST_BYTES)?;
    let end = entries.iter().position(|entry| entry.d_tag.get(LE) == elf::DT_NULL).unwrap_or(entries.len());
    entries.truncate(end);

    let mut strings = Strings::find(source, header, offset, &entries)?;
    // If a tag occurs several times that should occur once, ld.so takes the last.
    let (mut needs, mut definitions) = (None, None);
    for entry in &entries {
        let value = entry.d_val.get(LE);
        let mut string = |what| strings.get(what, value);
        match entry.d_tag.get(LE) {
            elf::DT_NEEDED => dynamic.needed.push(string("a needed name")?),
            elf::DT_AUXILIARY => dynamic.filters.push(Filter { library: string("an auxiliary name")?, optional: true }),
            elf::DT_FILTER => dynamic.filters.push(Filter { library: string("a filter's name")?, optional: false }),
            elf::DT_SONAME => dynamic.soname = Some(string("the soname")?),
            elf::DT_RPATH => dynamic.rpath = split(&string("the rpath")?),
            elf::DT_RUNPATH => dynamic.runpath = split(&string("the runpath")?),
            elf::DT_FLAGS_1 => dynamic.pie = value & elf::DF_1_PIE.0 != 0,
            elf::DT_VERNEED => needs = Some(value),
            elf::DT_VERDEF => definitions = Some(value),
            _ => {}
        }
    }
    let mut string = |index| strings.get("a name among symbol versions", index);
    if let Some(address) = needs {
        dynamic.version_needs = List::read(source, header, offset, address)?.needs(&mut string)?;
    }
    if let Some(address) = definitions {
        dynamic.versions = Some(List::read(source, header, offset, address)?.definitions(&mut string)?);
    }
    Ok(dynamic)
}

fn split(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b':').map(<[u8]>::to_vec).collect()
}

/// The string table of the dynamic table, as a range of the file.
struct Strings<'a> {
    source: &'a FileBytes<'a>,
    table: u64,
    range: Option<(u64, u64)>,
    /// Bytes that may still be read.
    left: usize,
}

impl<'a> Strings<'a> {
    fn find(source: &'a FileBytes, header: &Header, table: u64, entries: &[elf::Dyn64<LE>]) -> Result<Self> {
        let value = |tag| entries.iter().find(|entry| entry.d_tag.get(LE) == tag).map(|entry| entry.d_val.get(LE));
        let Some(address) = value(elf::DT_STRTAB) else { return Ok(Self { source, table, range: None, left: 0 }) };
        let (start, mapped) =
            header.offset_of(address).ok_or_else(|| damaged("the dynamic string table is not in a segment", table))?;
        let end = start.saturating_add(value(elf::DT_STRSZ).unwrap_or(u64::MAX)).min(mapped);
        Ok(Self { source, table, range: Some((start, end)), left: MOST_TEXT })
    }

    fn get(&mut self, what: &str, index: u64) -> Result<Vec<u8>> {
        let (start, end) = self.range.ok_or_else(|| damaged("names without a string table", self.table))?;
        let offset = start.checked_add(index).filter(|offset| *offset < end);
        let offset = offset.ok_or_else(|| damaged(format!("{what} lies outside the string table"), self.table))?;
        let string = self.source.string(what, offset, end)?;
        let left = self.left.checked_sub(string.len());
        self.left = left.ok_or_else(|| damaged("too many bytes of names", self.table))?;
        Ok(string)
    }
}
