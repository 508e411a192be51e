//! A process and the files that it has loaded, with the search rules of ld.so.
//!
//! The search order is that of ld.so. If the file that needs a library has a `DT_RUNPATH`, only that is searched.
//! Otherwise its `DT_RPATH` and those of the files that led to it are. Then come the system's default directories. In
//! each directory the subdirectories for the processor come first ([`Processor`]).
//!
//! Directories relative to the working directory are skipped, and `-z nodefaultlib` is not modelled, because no ROCm or
//! llama.cpp file uses them. The proof, which asks ld.so itself, would show it.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::mount::join;
use super::processor::Processor;
use super::tokens::Tokens;
use super::world::World;
use crate::elf::ElfFile;
use crate::tree::path::parent;

/// A file that the process has loaded.
#[derive(Clone)]
pub(super) struct Object {
    /// The real path.
    pub real: Vec<u8>,
    /// The value of `$ORIGIN`: the directory in which the file was found, before its own link is followed.
    pub origin: Vec<u8>,
    pub file: Rc<ElfFile>,
    /// Index of the file that had this one loaded, whose `DT_RPATH` is inherited.
    loader: Option<usize>,
}

/// A program and the files loaded for it, in order.
#[derive(Clone)]
pub(super) struct Process {
    pub objects: Vec<Object>,
    /// The processor that the process runs on.
    pub processor: Processor,
    /// Names of libraries of the base system, each with its file if that is known.
    base: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Index of the object with each name.
    names: BTreeMap<Vec<u8>, usize>,
    /// Index of the object with each real path.
    paths: BTreeMap<Vec<u8>, usize>,
}

impl Process {
    pub fn new(processor: Processor) -> Self {
        Self { objects: Vec::new(), processor, base: BTreeMap::new(), names: BTreeMap::new(), paths: BTreeMap::new() }
    }

    /// Loads a file under the requested name. A file that is loaded already only gets the name.
    pub fn load(&mut self, name: &[u8], path: &[u8], real: Vec<u8>, file: Rc<ElfFile>, loader: Option<usize>) {
        let next = self.objects.len();
        let index = *self.paths.entry(real.clone()).or_insert(next);
        self.names.entry(name.to_vec()).or_insert(index);
        if index == next {
            if let Some(soname) = &file.soname {
                self.names.entry(soname.clone()).or_insert(index);
            }
            self.objects.push(Object { real, origin: parent(path).to_vec(), file, loader });
        }
    }

    /// Records that a library comes from the base system, and its file there.
    pub fn load_base(&mut self, name: &[u8], real: Option<Vec<u8>>) {
        self.base.insert(name.to_vec(), real);
    }

    /// Returns whether a library with this name is loaded. If so, ld.so searches no further.
    pub fn has(&self, name: &[u8]) -> bool {
        self.names.contains_key(name)
    }

    /// Returns the loaded file with this name.
    pub fn named(&self, name: &[u8]) -> Option<&Object> {
        self.names.get(name).and_then(|index| self.objects.get(*index))
    }

    /// Returns the file of the base system with this name, if a search path led to it.
    pub fn base_path(&self, name: &[u8]) -> Option<&[u8]> {
        self.base.get(name)?.as_deref()
    }

    /// Returns whether the library with this name comes from the base system.
    pub fn has_base(&self, name: &[u8]) -> bool {
        self.base.contains_key(name)
    }

    /// Returns a text of object `index` with its tokens expanded: one result, unless it has `$LIB` and the base system
    /// is unknown.
    pub fn expand(&self, world: &World, index: usize, text: &[u8]) -> Vec<Vec<u8>> {
        self.expand_at(world, &self.objects[index].origin, text)
    }

    fn expand_at(&self, world: &World, origin: &[u8], text: &[u8]) -> Vec<Vec<u8>> {
        let platform = self.processor.platform();
        let mut all: Vec<_> =
            world.libs.iter().filter_map(|lib| Tokens { origin, platform, lib }.expand(text)).collect();
        all.dedup();
        all
    }

    /// Returns the candidates of ld.so for a name that object `index` needs, in order: the name with tokens expanded,
    /// and the path.
    pub fn candidates(&self, world: &World, index: usize, needed: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all = Vec::new();
        for name in self.expand(world, index, needed) {
            if name.contains(&b'/') {
                all.extend(name.starts_with(b"/").then(|| (name.clone(), name)));
            } else {
                let paths = self.search(world, index).into_iter().map(|directory| join(&directory, &name));
                all.extend(paths.map(|path| (name.clone(), path)));
            }
        }
        all
    }

    /// Returns the directories that ld.so searches for the needs of object `index`, in order.
    pub fn search(&self, world: &World, index: usize) -> Vec<Vec<u8>> {
        let object = &self.objects[index];
        let mut directories = Vec::new();
        let mut add = |object: &Object, paths: &[Vec<u8>]| {
            let paths = paths.iter().flat_map(|path| self.expand_at(world, &object.origin, path));
            directories.extend(paths.filter(|path| path.starts_with(b"/")));
        };
        if object.file.runpath.is_empty() {
            // The RPATH of every loader in the chain is inherited, except of those that have a RUNPATH.
            let mut next = Some(index);
            while let Some(object) = next.map(|index| &self.objects[index]) {
                if object.file.runpath.is_empty() {
                    add(object, &object.file.rpath);
                }
                next = object.loader;
            }
        } else {
            add(object, &object.file.runpath);
        }
        if world.llama.relative(&object.real).is_some() {
            // The search path that images set. It does not count for ROCm's own libraries: they find each other without
            // it, and one that does not is a sign of a damaged tree.
            directories.push(join(&world.rocm.prefix, b"lib"));
        }
        directories.into_iter().flat_map(|directory| self.with_subdirectories(world, directory)).collect()
    }

    /// Returns the subdirectories of a directory for this processor, then the directory itself.
    pub fn with_subdirectories(&self, world: &World, directory: Vec<u8>) -> Vec<Vec<u8>> {
        let is_directory = |path: &Vec<u8>| world.find(path).is_some_and(|found| found.directory);
        let mut all: Vec<_> = self.processor.subdirectories().map(|inner| join(&directory, inner)).collect();
        all.retain(is_directory);
        all.push(directory);
        all
    }
}
