//! Libraries opened with `dlopen`, found by the names among a file's constants.

use super::Rule;
use super::closure::Closure;
use super::elf_files::Inspected;
use super::loader::Process;
use super::mount::{Found, join};
use crate::elf::ElfKind;
use crate::error::Result;
use crate::tree::path::{file_name, parent};

impl Closure<'_, '_> {
    /// Loads the libraries that a loaded file's constants name, if the file would find them in the ROCm tree.
    pub(super) fn open_named(&mut self, process: &mut Process, index: usize) -> Result<()> {
        let real = process.objects[index].real.clone();
        let names = self.files.constants(&real, &process.objects[index].file)?;
        let directories = self.directories(process, index);
        self.searched.entry(real.clone()).or_default().extend(directories.iter().cloned());
        for constant in names.iter() {
            let expanded = process.expand(self.world, index, constant);
            let mut candidates: Vec<_> = expanded.iter().flat_map(|name| self.candidates(name, &directories)).collect();
            candidates.retain(|(_, found)| found.real != real);
            for (path, found) in candidates {
                // The constant is a guess: if it names no library, it means something else.
                let Inspected::Native(file) = self.files.read(&found.real)? else { continue };
                if file.kind != ElfKind::Shared {
                    continue;
                }
                self.ledger.keep_found(&found, Rule::Opened, Some(&real));
                self.load(process, file_name(&path), &path, found.real, file, Some(index));
            }
        }
        Ok(())
    }

    /// Returns the directories in which a loaded file finds what it opens, by name or by a path that it puts together.
    /// Nothing tells which of the two it does, so the subdirectories for the processor count in any case.
    pub(super) fn directories(&self, process: &Process, index: usize) -> Vec<Vec<u8>> {
        let world = self.world;
        let mut directories = process.with_subdirectories(world, process.objects[index].origin.clone());
        directories.extend(process.search(world, index));
        directories.extend(process.with_subdirectories(world, join(&world.rocm.prefix, b"lib")));
        directories
    }

    /// Returns the ROCm files that a constant may mean, each with the path that leads there: the first hit in the
    /// directories or, if the version is appended at run time, all versions there. A constant with slashes is appended
    /// to each directory, as by a library that asks for its own path (`dladdr`), and to the tree's root. If that finds
    /// nothing, its last part is looked up as a name.
    fn candidates(&self, constant: &[u8], directories: &[Vec<u8>]) -> Vec<(Vec<u8>, Found)> {
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

    /// Returns the file of the ROCm tree that a path of the system leads to.
    fn rocm_file(&self, path: Vec<u8>) -> Option<(Vec<u8>, Found)> {
        let found = self.world.find(&path).filter(|found| !found.directory)?;
        self.world.rocm.relative(&found.real).is_some().then_some((path, found))
    }
}
