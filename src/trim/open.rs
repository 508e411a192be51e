//! What files open with `dlopen`, as their constants and the edges say.

use super::closure::Closure;
use super::files::Seen;
use super::loader::Process;
use super::world::{Found, file_name, join};
use super::{Rule, is_version_of, missing_edge};
use crate::elf::ElfKind;
use crate::error::Result;
use crate::recipe::Target;

impl Closure<'_, '_> {
    /// Loads what a loaded file's constants name, if it is where the file would find it in the ROCm tree.
    pub(super) fn open(&mut self, process: &mut Process, index: usize) -> Result<()> {
        let real = process.objects[index].real.clone();
        let names = self.files.constants(&real, &process.objects[index].file)?;
        let directories = self.directories(process, index);
        for constant in names.iter() {
            let mut places = self.places(constant, &directories);
            places.retain(|(_, found)| found.real != real);
            for (path, found) in places {
                // A guess from a string: what is no library is simply not what was meant.
                let Seen::Native(file) = self.files.read(&found.real)? else { continue };
                if file.kind != ElfKind::Shared {
                    continue;
                }
                self.ledger.keep_found(&found, Rule::Opened, Some(&real));
                self.load(process, file_name(&path), &path, found.real, file, Some(index));
            }
        }
        Ok(())
    }

    /// Loads what edges say that a loaded file opens.
    pub(super) fn open_edges(&mut self, process: &mut Process, index: usize) -> Result<()> {
        let object = &process.objects[index];
        let (real, soname) = (object.real.clone(), object.file.soname.clone());
        if self.world.rocm.relative(&real).is_none() {
            return Ok(());
        }
        let edges = self.edges;
        for (number, edge) in edges.iter().enumerate() {
            let Target::Library(library) = &edge.to else { continue };
            let own = [Some(file_name(&real)), soname.as_deref()];
            if !own.into_iter().flatten().any(|name| is_version_of(name, &edge.from)) {
                continue;
            }
            let directories = self.directories(process, index);
            let names = self.names.versions_of(library);
            // What the process has already is what it opens; then no other names for it are needed.
            if names.iter().any(|name| process.has(name)) {
                continue;
            }
            let mut there = false;
            for name in names {
                let path = directories
                    .iter()
                    .map(|directory| join(directory, &name))
                    .find(|path| self.world.find(path).is_some_and(|found| !found.directory));
                let Some((path, found)) = path.and_then(|path| Some((path.clone(), self.world.find(&path)?))) else {
                    continue;
                };
                let Seen::Native(file) = self.files.read(&found.real)? else { continue };
                there = true;
                self.ledger.keep_found(&found, Rule::Edge(number), Some(&real));
                self.load(process, &name, &path, found.real, file, Some(index));
            }
            if !there && edge.required {
                return Err(missing_edge(&self.ledger, &real, edge));
            }
        }
        Ok(())
    }

    /// Where a loaded file finds what it opens, by name or by a path that it puts together; which of the two, nothing says, so that
    /// the subdirectories for the processor count in any case.
    fn directories(&self, process: &Process, index: usize) -> Vec<Vec<u8>> {
        let world = self.world;
        let mut directories = process.with_subdirectories(world, process.objects[index].origin.clone());
        directories.extend(process.search(world, index));
        directories.extend(process.with_subdirectories(world, join(&world.rocm.prefix, b"lib")));
        directories
    }

    /// The ROCm files that a constant may mean: the first hit in the directories, or, for a name whose version is put
    /// on at run time, all versions there.
    fn places(&self, constant: &[u8], directories: &[Vec<u8>]) -> Vec<(Vec<u8>, Found)> {
        let rocm = &self.world.rocm;
        let find = |path: Vec<u8>| {
            let found = self.world.find(&path).filter(|found| !found.directory)?;
            rocm.relative(&found.real).is_some().then_some((path, found))
        };
        if rocm.relative(constant).is_some() && !constant.ends_with(b".") {
            return find(constant.to_vec()).into_iter().collect();
        }
        let name = file_name(constant);
        if !self.names.in_rocm(name) {
            return Vec::new();
        }
        if !name.ends_with(b".") {
            return directories.iter().find_map(|directory| find(join(directory, name))).into_iter().collect();
        }
        let known = self.names.beginning_with(name);
        known.filter_map(|name| directories.iter().find_map(|directory| find(join(directory, name)))).collect()
    }
}
