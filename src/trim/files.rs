//! The ELF files of both trees, each read once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::world::World;
use crate::elf::{Elf, ElfFile, Source};
use crate::error::{About as _, Error, Result};
use crate::tree::show;

/// What the loader would make of a file.
#[derive(Clone)]
pub(super) enum Seen {
    Native(Rc<ElfFile>),
    /// For another processor; ld.so passes over those. Says for which.
    Foreign(String),
    NoElf,
}

pub(super) struct Files<'w, 'a> {
    world: &'w World<'a>,
    seen: BTreeMap<Vec<u8>, Seen>,
    constants: BTreeMap<Vec<u8>, Rc<BTreeSet<Vec<u8>>>>,
    base: BTreeMap<Vec<u8>, Seen>,
}

impl<'w, 'a> Files<'w, 'a> {
    pub fn new(world: &'w World<'a>) -> Self {
        Self { world, seen: BTreeMap::new(), constants: BTreeMap::new(), base: BTreeMap::new() }
    }

    /// The file at a path of the system, which has been followed already.
    pub fn read(&mut self, real: &[u8]) -> Result<Seen> {
        if let Some(seen) = self.seen.get(real) {
            return Ok(seen.clone());
        }
        let seen = see(&self.on_disk(real)?).map_err(|error| error.fact("stands at", show(real)))?;
        self.seen.insert(real.to_vec(), seen.clone());
        Ok(seen)
    }

    /// The place of the library that the base system has at a path, where it is known to have one for this processor.
    pub fn in_base(&mut self, path: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some(base) = &self.world.base else { return Ok(None) };
        let Some(found) = base.find(path) else { return Ok(None) };
        Ok(self.read_base(&found.real)?.map(|_| found.real))
    }

    /// A library of the base system, at a path that has been followed already; `None` where it is for another processor.
    pub fn read_base(&mut self, real: &[u8]) -> Result<Option<Rc<ElfFile>>> {
        let seen = if let Some(seen) = self.base.get(real) {
            seen.clone()
        } else {
            let Some(path) = self.world.base.as_ref().and_then(|base| base.on_disk(real)) else { return Ok(None) };
            let seen = see(&path)?;
            self.base.insert(real.to_vec(), seen.clone());
            seen
        };
        if let Seen::Native(file) = seen { Ok(Some(file)) } else { Ok(None) }
    }

    /// The names of libraries among the constants of a file.
    pub fn constants(&mut self, real: &[u8], file: &ElfFile) -> Result<Rc<BTreeSet<Vec<u8>>>> {
        if let Some(names) = self.constants.get(real) {
            return Ok(Rc::clone(names));
        }
        let path = self.on_disk(real)?;
        let names = Source::open(&path).and_then(|source| file.soname_constants(&source));
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
        let found = Source::open(&path).and_then(|source| file.has_constant(&source, word));
        found.about(path.display().to_string())
    }

    fn on_disk(&self, real: &[u8]) -> Result<PathBuf> {
        self.world.on_disk(real).ok_or_else(|| Error::failure("the file is in neither tree").fact("path", show(real)))
    }
}

fn see(path: &Path) -> Result<Seen> {
    Ok(match Elf::open(path)? {
        Some(Elf::Native(file)) => Seen::Native(Rc::from(file)),
        Some(Elf::Foreign { bits, big_endian, machine }) => {
            let order = if big_endian { "big-endian" } else { "little-endian" };
            Seen::Foreign(format!("{bits}-bit {order} {machine}"))
        }
        None => Seen::NoElf,
    })
}
