//! What files need: found as ld.so finds it, in a version that they were linked with, or an error.

use std::rc::Rc;

use super::Rule;
use super::closure::Closure;
use super::files::Seen;
use super::loader::Process;
use super::world::{Place, parent};
use crate::error::{Error, Result};
use crate::tree::show;

impl Closure<'_, '_> {
    /// Loads what the loaded files need, in the order of ld.so; `linked` of them had that done already.
    pub(super) fn link(&mut self, process: &mut Process, linked: &mut usize) -> Result<()> {
        let first = *linked;
        while *linked < process.objects.len() {
            let file = Rc::clone(&process.objects[*linked].file);
            for name in &file.needed {
                if process.has_base(name) {
                    self.host_needed(name, &process.objects[*linked].real);
                } else if !process.expand(self.world, *linked, name).iter().any(|name| process.has(name)) {
                    self.need(process, *linked, name)?;
                }
            }
            *linked += 1;
        }
        self.check_versions(process, first)
    }

    fn need(&mut self, process: &mut Process, index: usize, name: &[u8]) -> Result<()> {
        let by = process.objects[index].real.clone();
        let candidates = process.candidates(self.world, index, name);
        let mut passed_over = Vec::new();
        for (known_as, path) in &candidates {
            let found = match self.world.follow(path) {
                Place::Found(found) if !found.directory => found,
                Place::Outside => {
                    // A search path that leads into the base system comes before those behind it.
                    let Some(real) = self.files.in_base(path)? else { continue };
                    process.load_base(name, Some(real));
                    self.host_needed(name, &by);
                    return Ok(());
                }
                Place::Found(_) | Place::Nothing => continue,
            };
            match self.files.read(&found.real)? {
                Seen::Native(file) => {
                    self.ledger.keep_found(&found, Rule::Needed, Some(&by));
                    self.load(process, known_as, path, found.real, file, Some(index));
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
            for (_, path) in &candidates {
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
        process.load_base(name, None);
        self.host_needed(name, &by);
        Ok(())
    }
}
