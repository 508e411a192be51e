//! Libraries that files need, found as ld.so finds them. A missing library or symbol version is an error.

use std::rc::Rc;

use super::Rule;
use super::closure::Closure;
use super::elf_files::Inspected;
use super::loader::Process;
use super::mount::{Found, Resolved};
use crate::elf::ElfFile;
use crate::error::{Error, Result};
use crate::tree::path::parent;
use crate::tree::show;

/// A library that the loader loads for a file.
struct Want<'f> {
    name: &'f [u8],
    rule: Rule,
    /// True if ld.so starts the program without it.
    optional: bool,
}

/// A library that was found.
enum Library {
    /// A file of one of the trees.
    Kept { known_as: Vec<u8>, path: Vec<u8>, found: Found, file: Rc<ElfFile> },
    /// A file of the base system, with its path if that is known.
    Base(Option<Vec<u8>>),
}

fn wants(file: &ElfFile) -> impl Iterator<Item = Want<'_>> {
    let needed = file.needed.iter().map(|name| Want { name, rule: Rule::Needed, optional: false });
    let filters = file.filters.iter();
    needed.chain(filters.map(|one| Want { name: &one.library, rule: Rule::Filter, optional: one.optional }))
}

impl Closure<'_, '_> {
    /// Loads the libraries that the loaded files need, in the order of ld.so. The first `linked` files are done
    /// already.
    pub(super) fn link(&mut self, process: &mut Process, linked: &mut usize) -> Result<()> {
        let first = *linked;
        while *linked < process.objects.len() {
            let (file, by) = (Rc::clone(&process.objects[*linked].file), process.objects[*linked].real.clone());
            for want in wants(&file) {
                if process.has_base(want.name) {
                    self.host_wanted(&want, &by);
                } else if !self.is_loaded(process, *linked, &want) {
                    match self.find(process, *linked, want.name) {
                        Ok(Library::Kept { known_as, path, found, file }) => {
                            self.ledger.keep_found(&found, want.rule, Some(&by));
                            self.load(process, &known_as, &path, found.real, file, Some(*linked));
                        }
                        Ok(Library::Base(real)) => {
                            process.load_base(want.name, real);
                            self.host_wanted(&want, &by);
                        }
                        Err(_) if want.optional => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            *linked += 1;
        }
        self.check_versions(process, first)
    }

    /// Returns whether everything that the objects of a process from `first` on need can be found. Keeps nothing.
    pub(super) fn is_loadable(&mut self, process: &mut Process, first: usize) -> bool {
        let mut index = first;
        while index < process.objects.len() {
            let file = Rc::clone(&process.objects[index].file);
            for want in wants(&file) {
                if process.has_base(want.name) || self.is_loaded(process, index, &want) {
                    continue;
                }
                match self.find(process, index, want.name) {
                    Ok(Library::Kept { known_as, path, found, file }) => {
                        process.load(&known_as, &path, found.real, file, Some(index));
                    }
                    Ok(Library::Base(real)) => process.load_base(want.name, real),
                    Err(_) if want.optional => {}
                    Err(_) => return false,
                }
            }
            index += 1;
        }
        self.check_versions(process, first).is_ok()
    }

    fn is_loaded(&self, process: &Process, index: usize, want: &Want) -> bool {
        process.expand(self.world, index, want.name).iter().any(|name| process.has(name))
    }

    /// Lists a library as needed from the base system, unless it is optional.
    fn host_wanted(&mut self, want: &Want, by: &[u8]) {
        if !want.optional {
            self.host_needed(want.name, by);
        }
    }

    /// Returns the library that ld.so finds for a name that object `index` of a process needs.
    fn find(&mut self, process: &Process, index: usize, name: &[u8]) -> Result<Library> {
        let by = &process.objects[index].real;
        let candidates = process.candidates(self.world, index, name);
        let mut passed_over = Vec::new();
        for (known_as, path) in &candidates {
            let found = match self.world.follow(path) {
                Resolved::Found(found) if !found.directory => found,
                Resolved::Outside => {
                    // A directory of the base system precedes the directories after it in the search path.
                    let Some(real) = self.files.in_base(path)? else { continue };
                    return Ok(Library::Base(Some(real)));
                }
                Resolved::Found(_) | Resolved::Missing => continue,
            };
            match self.files.read(&found.real)? {
                Inspected::Native(file) => {
                    return Ok(Library::Kept { known_as: known_as.clone(), path: path.clone(), found, file });
                }
                // ld.so skips libraries for other processors, and fails at files that are not ELF.
                Inspected::Foreign(machine) => passed_over.push(format!("{} is for {machine}", show(&found.real))),
                Inspected::NotElf => {
                    let error = Error::failure("a needed library is not an ELF file");
                    return Err(self.ledger.explain(error, by).fact("needs", show(path)));
                }
            }
        }
        let Some(error) = self.names.missing(name) else { return Ok(Library::Base(None)) };
        let mut error = self.ledger.explain(error, by).fact("missing", show(name));
        for (_, path) in &candidates {
            // The real path is easier to recognise than the search path.
            let directory = self.world.find(parent(path)).map_or(parent(path).to_vec(), |found| found.real);
            error = error.fact("looked in", show(&directory));
        }
        for path in self.names.elsewhere(name) {
            error = error.fact("there is", show(&path));
        }
        Err(passed_over.into_iter().fold(error, |error, text| error.fact("passed over", text)))
    }
}
