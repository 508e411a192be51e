//! One process and what it has loaded, with the search rules of ld.so.
//!
//! The order is that of ld.so: the `DT_RPATH` of the file that needs something and of all that led to it, for as long as that file
//! has no `DT_RUNPATH`, or else its `DT_RUNPATH` alone; then the system's own directories. In each directory its subdirectories for
//! the processor come first ([`Processor`]).
//!
//! Not modelled, because no ROCm or llama.cpp file uses it: directories relative to the working directory, which are passed
//! over; `-z nodefaultlib`. The proof, which asks ld.so itself, would tell.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::processor::Processor;
use super::tokens::Tokens;
use super::world::{World, join, parent};
use crate::elf::ElfFile;

/// A file that the process has loaded.
#[derive(Clone)]
pub(super) struct Object {
    /// Its place, all links followed.
    pub real: Vec<u8>,
    /// What `$ORIGIN` stands for: the directory in which it was found. A library's own link is not followed for that.
    pub origin: Vec<u8>,
    pub file: Rc<ElfFile>,
    /// Who had it loaded: of that one, `DT_RPATH` is inherited.
    loader: Option<usize>,
}

/// A program and what was loaded into it, in order.
#[derive(Clone)]
pub(super) struct Process {
    pub objects: Vec<Object>,
    /// What it runs on.
    pub processor: Processor,
    /// The names of what the base system must have, and the file there, where it is known.
    base: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    names: BTreeMap<Vec<u8>, usize>,
    places: BTreeMap<Vec<u8>, usize>,
}

impl Process {
    pub fn new(processor: Processor) -> Self {
        Self { objects: Vec::new(), processor, base: BTreeMap::new(), names: BTreeMap::new(), places: BTreeMap::new() }
    }

    /// Loads a file under the name by which it was asked for; one that is there already only gets the name.
    pub fn load(&mut self, name: &[u8], path: &[u8], real: Vec<u8>, file: Rc<ElfFile>, loader: Option<usize>) {
        let next = self.objects.len();
        let index = *self.places.entry(real.clone()).or_insert(next);
        self.names.entry(name.to_vec()).or_insert(index);
        if index == next {
            if let Some(soname) = &file.soname {
                self.names.entry(soname.clone()).or_insert(index);
            }
            self.objects.push(Object { real, origin: parent(path).to_vec(), file, loader });
        }
    }

    /// Notes that a library comes from the base system, and which file it is there.
    pub fn load_base(&mut self, name: &[u8], real: Option<Vec<u8>>) {
        self.base.insert(name.to_vec(), real);
    }

    /// Whether a library with this name is there; then ld.so looks no further.
    pub fn has(&self, name: &[u8]) -> bool {
        self.names.contains_key(name)
    }

    /// What is there with this name.
    pub fn named(&self, name: &[u8]) -> Option<&Object> {
        self.names.get(name).and_then(|index| self.objects.get(*index))
    }

    /// The file of the base system that has this name, where a search path led to it.
    pub fn base_place(&self, name: &[u8]) -> Option<&[u8]> {
        self.base.get(name)?.as_deref()
    }

    /// Whether the library with this name comes from the base system.
    pub fn has_base(&self, name: &[u8]) -> bool {
        self.base.contains_key(name)
    }

    /// What a text of `index` may be with its tokens put in: one, unless `$LIB` is in it and the base system is not known.
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

    /// Where ld.so looks for what `index` needs, in order: the name under which it is known then, and the path.
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

    /// The directories that ld.so looks through for what `index` needs, in order.
    pub fn search(&self, world: &World, index: usize) -> Vec<Vec<u8>> {
        let object = &self.objects[index];
        let mut directories = Vec::new();
        let mut add = |object: &Object, paths: &[Vec<u8>]| {
            let paths = paths.iter().flat_map(|path| self.expand_at(world, &object.origin, path));
            directories.extend(paths.filter(|path| path.starts_with(b"/")));
        };
        if object.file.runpath.is_empty() {
            // The whole line of loaders hands its RPATH down, except for those that have a RUNPATH.
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
            // The system's search path. ROCm's own libraries find each other without it, and one that does not is a
            // sign of a damaged tree, so it is not for them.
            directories.push(join(&world.rocm.prefix, b"lib"));
        }
        directories.into_iter().flat_map(|directory| self.with_subdirectories(world, directory)).collect()
    }

    /// A directory behind those in it that are for this processor.
    pub fn with_subdirectories(&self, world: &World, directory: Vec<u8>) -> Vec<Vec<u8>> {
        let is_directory = |path: &Vec<u8>| world.find(path).is_some_and(|found| found.directory);
        let mut all: Vec<_> = self.processor.subdirectories().map(|inner| join(&directory, inner)).collect();
        all.retain(is_directory);
        all.push(directory);
        all
    }
}
