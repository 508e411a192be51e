//! The closure of engine, loader and drivers over all libraries that are needed or may be opened.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::manifest::{self, Manifest};
use super::{Collected, Contents, Kept, LOADER, Request, Rule, is_libc};
use crate::deb::owners;
use crate::elf::{Elf, ElfFile, ElfKind, FileBytes};
use crate::error::{About as _, Error, Kind, Result};
use crate::recipe::vulkan::{MANIFESTS, driver_data};
use crate::suggest::suggest;
use crate::tree::path::{file_name, parent};
use crate::tree::{Node, show};
use crate::trim::{Base, Mounted};

/// Collects the files of a Vulkan runtime.
///
/// Fails if the root lacks a driver or a library, and shows the chain that leads there, or if the engine does not use
/// Vulkan.
pub fn collect(request: &Request) -> Result<Collected> {
    let mut collector = Collector::new(request);
    let uses_loader = collector.engine()?;
    let Some(user) = uses_loader else {
        return Err(Error::new(Kind::Invalid, "the engine does not use Vulkan")
            .fact("expected", format!("a file that needs {LOADER}"))
            .hint("a build of llama.cpp with `backend = \"vulkan\"` does"));
    };
    collector.library(LOADER.as_bytes(), Rule::Loader, &user, &[])?;
    for driver in request.drivers {
        collector.driver(driver)?;
    }
    collector.follow()?;
    collector.data();
    collector.licences()?;
    Ok(collector.result)
}

/// A library whose own needs are still to be looked up.
struct Open {
    /// Its path in the root or in the engine's tree, on disk.
    file: PathBuf,
    /// Its real path in the system as it was built.
    real: Vec<u8>,
    /// Its path in the system that runs it.
    installed: Vec<u8>,
    elf: ElfFile,
}

/// The library of a driver.
struct DriverFile {
    /// Its name, as the manifest has it.
    name: Vec<u8>,
    /// Its real path in the root.
    real: Vec<u8>,
    elf: ElfFile,
}

struct Collector<'a> {
    request: &'a Request<'a>,
    root: Base<'a>,
    /// Names of the engine's own libraries.
    own: BTreeSet<Vec<u8>>,
    /// The first name in the tree of each file of the root, by real path.
    first: BTreeMap<Vec<u8>, Vec<u8>>,
    open: VecDeque<Open>,
    result: Collected,
}

impl<'a> Collector<'a> {
    fn new(request: &'a Request<'a>) -> Self {
        let result = Collected { prefix: request.prefix.as_bytes().to_vec(), ..Collected::default() };
        Self {
            request,
            root: Base::new(request.root),
            own: BTreeSet::new(),
            first: BTreeMap::new(),
            open: VecDeque::new(),
            result,
        }
    }

    /// Enters the engine's programs and libraries. Returns the path in the system of the first that uses the Vulkan
    /// loader: that needs it, or has its name among its constants.
    fn engine(&mut self) -> Result<Option<Vec<u8>>> {
        let Mounted { dir, listing, prefix } = self.request.engine;
        let (mut needing, mut naming) = (None, None);
        for entry in listing.entries() {
            let name = file_name(&entry.path);
            let is_library =
                matches!(parent(&entry.path), b"lib" | b"bin") && name.windows(3).any(|part| part == b".so");
            if is_library {
                self.own.insert(name.to_vec());
            }
            let Node::File { .. } = entry.node else { continue };
            let file = dir.join(OsStr::from_bytes(&entry.path));
            let installed = [prefix.as_bytes(), b"/", &entry.path].concat();
            let Some(elf) = native(&file)? else { continue };
            if elf.needed.iter().any(|name| name == LOADER.as_bytes()) {
                needing.get_or_insert_with(|| installed.clone());
            } else if naming.is_none() && has_name(&file, &elf)? {
                naming = Some(installed.clone());
            }
            self.open.push_back(Open { file, real: installed.clone(), installed, elf });
        }
        Ok(needing.or(naming))
    }

