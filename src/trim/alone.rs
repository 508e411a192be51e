//! Each library as if it were the first that a process loads.
//!
//! Which of two libraries with one name a process gets depends on which of those that need it comes first, and that on what the
//! program opens in which order. So a library is kept with what it finds by itself, besides what it finds in the programs that
//! were followed. One that finds nothing by itself lives on what others bring: the search path of who has it loaded, or a library
//! that is there already. It stays with those.

use std::rc::Rc;

use super::closure::Closure;
use super::files::Seen;
use super::loader::Process;
use super::processor::Processor;
use super::world::{World, file_name, join, parent};
use crate::elf::ElfKind;
use crate::error::Result;

/// Way in which a library is loaded where nothing else is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alone {
    /// The path in the system under which its `$ORIGIN` is the one that it has in programs.
    pub path: Vec<u8>,
    /// True if it finds all that it needs.
    pub whole: bool,
}

impl Closure<'_, '_> {
    /// Keeps what each library that this processor loads finds by itself.
    pub(super) fn follow_alone(&mut self, processor: Processor) -> Result<()> {
        let mut next = 0;
        while let Some((real, path)) = self.order.get(next).cloned() {
            next += 1;
            if !self.tried.insert((processor, real.clone())) {
                continue;
            }
            let Seen::Native(file) = self.files.read(&real)? else { continue };
            if file.kind != ElfKind::Shared {
                continue;
            }
            let start = || {
                let mut process = Process::new(processor);
                process.load(file.soname.as_deref().unwrap_or(&path), &path, real.clone(), Rc::clone(&file), None);
                process
            };
            let whole = self.is_loadable(&mut start(), 0);
            self.alone.entry(real.clone()).or_insert_with(|| Alone { path: path.clone(), whole });
            if !whole {
                continue;
            }
            let (mut process, mut linked, mut opened) = (start(), 0, 0);
            let known = self.order.len();
            self.link(&mut process, &mut linked)?;
            while opened < process.objects.len() {
                if self.loaded.get(&process.objects[opened].real).is_some_and(|number| *number >= known) {
                    self.open(&mut process, opened)?;
                    self.open_edges(&mut process, opened)?;
                    self.link(&mut process, &mut linked)?;
                }
                opened += 1;
            }
        }
        Ok(())
    }
}

/// The path of a file by which it has the `$ORIGIN` that it has when it is found at `path`; its own place where that is the same.
pub(super) fn by_origin(world: &World, path: &[u8], real: &[u8]) -> Vec<u8> {
    let Some(directory) = world.find(parent(path)).map(|found| found.real) else { return real.to_vec() };
    if directory == parent(real) { real.to_vec() } else { join(&directory, file_name(path)) }
}
