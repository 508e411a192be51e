//! Files that others open with `dlopen`, as their constants say.

use super::Rule;
use super::closure::Closure;
use super::files::Seen;
use super::loader::Process;
use super::world::{Found, file_name, join, parent};
use crate::elf::ElfKind;
use crate::error::Result;

impl Closure<'_, '_> {
    /// Loads what a loaded file's constants name, if it is where the file would find it in the ROCm tree.
    pub(super) fn open(&mut self, process: &mut Process, index: usize) -> Result<()> {
        let real = process.objects[index].real.clone();
        let names = self.files.constants(&real, &process.objects[index].file)?;
        let directories = self.directories(process, index);
        self.searched.entry(real.clone()).or_default().extend(directories.iter().cloned());
        for constant in names.iter() {
            let expanded = process.expand(self.world, index, constant);
            let mut places: Vec<_> = expanded.iter().flat_map(|name| self.places(name, &directories)).collect();
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

    /// Where a loaded file finds what it opens, by name or by a path that it puts together; which of the two, nothing says, so that
    /// the subdirectories for the processor count in any case.
    pub(super) fn directories(&self, process: &Process, index: usize) -> Vec<Vec<u8>> {
        let world = self.world;
        let mut directories = process.with_subdirectories(world, process.objects[index].origin.clone());
        directories.extend(process.search(world, index));
        directories.extend(process.with_subdirectories(world, join(&world.rocm.prefix, b"lib")));
        directories
    }

    /// The ROCm files that a constant may mean, each with the path that leads there: the first hit in the directories, or, for a name
    /// whose version is put on at run time, all versions there. A path is put behind one of the directories, as by a library that
    /// asks for its own place (`dladdr`), or behind that of the tree; where none has it, its last part is a name like any other.
    fn places(&self, constant: &[u8], directories: &[Vec<u8>]) -> Vec<(Vec<u8>, Found)> {
        let rocm = &self.world.rocm;
        let name = file_name(constant);
        if rocm.relative(constant).is_some() && !constant.ends_with(b".") {
            return self.rocm_file(constant.to_vec()).into_iter().collect();
        }
        if !self.names.in_rocm(name) {
            return Vec::new();
        }
        let names: Vec<&[u8]> =
            if name.ends_with(b".") { self.names.beginning_with(name).collect() } else { vec![name] };
        let first = |within: &[u8]| -> Vec<(Vec<u8>, Found)> {
            let found = |name: &&[u8]| {
                let all = directories.iter().chain((!within.is_empty()).then_some(&rocm.prefix));
                let mut paths = all.map(|directory| join(&[directory, within].concat(), name));
                paths.find_map(|path| self.rocm_file(path))
            };
            names.iter().filter_map(found).collect()
        };
        let within = parent(constant);
        if !within.is_empty() {
            let slash: &[u8] = if within.starts_with(b"/") { b"" } else { b"/" };
            let found = first(&[slash, within].concat());
            if !found.is_empty() {
                return found;
            }
        }
        first(b"")
    }

    /// The file of the ROCm tree that a path of the system leads to.
    fn rocm_file(&self, path: Vec<u8>) -> Option<(Vec<u8>, Found)> {
        let found = self.world.find(&path).filter(|found| !found.directory)?;
        self.world.rocm.relative(&found.real).is_some().then_some((path, found))
    }
}