    /// Keeps a driver: its manifest, and the library that the manifest names.
    fn driver(&mut self, name: &str) -> Result<()> {
        let manifests: Vec<Vec<u8>> =
            manifest::DIRECTORIES.iter().flat_map(|directory| self.root.below(directory.as_bytes())).collect();
        let names: BTreeSet<&str> = manifests.iter().filter_map(|path| manifest::driver(file_name(path))).collect();
        let mut foreign = None;
        for path in manifests.iter().filter(|path| manifest::driver(file_name(path)) == Some(name)) {
            let Some(file) = self.root.find(path).and_then(|found| self.root.on_disk(&found.real)) else { continue };
            let manifest = Manifest::read(&file, path)?;
            let library = self.resolve(&manifest.library, path);
            let place = format!("{MANIFESTS}/{name}_icd.json").into_bytes();
            let Some(DriverFile { name: library, real, elf }) = library? else {
                foreign = Some((path, manifest.library));
                continue;
            };
            if is_libc(&elf) {
                return Err(Error::new(Kind::Invalid, "the manifest of a Vulkan driver names a part of the C library")
                    .fact("manifest", show(path))
                    .fact("library", show(&real)));
            }
            let text = manifest.with_library(&format!("../../../lib/{}", show(&library)));
            self.result
                .kept
                .insert(place.clone(), Kept { contents: Contents::Text(text), rule: Rule::Manifest, by: None });
            let by = self.result.installed(&place);
            self.keep(&library, real, elf, Rule::Driver, &by);
            self.result.drivers.insert([b"lib/", library.as_slice()].concat());
            return Ok(());
        }
        if let Some((path, library)) = foreign {
            return Err(Error::failure(format!("the root lacks the library of the Vulkan driver `{name}`"))
                .fact("manifest", show(path))
                .fact("library", show(&library)));
        }
        let error = Error::new(Kind::NotFound, format!("the root has no Vulkan driver `{name}`"));
        Err(if names.is_empty() {
            error.hint("add `mesa-vulkan-drivers` to the packages of the root")
        } else {
            error
                .fact("it has", names.iter().copied().collect::<Vec<_>>().join(", "))
                .hint(suggest(name, names.iter().copied()))
        })
    }

    /// Finds a driver as the loader does: its path, relative to the manifest if it has a slash, or its name.
    fn resolve(&self, library: &[u8], manifest: &[u8]) -> Result<Option<DriverFile>> {
        let found = if library.starts_with(b"/") {
            self.root.find(library)
        } else if library.contains(&b'/') {
            self.root.find(&[parent(manifest), b"/", library].concat())
        } else {
            self.root.library(library)
        };
        let Some(found) = found else { return Ok(None) };
        let Some(elf) = self.elf(&found.real)? else { return Ok(None) };
        Ok(Some(DriverFile { name: file_name(library).to_vec(), real: found.real, elf }))
    }

    /// Reads a file of the root. `None` if it is no x86-64 ELF file.
    fn elf(&self, real: &[u8]) -> Result<Option<ElfFile>> {
        self.root.on_disk(real).map_or(Ok(None), |file| native(&file))
    }

    /// Keeps the library that ld.so finds by a name in these directories or in its own, or lists it as the system's.
    fn library(&mut self, name: &[u8], rule: Rule, by: &[u8], directories: &[Vec<u8>]) -> Result<bool> {
        let place = [b"lib/", name].concat();
        if self.result.kept.contains_key(&place) {
            return Ok(true);
        }
        let beside = directories.iter().map(|directory| [directory.as_slice(), b"/", name].concat());
        let paths = beside.filter_map(|path| self.root.find(&path)).chain(self.root.library(name));
        let mut found = None;
        for path in paths {
            if let Some(elf) = self.elf(&path.real)? {
                found = Some((path.real, elf));
                break;
            }
        }
        let Some((real, elf)) = found else { return Ok(false) };
        if is_libc(&elf) {
            self.result.host.entry(name.to_vec()).or_default().insert(by.to_vec());
        } else {
            self.keep(name, real, elf, rule, by);
        }
        Ok(true)
    }

    /// Keeps a library under a name. A second name of one file is a link, so that a process loads it once.
    fn keep(&mut self, name: &[u8], real: Vec<u8>, elf: ElfFile, rule: Rule, by: &[u8]) {
        let place = [b"lib/", name].concat();
        if self.result.kept.contains_key(&place) {
            return;
        }
        let installed = self.result.installed(&place);
        let kept = if let Some(first) = self.first.get(&real) {
            let by = self.result.installed(&[b"lib/", first.as_slice()].concat());
            Kept { contents: Contents::Link(first.clone()), rule: Rule::Name, by: Some(by) }
        } else {
            self.first.insert(real.clone(), name.to_vec());
            if let Some(file) = self.root.on_disk(&real) {
                self.open.push_back(Open { file, real: real.clone(), installed, elf });
            }
            Kept { contents: Contents::File(real), rule, by: Some(by.to_vec()) }
        };
        self.result.kept.insert(place, kept);
    }

