//! Symbol versions: what a file was linked with must be in what its process has loaded under that name.
//!
//! As in ld.so, which does not start a program otherwise: a version that is missing is an error, unless the file can do without
//! (`VER_FLG_WEAK`), or the library has no versions at all. Libraries of the base system are looked into where it is a tree; where it
//! is not, only the proof can tell, which asks ld.so itself.

use std::rc::Rc;

use super::closure::Closure;
use super::loader::Process;
use crate::elf::{ElfFile, NeededVersion, VersionNeed};
use crate::error::{Error, Result};
use crate::tree::show;

/// So many of a library's versions are shown, from the newest on.
const SHOWN: usize = 6;

/// What a process has loaded under a name.
struct Provider {
    place: Vec<u8>,
    file: Rc<ElfFile>,
    in_base: bool,
}

impl Closure<'_, '_> {
    /// Compares what the objects of a process from `first` on want with what was loaded for them.
    pub(super) fn check_versions(&mut self, process: &Process, first: usize) -> Result<()> {
        for index in first..process.objects.len() {
            let file = Rc::clone(&process.objects[index].file);
            for need in &file.version_needs {
                let Some(library) = self.provider(process, index, need)? else { continue };
                let Some(missing) = need.versions.iter().find(|version| !library.has(version)) else { continue };
                let error = Error::failure("a library lacks a symbol version that another was linked with");
                let error = self.ledger.explain(error, &process.objects[index].real);
                let error = error.fact("wants", show(&missing.name)).fact("of", show(&library.place));
                let error = error.fact("which has", library.newest());
                return Err(error.hint(if library.in_base {
                    "the base system is older than what the file was built on: use a newer release of it for the sysroot"
                } else {
                    "libraries of one build fit each other: use the whole tree as it was published, and the build that was made \
                     with it"
                }));
            }
        }
        Ok(())
    }

    /// What the process has loaded under the name that versions are wanted of. `None` where that is something of the base system,
    /// and that is not known, or has no such file: then it is for the proof to say.
    fn provider(&mut self, process: &Process, index: usize, need: &VersionNeed) -> Result<Option<Provider>> {
        let names = process.expand(self.world, index, &need.library);
        if let Some(object) = names.iter().find_map(|name| process.named(name)) {
            return Ok(Some(Provider { place: object.real.clone(), file: Rc::clone(&object.file), in_base: false }));
        }
        let found = match process.base_place(&need.library) {
            Some(real) => Some(real.to_vec()),
            None => self.world.base.as_ref().and_then(|base| base.library(&need.library)).map(|found| found.real),
        };
        let Some(real) = found else { return Ok(None) };
        Ok(self.files.read_base(&real)?.map(|file| Provider { place: real, file, in_base: true }))
    }
}

impl Provider {
    fn has(&self, version: &NeededVersion) -> bool {
        version.weak || self.file.versions.as_ref().is_none_or(|all| all.contains(&version.name))
    }

    fn newest(&self) -> String {
        let all = self.file.versions.as_deref().unwrap_or_default();
        let newest: Vec<String> = all.iter().rev().take(SHOWN).map(|version| show(version)).collect();
        let more = if all.len() > SHOWN { ", ..." } else { "" };
        format!("{}{more}", newest.join(", "))
    }
}
