//! The closure of the roots over all libraries that are needed or may be opened.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Rule;
use super::elf_files::{ElfFiles, Inspected};
use super::ledger::Ledger;
use super::library_names::LibraryNames;
use super::loader::Process;
use super::mount::{Found, join};
use super::processor::Processor;
use super::standalone::{Standalone, by_origin};
use super::world::World;
use crate::elf::ElfFile;
use crate::error::{Error, Result};
use crate::recipe::Edge;
use crate::tree::path::file_name;
use crate::tree::{Node, is_path, show};

/// Programs of ROCm that are kept if the tree has them.
const TOOLS: [&str; 2] = ["hipconfig", "rocminfo"];

pub(super) struct Closure<'w, 'a> {
    pub(super) world: &'w World<'a>,
    pub(super) edges: &'w [Edge],
    pub(super) names: LibraryNames,
    pub(super) files: ElfFiles<'w, 'a>,
    pub ledger: Ledger,
    pub host: BTreeMap<String, BTreeSet<Vec<u8>>>,
    /// Every kept x86-64 file, by its real path.
    pub libraries: BTreeMap<Vec<u8>, Rc<ElfFile>>,
    /// Paths of the files that the plainest processor loads.
    pub plain: BTreeSet<Vec<u8>>,
    /// Files that each program maps when it starts, for each kind of processor.
    pub linked: BTreeMap<Vec<u8>, BTreeMap<Processor, BTreeSet<Vec<u8>>>>,
    /// Files that the current processor has loaded, in order, each with the path by which it has its `$ORIGIN`.
    pub(super) order: Vec<(Vec<u8>, Vec<u8>)>,
    /// Index of each file in `order`.
    pub(super) loaded: BTreeMap<Vec<u8>, usize>,
    /// Files that were loaded by themselves.
    pub(super) tried: BTreeSet<(Processor, Vec<u8>)>,
    /// Each library loaded by itself, on the plainest processor that loads it.
    pub standalone: BTreeMap<Vec<u8>, Standalone>,
    /// Directories in which each file looks for libraries that it opens.
    pub searched: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
    /// Programs that edges lead to.
    pub(super) programs: BTreeMap<Vec<u8>, Program>,
    /// Numbers of the edges from kept files.
    pub taken: BTreeSet<usize>,
    /// Numbers of the edges from kept files that lead to a file.
    pub met: BTreeSet<usize>,
    /// The loader that the first root names.
    pub interpreter: Option<Vec<u8>>,
}

/// A program that an edge leads to.
#[derive(Clone)]
pub(super) struct Program {
    pub found: Found,
    pub file: Rc<ElfFile>,
    /// Number of the edge.
    pub number: usize,
    /// File that the edge starts from.
    pub by: Vec<u8>,
}

impl<'w, 'a> Closure<'w, 'a> {
    pub fn new(world: &'w World<'a>, edges: &'w [Edge]) -> Self {
        Self {
            world,
            edges,
            names: LibraryNames::new(world),
            files: ElfFiles::new(world),
            ledger: Ledger::default(),
            host: BTreeMap::new(),
            libraries: BTreeMap::new(),
            plain: BTreeSet::new(),
            linked: BTreeMap::new(),
            order: Vec::new(),
            loaded: BTreeMap::new(),
            tried: BTreeSet::new(),
            standalone: BTreeMap::new(),
            searched: BTreeMap::new(),
            programs: BTreeMap::new(),
            taken: BTreeSet::new(),
            met: BTreeSet::new(),
            interpreter: None,
        }
    }

    /// Follows the process of each root, and of each of ROCm's tools, on each kind of processor.
    pub fn run(&mut self, roots: &[String]) -> Result<()> {
        for processor in Processor::all(self.world) {
            let plain = processor == Processor::PLAIN;
            let located = |error: Error| if plain { error } else { error.fact("processor", processor) };
            self.run_on(processor, roots).map_err(located)?;
            if plain {
                self.plain = self.libraries.keys().cloned().collect();
            }
        }
        Ok(())
    }

