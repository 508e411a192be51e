//! The ELF files of both trees, each read once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::world::World;
use crate::elf::{Elf, ElfFile, FileBytes};
use crate::error::{About as _, Error, Result};
use crate::tree::show;

/// A file as the loader sees it.
#[derive(Clone)]
pub(super) enum Inspected {
    Native(Rc<ElfFile>),
    /// An ELF file for another processor, with its name. ld.so skips such files.
    Foreign(String),
    NotElf,
}

pub(super) struct ElfFiles<'w, 'a> {
    world: &'w World<'a>,
    inspected: BTreeMap<Vec<u8>, Inspected>,
    constants: BTreeMap<Vec<u8>, Rc<BTreeSet<Vec<u8>>>>,
    base: BTreeMap<Vec<u8>, Inspected>,
}

impl<'w, 'a> ElfFiles<'w, 'a> {
    pub fn new(world: &'w World<'a>) -> Self {
        Self { world, inspected: BTreeMap::new(), constants: BTreeMap::new(), base: BTreeMap::new() }
    }

    /// Returns the file at a real path of the system.
    pub fn read(&mut self, real: &[u8]) -> Result<Inspected> {
        if let Some(seen) = self.inspected.get(real) {
            return Ok(seen.clone());
        }
        let seen = inspect(&self.on_disk(real)?).map_err(|error| error.fact("installed at", show(real)))?;
        self.inspected.insert(real.to_vec(), seen.clone());
        Ok(seen)
    }

    /// Returns the real path of the base system's library at a path, if the base system is known and has one for
    /// x86-64.
    pub fn in_base(&mut self, path: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some(base) = &self.world.base else { return Ok(None) };
        let Some(found) = base.find(path) else { return Ok(None) };
        Ok(self.read_base(&found.real)?.map(|_| found.real))
    }

    /// Returns the library of the base system at a real path. `None` if it is for another processor.
    pub fn read_base(&mut self, real: &[u8]) -> Result<Option<Rc<ElfFile>>> {
        let seen = if let Some(seen) = self.base.get(real) {
            seen.clone()
        } else {
            let Some(path) = self.world.base.as_ref().and_then(|base| base.on_disk(real)) else { return Ok(None) };
            let seen = inspect(&path)?;
            self.base.insert(real.to_vec(), seen.clone());
            seen
        };
        if let Inspected::Native(file) = seen { Ok(Some(file)) } else { Ok(None) }
    }

    /// Returns the names of libraries among the constants of a file.
    pub fn constants(&mut self, real: &[u8], file: &ElfFile) -> Result<Rc<BTreeSet<Vec<u8>>>> {
        if let Some(names) = self.constants.get(real) {
            return Ok(Rc::clone(names));
        }
        let path = self.on_disk(real)?;
        let names = FileBytes::open(&path).and_then(|source| file.soname_constants(&source));
        let names = Rc::new(names.about(path.display().to_string())?);
        self.constants.insert(real.to_vec(), Rc::clone(&names));
        Ok(names)
    }

    /// Returns whether a word is among the constants of a file.
    pub fn mentions(&mut self, real: &[u8], file: &ElfFile, word: &[u8]) -> Result<bool> {
        if word.is_empty() {
            return Ok(false);
        }
        let path = self.on_disk(real)?;
        let found = FileBytes::open(&path).and_then(|source| file.has_constant(&source, word));
        found.about(path.display().to_string())
    }

    fn on_disk(&self, real: &[u8]) -> Result<PathBuf> {
        self.world.on_disk(real).ok_or_else(|| Error::failure("neither tree has the file").fact("path", show(real)))
    }
}

fn inspect(path: &Path) -> Result<Inspected> {
    Ok(match Elf::open(path)? {
        Some(Elf::Native(file)) => Inspected::Native(Rc::from(file)),
        Some(Elf::Foreign { bits, big_endian, machine }) => {
            let order = if big_endian { "big-endian" } else { "little-endian" };
            Inspected::Foreign(format!("{bits}-bit {order} {machine}"))
        }
        None => Inspected::NotElf,
    })
}
