//! Section headers: the names of sections, the references to GPU code, and the ranges of constants.

use std::borrow::Cow;

use object::LittleEndian as LE;
use object::elf;

use super::header::{FileType, Header, SectionTable};
use super::{FileBytes, damaged, header, kpack};
use crate::error::Result;

/// The data from the section headers; empty if they were stripped.
#[derive(Default)]
pub(super) struct Sections {
    pub kpack_refs: Vec<String>,
    /// Offset and size of `.rodata*` and `.data*`; `None` if there are no section headers.
    pub constants: Option<Vec<(u64, u64)>>,
}

type SectionHeader = elf::SectionHeader64<LE>;

const MOST_BYTES: u64 = 8 << 20;
/// Most bytes of all references of a file together.
const MOST_KPACK_BYTES: u64 = 64 << 10;
/// Most references. Real libraries have one, for all GPUs.
const MOST_KPACK_REFS: usize = 64;

/// A section of an ELF file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// Its name.
    pub name: Vec<u8>,
    /// Its offset in the file, in bytes.
    pub offset: u64,
    /// Its size in bytes.
    pub size: u64,
    /// True if its bytes are in the file; those of `.bss` are not.
    pub in_file: bool,
}

/// Reads the sections of a 64-bit little-endian file for any machine, in order, without the empty first one.
/// Returns `None` if it is no such file.
pub fn sections(source: &FileBytes) -> Result<Option<Vec<Section>>> {
    let Some(table) = header::section_table(source)? else { return Ok(None) };
    if table.offset == 0 {
        return Ok(Some(Vec::new()));
    }
    let (headers, mut names) = headers(source, &table)?;
    let section = |section: &SectionHeader| {
        Ok(Section {
            name: names.get(section)?.to_vec(),
            offset: section.sh_offset.get(LE),
            size: section.sh_size.get(LE),
            in_file: section.sh_type.get(LE) != elf::SHT_NOBITS,
        })
    };
    headers.iter().skip(1).map(section).collect::<Result<_>>().map(Some)
}

pub(super) fn read(source: &FileBytes, header: &Header) -> Result<Sections> {
    let table = &header.sections;
    if table.offset == 0 || header.class == FileType::Other {
        return Ok(Sections::default());
    }
    let (headers, mut names) = headers(source, table)?;
    let (mut kpack_refs, mut kpack_bytes) = (Vec::new(), MOST_KPACK_BYTES);
    let mut constants = Vec::new();
    for section in headers.iter().filter(|section| section.sh_type.get(LE) == elf::SHT_PROGBITS) {
        let name = names.get(section)?;
        let (offset, size) = (section.sh_offset.get(LE), section.sh_size.get(LE));
        if name == b".rocm_kpack_ref" {
            let bytes = source.read("the kpack reference", offset, size, kpack_bytes)?;
            kpack_bytes -= size;
            let refs = kpack::refs(&bytes).ok_or_else(|| damaged("malformed kpack reference", offset))?;
            kpack_refs.extend(refs);
            if kpack_refs.len() > MOST_KPACK_REFS {
                return Err(damaged(format!("more than {MOST_KPACK_REFS} archives of GPU code"), offset));
            }
        } else if name.starts_with(b".rodata") || name.starts_with(b".data") {
            constants.push((offset, size));
        }
    }
    Ok(Sections { kpack_refs, constants: Some(constants) })
}

/// Reads all headers and their names.
fn headers<'a>(source: &FileBytes<'a>, table: &SectionTable) -> Result<(Vec<SectionHeader>, Names<'a>)> {
    if usize::from(table.entry_size) != size_of::<SectionHeader>() {
        return Err(damaged("section headers of an unknown size", 58));
    }
    // Counts that do not fit into the file header stand in the first section header.
    let first = source.table::<SectionHeader>("the section headers", table.offset, 1, MOST_BYTES)?[0];
    let count = if table.count == 0 { first.sh_size.get(LE) } else { table.count };
    let names = if table.names == u32::from(elf::SHN_XINDEX.0) { first.sh_link.get(LE) } else { table.names };
    let headers: Vec<SectionHeader> = source.table("the section headers", table.offset, count, MOST_BYTES)?;
    let Some(names) = headers.get(names as usize) else {
        return Err(damaged("the section names are missing", table.offset));
    };
    let start = names.sh_offset.get(LE);
    let bytes = source.read("the section names", start, names.sh_size.get(LE), MOST_BYTES)?;
    let left = bytes.len() * NAMES_SHARED + headers.len() * NAME;
    Ok((headers, Names { bytes, start, left }))
}

/// Times that each byte of the names may be read. Linkers let a name be the end of another, such as `.text` of
/// `.rela.text`; a hostile file lets a hundred thousand sections share a name of a megabyte.
const NAMES_SHARED: usize = 4;
/// Further bytes allowed per section: many have the same short name.
const NAME: usize = 64;

/// A reader of the names of sections.
struct Names<'a> {
    bytes: Cow<'a, [u8]>,
    start: u64,
    /// Bytes of names that may still be read.
    left: usize,
}

impl Names<'_> {
    fn get(&mut self, section: &SectionHeader) -> Result<&[u8]> {
        let name = self.bytes.get(section.sh_name.get(LE) as usize..).unwrap_or_default();
        let most = name.len().min(self.left.saturating_add(1));
        let len = name[..most].iter().position(|byte| *byte == 0).unwrap_or(most);
        let left = self.left.checked_sub(len);
        self.left = left.ok_or_else(|| damaged("too many bytes of section names", self.start))?;
        Ok(&name[..len])
    }
}