    fn run_on(&mut self, processor: Processor, roots: &[String]) -> Result<()> {
        self.order.clear();
        self.loaded.clear();
        for root in roots {
            let mut process = Process::new(processor);
            let path = self.start(&mut process, root)?;
            self.follow(&mut process, path, true)?;
        }
        for tool in TOOLS {
            let path = self.world.rocm.path(&join(b"bin", tool.as_bytes()));
            let Some(found) = self.world.find(&path).filter(|found| !found.directory) else { continue };
            // Scripts need an interpreter that is unknown here, so they are not part of a runtime.
            let Inspected::Native(file) = self.files.read(&found.real)? else { continue };
            self.ledger.keep_found(&found, Rule::Tool, None);
            let mut process = Process::new(processor);
            self.enter(&mut process, tool, found.real, file);
            self.follow(&mut process, path, false)?;
        }
        let mut followed = BTreeSet::new();
        loop {
            self.follow_standalone(processor)?;
            let next = self.programs.iter().find(|(real, _)| !followed.contains(*real)).map(|(_, one)| one.clone());
            let Some(Program { found, file, number, by }) = next else { return Ok(()) };
            followed.insert(found.real.clone());
            let path = found.links.first().unwrap_or(&found.real).clone();
            let mut trial = Process::new(processor);
            trial.load(&path, &path, found.real.clone(), Rc::clone(&file), None);
            if self.is_loadable(&mut trial, 0) {
                self.ledger.keep_found(&found, Rule::Data(number), Some(&by));
                let mut process = Process::new(processor);
                self.enter(&mut process, &show(&path), found.real, file);
                self.follow(&mut process, path, false)?;
            }
        }
    }

    /// Loads everything that the process of the program at `path` links and opens.
    fn follow(&mut self, process: &mut Process, path: Vec<u8>, backends: bool) -> Result<()> {
        let mut linked = 0;
        self.link(process, &mut linked)?;
        let mapped = process.objects.iter().map(|object| object.real.clone()).collect();
        self.linked.entry(path).or_default().insert(process.processor, mapped);
        if backends {
            self.open_backends(process)?;
            self.link(process, &mut linked)?;
        }
        let mut opened = 0;
        while opened < process.objects.len() {
            self.open_named(process, opened)?;
            self.open_edges(process, opened)?;
            opened += 1;
            self.link(process, &mut linked)?;
        }
        Ok(())
    }

    fn start(&mut self, process: &mut Process, root: &str) -> Result<Vec<u8>> {
        let path = join(&self.world.llama.path(b"bin"), root.as_bytes());
        let clean = is_path(root.as_bytes()) && !root.contains('/');
        let found = self.world.find(&path).filter(|found| clean && !found.directory);
        let found = found.ok_or_else(|| {
            Error::failure(format!("the build has no program `{}`", show(root.as_bytes()))).fact("path", show(&path))
        })?;
        self.ledger.keep_found(&found, Rule::Root, None);
        let machine = match self.files.read(&found.real)? {
            Inspected::Native(file) => {
                self.enter(process, root, found.real, file);
                return Ok(path);
            }
            Inspected::Foreign(machine) => machine,
            Inspected::NotElf => "no machine: not an ELF file".to_owned(),
        };
        let error = Error::failure("a root is not an x86-64 program");
        Err(self.ledger.explain(error, &found.real).fact("is for", machine))
    }

    /// Makes a program the first object of a process.
    fn enter(&mut self, process: &mut Process, name: &str, real: Vec<u8>, file: Rc<ElfFile>) {
        if let Some(interpreter) = &file.interpreter {
            self.interpreter.get_or_insert_with(|| interpreter.clone());
            self.host_needed(file_name(interpreter), &real);
        }
        self.load(process, name.as_bytes(), &real.clone(), real, file, None);
    }

    /// Loads the backends of llama.cpp, which it finds in the directories of its own files.
    fn open_backends(&mut self, process: &mut Process) -> Result<()> {
        let world = self.world;
        let backends = world.llama.below(b"").filter(|(path, node)| {
            let name = [b"bin/".as_slice(), b"lib/"].iter().find_map(|directory| path.strip_prefix(*directory));
            let fits = |name: &[u8]| name.starts_with(b"libggml-") && name.ends_with(b".so") && !name.contains(&b'/');
            !matches!(node, Node::Directory) && name.is_some_and(fits)
        });
        for (path, _) in backends {
            let path = world.llama.path(path);
            let Some(found) = world.find(&path).filter(|found| !found.directory) else { continue };
            let Inspected::Native(file) = self.files.read(&found.real)? else { continue };
            let root = process.objects[0].real.clone();
            self.ledger.keep_found(&found, Rule::Backend, Some(&root));
            self.load(process, &path, &path, found.real, file, Some(0));
        }
        Ok(())
    }

    pub(super) fn load(
        &mut self,
        process: &mut Process,
        name: &[u8],
        path: &[u8],
        real: Vec<u8>,
        file: Rc<ElfFile>,
        loader: Option<usize>,
    ) {
        self.libraries.insert(real.clone(), Rc::clone(&file));
        if !self.loaded.contains_key(&real) {
            self.loaded.insert(real.clone(), self.order.len());
            self.order.push((real.clone(), by_origin(self.world, path, &real)));
        }
        process.load(name, path, real, file, loader);
    }

    pub(super) fn host_needed(&mut self, name: &[u8], by: &[u8]) {
        self.host.entry(show(name)).or_default().insert(by.to_vec());
    }
}
