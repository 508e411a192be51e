//! Each library as if it were the first that a process loads.
//!
//! If two libraries have one name, the one that a process gets depends on which of the libraries that need it is loaded
//! first, and so on the order in which a program opens things. So each library is kept with what it finds by itself,
//! besides what it finds in the programs that were followed. A library that does not find its needs by itself relies on
//! others: on the search path of the file that loads it, or on a library that is loaded already. Only those cases count
//! for it.

use std::rc::Rc;

use super::closure::Closure;
use super::elf_files::Inspected;
use super::loader::Process;
use super::mount::join;
use super::processor::Processor;
use super::world::World;
use crate::elf::ElfKind;
use crate::error::Result;
use crate::tree::path::{file_name, parent};

/// A library that is loaded by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standalone {
    /// The path in the system by which the library has the `$ORIGIN` that it has in programs.
    pub path: Vec<u8>,
    /// True if the library finds everything that it needs.
    pub complete: bool,
}

impl Closure<'_, '_> {
    /// Keeps the files that each library for this processor finds by itself.
    pub(super) fn follow_standalone(&mut self, processor: Processor) -> Result<()> {
        let mut next = 0;
        while let Some((real, path)) = self.order.get(next).cloned() {
            next += 1;
            if !self.tried.insert((processor, real.clone())) {
                continue;
            }
            let Inspected::Native(file) = self.files.read(&real)? else { continue };
            if file.kind != ElfKind::Shared {
                continue;
            }
            let start = || {
                let mut process = Process::new(processor);
                process.load(file.soname.as_deref().unwrap_or(&path), &path, real.clone(), Rc::clone(&file), None);
                process
            };
            let complete = self.is_loadable(&mut start(), 0);
            self.standalone.entry(real.clone()).or_insert_with(|| Standalone { path: path.clone(), complete });
            if !complete {
                continue;
            }
            let (mut process, mut linked, mut opened) = (start(), 0, 0);
            let known = self.order.len();
            self.link(&mut process, &mut linked)?;
            while opened < process.objects.len() {
                if self.loaded.get(&process.objects[opened].real).is_some_and(|number| *number >= known) {
                    self.open_named(&mut process, opened)?;
                    self.open_edges(&mut process, opened)?;
                    self.link(&mut process, &mut linked)?;
                }
                opened += 1;
            }
        }
        Ok(())
    }
}

/// Returns a path by which a file has the same `$ORIGIN` as at `path`: its real path if that does.
pub(super) fn by_origin(world: &World, path: &[u8], real: &[u8]) -> Vec<u8> {
    let Some(directory) = world.find(parent(path)).map(|found| found.real) else { return real.to_vec() };
    if directory == parent(real) { real.to_vec() } else { join(&directory, file_name(path)) }
}
