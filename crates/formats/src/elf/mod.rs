//! Reads ELF files: the libraries that a file needs, the paths it searches, and the GPU code it refers to.
//!
//! Sources: the System V ABI (gABI) with its x86-64 supplement, and glibc's loader where it differs.
//!
//! Owns a total reader: any bytes give a value, or an error with the offset of the damage. Only the ranges that are
//! asked for are read, each within a limit, so a library of many gigabytes costs no more memory than a small one. The
//! loader's data (`DT_*`) is found as the loader finds it, through the program headers; a file whose section headers
//! were stripped reads the same. Never writes, never runs anything.

mod bytes;
mod dynamic;
mod header;
mod kpack;
mod sections;
mod strings;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod versions;

use std::fmt;
use std::path::Path;

use crate::error::{About as _, Error, Kind, Result};

pub use bytes::FileBytes;
pub use sections::{Section, sections};
pub use versions::{NeededVersion, VersionNeed};

/// A file that begins with the ELF magic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Elf {
    /// A 64-bit little-endian x86-64 file, read.
    Native(Box<ElfFile>),
    /// A file for another machine, such as GPU code: recognised, but not read further.
    Foreign {
        /// Pointer width in bits, 32 or 64.
        bits: u8,
        /// True if its numbers are big-endian.
        big_endian: bool,
        /// The machine that it is for.
        machine: Machine,
    },
}

/// A machine by its number (`e_machine`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Machine(pub u16);

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            3 => f.write_str("x86"),
            62 => f.write_str("x86-64"),
            183 => f.write_str("AArch64"),
            224 => f.write_str("AMD GPU"),
            other => write!(f, "machine {other}"),
        }
    }
}

/// The use of an ELF file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElfKind {
    /// A program, whether at a fixed address or position-independent.
    Executable,
    /// A shared library or plugin.
    Shared,
    /// Anything else: an object file, a core dump.
    Other,
}

/// A library that provides symbols in place of another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    /// Its name, as in `DT_NEEDED`.
    pub library: Vec<u8>,
    /// True if the loader goes on without it (`DT_AUXILIARY`).
    pub optional: bool,
}

/// The contents of an x86-64 ELF file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ElfFile {
    /// Its use.
    pub kind: ElfKind,
    /// The machine that it is for: always x86-64 here.
    pub machine: Machine,
    /// The loader it names (`PT_INTERP`).
    pub interpreter: Option<Vec<u8>>,
    /// Its own name for the loader (`DT_SONAME`).
    pub soname: Option<Vec<u8>>,
    /// The libraries it needs (`DT_NEEDED`), in order.
    pub needed: Vec<Vec<u8>>,
    /// The libraries that provide its symbols (`DT_FILTER`, `DT_AUXILIARY`), in order.
    pub filters: Vec<Filter>,
    /// Directories of `DT_RPATH`, split at `:`, tokens such as `$ORIGIN` unexpanded. The loader ignores them if
    /// there is a [`Self::runpath`]; they are returned all the same.
    pub rpath: Vec<Vec<u8>>,
    /// Directories of `DT_RUNPATH`, split at `:`, tokens such as `$ORIGIN` unexpanded.
    pub runpath: Vec<Vec<u8>>,
    /// The symbol versions that it needs of libraries (`DT_VERNEED`).
    pub version_needs: Vec<VersionNeed>,
    /// The symbol versions that it defines (`DT_VERDEF`); `None` if its symbols have no versions.
    pub versions: Option<Vec<Vec<u8>>>,
    /// Paths of the archives with its GPU code, from its `.rocm_kpack_ref` section: relative to the library, with
    /// `@GFXARCH@` for the target. They are alternatives: the ROCm runtime takes the first that exists.
    pub kpack_refs: Vec<String>,
    /// A defect with which ld.so may crash, although the whole file can be read.
    pub flaw: Option<&'static str>,
    /// Ranges of the file that hold constants: offset and size.
    constants: Vec<(u64, u64)>,
}

impl Elf {
    /// Reads the file at `path`. Returns `None` if it is not an ELF file; fails with [`Kind::Invalid`] if it is
    /// damaged.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        FileBytes::open(path).and_then(|source| Self::read(&source)).about(path.display().to_string())
    }

    /// Reads an ELF file from `source`. Returns `None` if it is not an ELF file; fails with [`Kind::Invalid`] if it
    /// is damaged.
    pub fn read(source: &FileBytes) -> Result<Option<Self>> {
        let Some(header) = header::read(source)? else { return Ok(None) };
        let header = match header {
            header::Recognised::Native(header) => header,
            header::Recognised::Foreign { bits, big_endian, machine } => {
                return Ok(Some(Self::Foreign { bits, big_endian, machine }));
            }
        };
        let dynamic = dynamic::read(source, &header)?;
        let sections = sections::read(source, &header)?;
        let kind = match (header.class, header.interpreter.is_some()) {
            (header::FileType::Executable, _) => ElfKind::Executable,
            // A library may name an interpreter too, as libc does; its soname tells it from a program.
            (header::FileType::Dynamic, true) if dynamic.pie || dynamic.soname.is_none() => ElfKind::Executable,
            (header::FileType::Dynamic, false) if dynamic.pie => ElfKind::Executable,
            (header::FileType::Dynamic, _) => ElfKind::Shared,
            (header::FileType::Other, _) => ElfKind::Other,
        };
        Ok(Some(Self::Native(Box::new(ElfFile {
            kind,
            machine: header.machine,
            interpreter: header.interpreter,
            soname: dynamic.soname,
            needed: dynamic.needed,
            filters: dynamic.filters,
            rpath: dynamic.rpath,
            runpath: dynamic.runpath,
            version_needs: dynamic.version_needs,
            versions: dynamic.versions,
            kpack_refs: sections.kpack_refs,
            flaw: header.flaw,
            constants: sections.constants.unwrap_or(header.constants),
        }))))
    }
}

/// Reads everything that can be read of a file: the result of [`Elf::read`], its sections, and the library names
/// among its constants. Returns the first damage found; `Ok` for anything that is not ELF. For tests and the fuzz
/// target, which pass hostile bytes.
pub fn read_all(source: &FileBytes) -> Result<()> {
    sections(source)?;
    if let Some(Elf::Native(file)) = Elf::read(source)? {
        file.soname_constants(source)?;
    }
    Ok(())
}

fn damaged(what: impl Into<String>, offset: u64) -> Error {
    Error::new(Kind::Invalid, "the ELF file is damaged").fact("what", what.into()).fact("offset", offset)
}
