//! Files that others open by an edge: libraries, and everything loadable in a directory.

use std::rc::Rc;

use super::closure::{Closure, Program};
use super::data::below;
use super::elf_files::Inspected;
use super::loader::Process;
use super::mount::{Found, join};
use super::{Rule, is_version_of, missing_edge};
use crate::elf::{ElfFile, ElfKind};
use crate::error::Result;
use crate::recipe::Target;
use crate::tree::path::{file_name, parent};

impl Closure<'_, '_> {
    /// Loads the files that a loaded file opens by an edge.
    pub(super) fn open_edges(&mut self, process: &mut Process, index: usize) -> Result<()> {
        let object = &process.objects[index];
        let (real, soname) = (object.real.clone(), object.file.soname.clone());
        let edges = self.edges;
        for (number, edge) in edges.iter().enumerate() {
            let own = [Some(file_name(&real)), soname.as_deref()];
            if !own.into_iter().flatten().any(|name| is_version_of(name, &edge.from)) {
                continue;
            }
            self.taken.insert(number);
            let met = match &edge.to {
                Target::Library(library) => self.open_library(process, index, number, library)?,
                Target::Path(path) => self.open_path(process, index, number, path),
                Target::Kernels(_) => continue,
            };
            if met {
                self.met.insert(number);
            } else if edge.required {
                return Err(missing_edge(&self.ledger, &real, edge));
            }
        }
        Ok(())
    }

    /// Loads a library from the directories in which the file looks or, if it is not there, from anywhere in the tree.
    /// Returns whether there is one.
    fn open_library(&mut self, process: &mut Process, index: usize, number: usize, library: &str) -> Result<bool> {
        let (within, name) = (parent(library.as_bytes()), library.rsplit('/').next().unwrap_or(library));
        let names = self.names.versions_of(name);
        // If the process has loaded the library already, opening it by name gives that one.
        if within.is_empty() && names.iter().any(|name| process.has(name)) {
            return Ok(true);
        }
        let rocm = self.world.rocm.prefix.clone();
        let mut directories = self.directories(process, index);
        if !within.is_empty() {
            directories.push(rocm);
            directories = directories.iter().map(|directory| join(directory, within)).collect();
        }
        let mut all: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for name in &names {
            let paths = directories.iter().map(|directory| join(directory, name));
            let path = { paths }.find(|path| self.world.find(path).is_some_and(|found| !found.directory));
            all.extend(path.map(|path| (if within.is_empty() { name.clone() } else { path.clone() }, path)));
        }
        if all.is_empty() && within.is_empty() {
            // The library is opened by an unknown path.
            let paths = names.iter().flat_map(|name| self.names.paths(name));
            all = paths.map(|path| (path.clone(), path.clone())).collect();
        }
        let mut there = false;
        for (known_as, path) in all {
            let Some(found) = self.world.find(&path).filter(|found| !found.directory) else { continue };
            let Inspected::Native(file) = self.files.read(&found.real)? else { continue };
            there = true;
            let by = process.objects[index].real.clone();
            self.ledger.keep_found(&found, Rule::Edge(number), Some(&by));
            self.load(process, &known_as, &path, found.real, file, Some(index));
        }
        Ok(there)
    }

    /// Loads the libraries at a path that a file reads, such as a directory of plugins, and remembers the programs
    /// there. Files that cannot be loaded are only read. Returns whether the path exists.
    fn open_path(&mut self, process: &mut Process, index: usize, number: usize, path: &str) -> bool {
        let Some(found) = self.world.find(&self.world.rocm.path(path.as_bytes())) else { return false };
        let all = if found.directory { below(self.world, &found, &mut |_| true) } else { vec![found] };
        for found in all.into_iter().filter(|found| !found.directory) {
            let Ok(Inspected::Native(file)) = self.files.read(&found.real) else { continue };
            match file.kind {
                ElfKind::Shared => self.open_plugin(process, index, number, &found, file),
                ElfKind::Executable => {
                    let by = process.objects[index].real.clone();
                    self.programs.entry(found.real.clone()).or_insert(Program { found, file, number, by });
                }
                ElfKind::Other => {}
            }
        }
        true
    }

    fn open_plugin(&mut self, process: &mut Process, index: usize, number: usize, found: &Found, file: Rc<ElfFile>) {
        let path = found.links.first().unwrap_or(&found.real);
        let mut trial = process.clone();
        let first = trial.objects.len();
        trial.load(path, path, found.real.clone(), Rc::clone(&file), Some(index));
        if self.is_loadable(&mut trial, first) {
            let by = process.objects[index].real.clone();
            self.ledger.keep_found(found, Rule::Data(number), Some(&by));
            self.load(process, path, path, found.real.clone(), file, Some(index));
        }
    }
}
