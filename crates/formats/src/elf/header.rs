//! The file header and the program headers.

use object::LittleEndian as LE;
use object::elf;

use super::{FileBytes, Machine, damaged};
use crate::error::Result;

pub(super) enum Recognised {
    Native(Header),
    Foreign { bits: u8, big_endian: bool, machine: Machine },
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FileType {
    Executable,
    Dynamic,
    Other,
}

/// The contents of an x86-64 file's headers.
pub(super) struct Header {
    pub class: FileType,
    pub machine: Machine,
    pub interpreter: Option<Vec<u8>>,
    /// Offset and size of the dynamic table.
    pub dynamic: Option<(u64, u64)>,
    pub loads: Vec<Load>,
    /// Loaded ranges that are not code, which hold the constants if there are no section headers.
    pub constants: Vec<(u64, u64)>,
    /// See [`super::ElfFile::flaw`].
    pub flaw: Option<&'static str>,
    pub sections: SectionTable,
}

/// A range of the file that is mapped.
pub(super) struct Load {
    pub address: u64,
    pub offset: u64,
    pub size: u64,
}

pub(super) struct SectionTable {
    pub offset: u64,
    pub count: u64,
    pub entry_size: u16,
    pub names: u32,
}

impl Header {
    /// Returns the file offset of an address, and the end in the file of the mapped range that holds it.
    pub fn offset_of(&self, address: u64) -> Option<(u64, u64)> {
        self.loads.iter().find_map(|load| {
            let inside = address.checked_sub(load.address).filter(|inside| *inside < load.size)?;
            Some((load.offset + inside, load.offset + load.size))
        })
    }
}

/// Reads the headers. Returns `None` if this is not an ELF file.
pub(super) fn read(source: &FileBytes) -> Result<Option<Recognised>> {
    // The machine stands at the same offset in all classes, and ends before 20 bytes.
    const RECOGNISED: u64 = 20;
    if source.len() < 4 || *source.read("the magic number", 0, 4, 4)? != elf::ELFMAG {
        return Ok(None);
    }
    let start = source.read("the file header", 0, RECOGNISED, RECOGNISED)?;
    let bits = match start[4] {
        1 => 32,
        2 => 64,
        other => return Err(damaged(format!("unknown class {other}"), 4)),
    };
    let big_endian = match start[5] {
        1 => false,
        2 => true,
        other => return Err(damaged(format!("unknown byte order {other}"), 5)),
    };
    let number = [start[18], start[19]];
    let machine = Machine(if big_endian { u16::from_be_bytes(number) } else { u16::from_le_bytes(number) });
    if bits != 64 || big_endian || machine.0 != elf::EM_X86_64.0 {
        return Ok(Some(Recognised::Foreign { bits, big_endian, machine }));
    }
    native(source, machine).map(|header| Some(Recognised::Native(header)))
}

/// Returns the place of the section headers of a 64-bit little-endian file for any machine; `None` if it is no such
/// file.
pub(super) fn section_table(source: &FileBytes) -> Result<Option<SectionTable>> {
    const RECOGNISED: u64 = 6;
    if source.len() < RECOGNISED {
        return Ok(None);
    }
    let start = source.read("the file header", 0, RECOGNISED, RECOGNISED)?;
    if start[..4] != elf::ELFMAG || start[4] != 2 || start[5] != 1 {
        return Ok(None);
    }
    Ok(Some(table(&source.table::<elf::FileHeader64<LE>>("the file header", 0, 1, 64)?[0])))
}

fn table(file: &elf::FileHeader64<LE>) -> SectionTable {
    SectionTable {
        offset: file.e_shoff.get(LE),
        count: u64::from(file.e_shnum.get(LE)),
        entry_size: file.e_shentsize.get(LE),
        names: u32::from(file.e_shstrndx.get(LE).0),
    }
}

fn native(source: &FileBytes, machine: Machine) -> Result<Header> {
    let file = source.table::<elf::FileHeader64<LE>>("the file header", 0, 1, 64)?[0];
    let class = match file.e_type.get(LE) {
        elf::ET_EXEC => FileType::Executable,
        elf::ET_DYN => FileType::Dynamic,
        _ => FileType::Other,
    };
    let mut header = Header {
        class,
        machine,
        interpreter: None,
        dynamic: None,
        loads: Vec::new(),
        constants: Vec::new(),
        flaw: None,
        sections: table(&file),
    };
    if class == FileType::Other {
        return Ok(header);
    }
    let count = u64::from(file.e_phnum.get(LE));
    if count > 0 && usize::from(file.e_phentsize.get(LE)) != size_of::<elf::ProgramHeader64<LE>>() {
        return Err(damaged("program headers of an unknown size", 54));
    }
    let limit = u64::from(u16::MAX) * 56;
    let segments: Vec<elf::ProgramHeader64<LE>> =
        source.table("the program headers", file.e_phoff.get(LE), count, limit)?;
    let mut own = None;
    for segment in segments {
        let (offset, size) = (segment.p_offset.get(LE), segment.p_filesz.get(LE));
        match segment.p_type.get(LE) {
            elf::PT_LOAD => {
                if offset.checked_add(size).is_none_or(|end| end > source.len()) {
                    return Err(damaged(format!("a segment of {size} bytes extends beyond the end"), offset));
                }
                header.loads.push(Load { address: segment.p_vaddr.get(LE), offset, size });
                if segment.p_flags.get(LE).0 & elf::PF_X.0 == 0 {
                    header.constants.push((offset, size));
                }
            }
            elf::PT_PHDR => own = Some(segment.p_vaddr.get(LE)),
            elf::PT_INTERP if size > 0 => {
                let end = offset.saturating_add(size);
                header.interpreter = Some(source.string("the interpreter", offset, end)?);
            }
            // If the contents were split off into a debug file, the program header remains, with size 0.
            elf::PT_DYNAMIC if size > 0 => header.dynamic = Some((offset, size)),
            _ => {}
        }
    }
    // ld.so reads the program headers in memory, at the address that the file gives.
    if own.is_some_and(|address| header.offset_of(address).is_none()) {
        header.flaw =
            Some("its program headers are not in a loaded segment (PT_PHDR), as after patchelf 0.17 and 0.18");
    }
    Ok(header)
}
