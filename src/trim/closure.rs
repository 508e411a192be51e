//! From the roots over all libraries that are needed or may be opened.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Rule;
use super::files::{Files, Seen};
use super::ledger::Ledger;
use super::loader::{Process, expand};
use super::names::Names;
use super::world::{Found, World, file_name, join, parent};
use super::{is_version_of, missing_edge};
use crate::elf::{ElfFile, ElfKind};
use crate::error::{Error, Result};
use crate::recipe::{Edge, Target};
use crate::tree::{Node, is_path, show};

/// The programs of ROCm that are kept where the tree has them.
const TOOLS: [&str; 2] = ["hipconfig", "rocminfo"];

pub(super) struct Closure<'w, 'a> {
    world: &'w World<'a>,
    edges: &'w [Edge],
    names: Names,
    files: Files<'w, 'a>,
    pub ledger: Ledger,
    pub host: BTreeMap<String, BTreeSet<Vec<u8>>>,
    /// Every x86-64 file that is kept, by its place.
    pub libraries: BTreeMap<Vec<u8>, Rc<ElfFile>>,
    /// What each program maps when it starts.
    pub linked: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
    /// The loader that the first root names.
    pub interpreter: Option<Vec<u8>>,
}

impl<'w, 'a> Closure<'w, 'a> {
    pub fn new(world: &'w World<'a>, edges: &'w [Edge]) -> Self {
        Self {
            world,
            edges,
            names: Names::new(world),
            files: Files::new(world),
            ledger: Ledger::default(),
            host: BTreeMap::new(),
            libraries: BTreeMap::new(),
            linked: BTreeMap::new(),
            interpreter: None,
        }
    }

    /// Follows each root, and each of ROCm's tools, as the process that it becomes.
    pub fn run(&mut self, roots: &[String]) -> Result<()> {
        for root in roots {
            let mut process = Process::default();
            let path = self.start(&mut process, root)?;
            self.follow(&mut process, path, true)?;
        }
        for tool in TOOLS {
            let path = self.world.rocm.path(&join(b"bin", tool.as_bytes()));
            let Some(found) = self.world.find(&path).filter(|found| !found.directory) else { continue };
            // A script needs an interpreter that nothing here knows of; it is no part of a runtime.
            let Seen::Native(file) = self.files.read(&found.real)? else { continue };
            self.ledger.keep_found(&found, Rule::Tool, None);
            let mut process = Process::default();
            self.enter(&mut process, tool, found.real, file);
            self.follow(&mut process, path, false)?;
        }
        Ok(())
    }

    /// Loads all that the process of the program at `path` links and opens.
    fn follow(&mut self, process: &mut Process, path: Vec<u8>, backends: bool) -> Result<()> {
        let mut linked = 0;
        self.link(process, &mut linked)?;
        let mapped = process.objects.iter().map(|object| object.real.clone()).collect();
        self.linked.insert(path, mapped);
        if backends {
            self.open_backends(process)?;
            self.link(process, &mut linked)?;
        }
        let mut opened = 0;
        while opened < process.objects.len() {
            self.open(process, opened)?;
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
            Error::failure(format!("the llama.cpp build has no program `{}`", show(root.as_bytes())))
                .fact("path", show(&path))
        })?;
        self.ledger.keep_found(&found, Rule::Root, None);
        let machine = match self.files.read(&found.real)? {
            Seen::Native(file) => {
                self.enter(process, root, found.real, file);
                return Ok(path);
            }
            Seen::Foreign(machine) => machine,
            Seen::NoElf => "no machine: it is no ELF file".to_owned(),
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

    /// llama.cpp opens its backends by looking through the directories of its own files.
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
            let Seen::Native(file) = self.files.read(&found.real)? else { continue };
            let root = process.objects[0].real.clone();
            self.ledger.keep_found(&found, Rule::Backend, Some(&root));
            self.load(process, &path, &path, found.real, file, Some(0));
        }
        Ok(())
    }

    /// Loads what the loaded files need, in the order of ld.so.
    fn link(&mut self, process: &mut Process, linked: &mut usize) -> Result<()> {
        while *linked < process.objects.len() {
            let file = Rc::clone(&process.objects[*linked].file);
            for name in &file.needed {
                if !process.has(name) {
                    self.need(process, *linked, name)?;
                }
            }
            *linked += 1;
        }
        Ok(())
    }

    fn need(&mut self, process: &mut Process, index: usize, name: &[u8]) -> Result<()> {
        let object = &process.objects[index];
        let paths: Vec<Vec<u8>> = if name.contains(&b'/') {
            expand(name, &object.origin).into_iter().collect()
        } else {
            process.search(self.world, index).iter().map(|directory| join(directory, name)).collect()
        };
        let by = object.real.clone();
        let mut passed_over = Vec::new();
        for path in &paths {
            let Some(found) = self.world.find(path).filter(|found| !found.directory) else { continue };
            match self.files.read(&found.real)? {
                Seen::Native(file) => {
                    self.ledger.keep_found(&found, Rule::Needed, Some(&by));
                    self.load(process, name, path, found.real, file, Some(index));
                    return Ok(());
                }
                // ld.so passes over libraries for other processors, and fails at anything else.
                Seen::Foreign(machine) => passed_over.push(format!("{} is for {machine}", show(&found.real))),
                Seen::NoElf => {
                    let error = Error::failure("a needed library is not an ELF file");
                    return Err(self.ledger.explain(error, &by).fact("needs", show(path)));
                }
            }
        }
        if let Some(error) = self.names.judge(name) {
            let mut error = self.ledger.explain(error, &by).fact("missing", show(name));
            for path in &paths {
                // A person knows a directory by its own name, not by the way there.
                let directory = self.world.find(parent(path)).map_or(parent(path).to_vec(), |found| found.real);
                error = error.fact("looked in", show(&directory));
            }
            for path in self.names.elsewhere(name) {
                error = error.fact("there is", show(&path));
            }
            error = passed_over.into_iter().fold(error, |error, text| error.fact("passed over", text));
            return Err(error);
        }
        self.host_needed(name, &by);
        Ok(())
    }

    /// Loads what a loaded file's constants name, if it is where the file would find it in the ROCm tree.
    fn open(&mut self, process: &mut Process, index: usize) -> Result<()> {
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
    fn open_edges(&mut self, process: &mut Process, index: usize) -> Result<()> {
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

    /// Where a loaded file finds what it opens.
    fn directories(&self, process: &Process, index: usize) -> Vec<Vec<u8>> {
        let mut directories = vec![process.objects[index].origin.clone()];
        directories.extend(process.search(self.world, index));
        directories.push(join(&self.world.rocm.prefix, b"lib"));
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

    fn load(
        &mut self,
        process: &mut Process,
        name: &[u8],
        path: &[u8],
        real: Vec<u8>,
        file: Rc<ElfFile>,
        loader: Option<usize>,
    ) {
        self.libraries.insert(real.clone(), Rc::clone(&file));
        process.load(name, path, real, file, loader);
    }

    fn host_needed(&mut self, name: &[u8], by: &[u8]) {
        self.host.entry(show(name)).or_default().insert(by.to_vec());
    }
}