    /// Keeps what all entered files need, and what those need.
    fn follow(&mut self) -> Result<()> {
        while let Some(Open { file, real, installed, elf }) = self.open.pop_front() {
            let own = |collector: &Self, name: &[u8]| collector.own.contains(name) && !collector.is_of_root(&installed);
            let directories = search_path(&elf, &real);
            let filters = elf.filters.iter().map(|filter| (&filter.library, filter.optional));
            for (name, optional) in elf.needed.iter().map(|name| (name, false)).chain(filters) {
                if !own(self, name) && !self.library(name, Rule::Needed, &installed, &directories)? && !optional {
                    return Err(self.missing(name, &installed));
                }
            }
            if let Some(interpreter) = &elf.interpreter {
                let name = file_name(interpreter).to_vec();
                self.result.host.entry(name).or_default().insert(installed.clone());
            }
            let source = FileBytes::open(&file);
            let names = source.and_then(|source| elf.soname_constants(&source)).about(file.display().to_string())?;
            for name in names.iter().filter(|name| !name.contains(&b'/') && !name.ends_with(b".")) {
                if !own(self, name) && Some(name) != elf.soname.as_ref() && self.is_shared(name)? {
                    self.library(name, Rule::Opened, &installed, &directories)?;
                }
            }
        }
        Ok(())
    }

    fn is_of_root(&self, installed: &[u8]) -> bool {
        installed.strip_prefix(self.result.prefix.as_slice()).is_some_and(|rest| rest.starts_with(b"/"))
    }

    /// Returns true if the root has a shared library of this name. Names that only compilers use are links to them.
    fn is_shared(&self, name: &[u8]) -> Result<bool> {
        let Some(found) = self.root.library(name) else { return Ok(false) };
        let elf = self.elf(&found.real)?;
        Ok(elf.is_some_and(|elf| elf.kind == ElfKind::Shared && elf.soname.as_deref() == Some(name)))
    }

    /// Keeps the files that kept libraries read.
    fn data(&mut self) {
        for (number, data) in driver_data().iter().enumerate() {
            let reads = |path: &&[u8]| file_name(path).starts_with(data.by.as_bytes());
            let Some(by) = self.result.libraries().find(reads).map(|path| self.result.installed(path)) else {
                continue;
            };
            let path = format!("/{}", data.path).into_bytes();
            let mut all = self.root.below(&path);
            all.push(path.clone());
            for file in all {
                let Some(found) = self.root.find(&file) else { continue };
                let inner = file.strip_prefix(path.as_slice()).unwrap_or_default();
                let place = [data.place().as_bytes(), inner].concat();
                let kept =
                    Kept { contents: Contents::File(found.real), rule: Rule::Data(number), by: Some(by.clone()) };
                self.result.kept.insert(place, kept);
            }
        }
    }

    /// Keeps the licences of the packages that the kept libraries are from.
    fn licences(&mut self) -> Result<()> {
        let names: Vec<(String, Vec<u8>)> = self
            .first
            .iter()
            .map(|(real, name)| (show(file_name(real)), self.result.installed(&[b"lib/", name.as_slice()].concat())))
            .collect();
        let wanted = names.iter().map(|(name, _)| name.as_str()).collect();
        let packages = owners(self.request.root.dir, &wanted)?;
        for (name, by) in &names {
            for package in packages.get(name).into_iter().flatten() {
                let path = format!("/usr/share/doc/{package}/copyright");
                let Some(found) = self.root.find(path.as_bytes()) else { continue };
                let kept = Kept { contents: Contents::File(found.real), rule: Rule::Licence, by: Some(by.clone()) };
                self.result.kept.entry(path.trim_start_matches("/usr/").as_bytes().to_vec()).or_insert(kept);
            }
        }
        Ok(())
    }

    fn missing(&self, name: &[u8], by: &[u8]) -> Error {
        let chain = self.result.why(by).into_iter().map(|(path, _)| path);
        let chain: Vec<Vec<u8>> = chain.collect();
        let chain = if chain.is_empty() { vec![by.to_vec()] } else { chain };
        let error = Error::failure("the root lacks a library that Vulkan programs need").fact("missing", show(name));
        let error = chain.iter().rev().fold(error, |error, path| error.fact("needed by", show(path)));
        error.hint("add its package to the packages of the root")
    }
}

/// Returns the directories that a file of the root names for its libraries.
fn search_path(elf: &ElfFile, real: &[u8]) -> Vec<Vec<u8>> {
    let paths = if elf.runpath.is_empty() { &elf.rpath } else { &elf.runpath };
    let expand = |path: &Vec<u8>| {
        let rest = [b"$ORIGIN".as_slice(), b"${ORIGIN}"].into_iter().find_map(|token| path.strip_prefix(token));
        rest.map_or_else(|| path.clone(), |rest| [parent(real), rest].concat())
    };
    paths.iter().map(expand).filter(|path| path.starts_with(b"/")).collect()
}

fn native(file: &Path) -> Result<Option<ElfFile>> {
    Ok(match Elf::open(file)? {
        Some(Elf::Native(elf)) => Some(*elf),
        _ => None,
    })
}

/// Returns whether a file has the name of the Vulkan loader among its constants.
fn has_name(file: &Path, elf: &ElfFile) -> Result<bool> {
    let source = FileBytes::open(file)?;
    elf.has_constant(&source, LOADER.as_bytes())
}
