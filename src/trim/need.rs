//! What files need: found as ld.so finds it, in a version that they were linked with, or an error.

use std::rc::Rc;

use super::Rule;
use super::closure::Closure;
use super::files::Seen;
use super::loader::Process;
use super::world::{Found, Place, parent};
use crate::elf::ElfFile;
use crate::error::{Error, Result};
use crate::tree::show;

/// Library that a file has loaded beside itself.
struct Want<'f> {
    name: &'f [u8],
    rule: Rule,
    /// True if ld.so goes on without it.
    optional: bool,
}

/// Place where that is.
enum Source {
    /// In one of the trees.
    Here { known_as: Vec<u8>, path: Vec<u8>, found: Found, file: Rc<ElfFile> },
    /// In the base system, at this place where that is known.
    Base(Option<Vec<u8>>),
}

fn wants(file: &ElfFile) -> impl Iterator<Item = Want<'_>> {
    let needed = file.needed.iter().map(|name| Want { name, rule: Rule::Needed, optional: false });
    let filters = file.filters.iter();
    needed.chain(filters.map(|one| Want { name: &one.library, rule: Rule::Filter, optional: one.optional }))
}

impl Closure<'_, '_> {
    /// Loads what the loaded files need, in the order of ld.so; `linked` of them had that done already.
    pub(super) fn link(&mut self, process: &mut Process, linked: &mut usize) -> Result<()> {
        let first = *linked;
        while *linked < process.objects.len() {
            let (file, by) = (Rc::clone(&process.objects[*linked].file), process.objects[*linked].real.clone());
            for want in wants(&file) {
                if process.has_base(want.name) {
                    self.host_wanted(&want, &by);
                } else if !self.is_loaded(process, *linked, &want) {
                    match self.find(process, *linked, want.name) {
                        Ok(Source::Here { known_as, path, found, file }) => {
                            self.ledger.keep_found(&found, want.rule, Some(&by));
                            self.load(process, &known_as, &path, found.real, file, Some(*linked));
                        }
                        Ok(Source::Base(real)) => {
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

    /// Returns whether all is there that the objects of a process from `first` on need. Keeps nothing.
    pub(super) fn is_loadable(&mut self, process: &mut Process, first: usize) -> bool {
        let mut index = first;
        while index < process.objects.len() {
            let file = Rc::clone(&process.objects[index].file);
            for want in wants(&file) {
                if process.has_base(want.name) || self.is_loaded(process, index, &want) {
                    continue;
                }
                match self.find(process, index, want.name) {
                    Ok(Source::Here { known_as, path, found, file }) => {
                        process.load(&known_as, &path, found.real, file, Some(index));
                    }
                    Ok(Source::Base(real)) => process.load_base(want.name, real),
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

    /// Asks the base system for what is wanted, unless it may lack that.
    fn host_wanted(&mut self, want: &Want, by: &[u8]) {
        if !want.optional {
            self.host_needed(want.name, by);
        }
    }

    /// Returns where ld.so finds what `index` of a process needs.
    fn find(&mut self, process: &Process, index: usize, name: &[u8]) -> Result<Source> {
        let by = &process.objects[index].real;
        let candidates = process.candidates(self.world, index, name);
        let mut passed_over = Vec::new();
        for (known_as, path) in &candidates {
            let found = match self.world.follow(path) {
                Place::Found(found) if !found.directory => found,
                Place::Outside => {
                    // A search path that leads into the base system comes before those behind it.
                    let Some(real) = self.files.in_base(path)? else { continue };
                    return Ok(Source::Base(Some(real)));
                }
                Place::Found(_) | Place::Nothing => continue,
            };
            match self.files.read(&found.real)? {
                Seen::Native(file) => {
                    return Ok(Source::Here { known_as: known_as.clone(), path: path.clone(), found, file });
                }
                // ld.so passes over libraries for other processors, and fails at anything else.
                Seen::Foreign(machine) => passed_over.push(format!("{} is for {machine}", show(&found.real))),
                Seen::NoElf => {
                    let error = Error::failure("a needed library is not an ELF file");
                    return Err(self.ledger.explain(error, by).fact("needs", show(path)));
                }
            }
        }
        let Some(error) = self.names.judge(name) else { return Ok(Source::Base(None)) };
        let mut error = self.ledger.explain(error, by).fact("missing", show(name));
        for (_, path) in &candidates {
            // A person knows a directory by its own name, not by the way there.
            let directory = self.world.find(parent(path)).map_or(parent(path).to_vec(), |found| found.real);
            error = error.fact("looked in", show(&directory));
        }
        for path in self.names.elsewhere(name) {
            error = error.fact("there is", show(&path));
        }
        Err(passed_over.into_iter().fold(error, |error, text| error.fact("passed over", text)))
    }
}
