//! What the trimmer and the auditor need to know of an ELF file: what it needs, where it looks, what it carries.
//!
//! Owns a total reader: any bytes give an answer or an error that says where the damage is. Only the ranges that are
//! asked for are read, each within a limit of its own, so a library of many gigabytes costs no more memory than a
//! small one. What the loader reads (`DT_*`) is found as the loader finds it, through the program headers; a file whose
//! section headers were stripped reads the same. Never writes, never runs anything.

mod dynamic;
mod header;
mod kpack;
mod sections;
mod source;
mod strings;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod versions;

use std::fmt;
use std::path::Path;

use crate::error::{About as _, Error, Kind, Result};

pub use sections::{Section, sections};
pub use source::Source;
pub use versions::{NeededVersion, VersionNeed};

/// What an ELF file turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Elf {
    /// A file for 64-bit little-endian x86-64, read.
    Native(Box<ElfFile>),
    /// A file for something else, such as GPU code; only recognised.
    Foreign {
        /// Pointer width in bits, 32 or 64.
        bits: u8,
        /// Whether numbers in it are big-endian.
        big_endian: bool,
        /// The processor it is for.
        machine: Machine,
    },
}

/// The number of a processor (`e_machine`).
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

/// How an ELF file is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElfKind {
    /// A program, whether at a fixed address or position-independent.
    Executable,
    /// A shared library or plugin.
    Shared,
    /// Anything else: an object file, a core dump.
    Other,
}

/// A library that answers for the symbols of another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    /// Its name, as in `DT_NEEDED`.
    pub library: Vec<u8>,
    /// True if the loader goes on without it (`DT_AUXILIARY`).
    pub optional: bool,
}

/// What is known of an x86-64 ELF file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ElfFile {
    /// How it is used.
    pub kind: ElfKind,
    /// The processor it is for: always x86-64 here.
    pub machine: Machine,
    /// The loader it names (`PT_INTERP`).
    pub interpreter: Option<Vec<u8>>,
    /// Its own name for the loader (`DT_SONAME`).
    pub soname: Option<Vec<u8>>,
    /// The libraries it needs (`DT_NEEDED`), in order.
    pub needed: Vec<Vec<u8>>,
    /// The libraries that answer for its symbols (`DT_FILTER`, `DT_AUXILIARY`), in order.
    pub filters: Vec<Filter>,
    /// Directories of `DT_RPATH`, split at `:`, tokens such as `$ORIGIN` unexpanded. The loader ignores them when
    /// [`Self::runpath`] is there; they are reported all the same.
    pub rpath: Vec<Vec<u8>>,
    /// Directories of `DT_RUNPATH`, split at `:`, tokens such as `$ORIGIN` unexpanded.
    pub runpath: Vec<Vec<u8>>,
    /// The symbol versions that it wants of libraries it needs (`DT_VERNEED`).
    pub version_needs: Vec<VersionNeed>,
    /// The symbol versions that it has (`DT_VERDEF`); `None` where its symbols have no versions.
    pub versions: Option<Vec<Vec<u8>>>,
    /// Where its GPU code is, of its `.rocm_kpack_ref` section: paths relative to the library, with `@GFXARCH@` for
    /// the target. Alternatives: the run time takes the first that is there.
    pub kpack_refs: Vec<String>,
    /// A fault for which ld.so may crash with it, though all of it can be read.
    pub flaw: Option<&'static str>,
    /// Ranges of the file that hold constants: offset and size.
    constants: Vec<(u64, u64)>,
}

impl Elf {
    /// Reads the file at `path`; `None` when it is no ELF file.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        Source::open(path).and_then(|source| Self::read(&source)).about(path.display().to_string())
    }

    /// Reads an ELF file from `source`; `None` when it is no ELF file. Damage is [`Kind::Invalid`].
    pub fn read(source: &Source) -> Result<Option<Self>> {
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
            // A library may name an interpreter too, as libc does; then its soname tells it apart.
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

/// Reads all that can be read of a file: what [`Elf::read`] gives, its sections, and the names of libraries among its constants.
/// The error is the first damage; what is no ELF file has none. For tests and the fuzz target, which call it with hostile bytes.
pub fn read_all(source: &Source) -> Result<()> {
    sections(source)?;
    if let Some(Elf::Native(file)) = Elf::read(source)? {
        file.soname_constants(source)?;
    }
    Ok(())
}

fn damaged(what: impl Into<String>, offset: u64) -> Error {
    Error::new(Kind::Invalid, "the ELF file is damaged").fact("what", what.into()).fact("offset", offset)
}
