//! Symbol versions: the library that a process has loaded under a name must have the versions that a file was linked
//! with.
//!
//! A missing version is an error, as for ld.so, which does not start the program. Exceptions are versions that the file
//! can do without (`VER_FLG_WEAK`), and libraries without any versions. Libraries of the base system are checked if it
//! is a tree; otherwise only the proof can tell, which asks ld.so itself.

use std::rc::Rc;

use super::closure::Closure;
use super::loader::Process;
use crate::elf::{ElfFile, NeededVersion, VersionNeed};
use crate::error::{Error, Result};
use crate::tree::show;

/// Number of a library's versions that are shown, newest first.
const SHOWN: usize = 6;

/// The library that a process has loaded under a name.
struct Provider {
    path: Vec<u8>,
    file: Rc<ElfFile>,
    in_base: bool,
}

impl Closure<'_, '_> {
    /// Fails if a library loaded for one of the objects of a process from `first` on lacks a symbol version.
    pub(super) fn check_versions(&mut self, process: &Process, first: usize) -> Result<()> {
        for index in first..process.objects.len() {
            let file = Rc::clone(&process.objects[index].file);
            for need in &file.version_needs {
                let Some(library) = self.provider(process, index, need)? else { continue };
                let Some(missing) = need.versions.iter().find(|version| !library.has(version)) else { continue };
                let error = Error::failure("a library lacks a symbol version that another was linked with");
                let error = self.ledger.explain(error, &process.objects[index].real);
                let error = error.fact("wants", show(&missing.name)).fact("of", show(&library.path));
                let error = error.fact("which has", library.newest());
                return Err(error.hint(if library.in_base {
                    "the base system is older than the one that the file was built on: use a newer release of it for \
                     the sysroot"
                } else {
                    "libraries fit others of the same build: use the whole tree as it was published, and the build \
                     that was made with it"
                }));
            }
        }
        Ok(())
    }

    /// Returns the library that the process has loaded under the name in `need`. `None` if it is the base system's and
    /// that is unknown, or has no such file: then only the proof can tell.
    fn provider(&mut self, process: &Process, index: usize, need: &VersionNeed) -> Result<Option<Provider>> {
        let names = process.expand(self.world, index, &need.library);
        if let Some(object) = names.iter().find_map(|name| process.named(name)) {
            return Ok(Some(Provider { path: object.real.clone(), file: Rc::clone(&object.file), in_base: false }));
        }
        let found = match process.base_path(&need.library) {
            Some(real) => Some(real.to_vec()),
            None => self.world.base.as_ref().and_then(|base| base.library(&need.library)).map(|found| found.real),
        };
        let Some(real) = found else { return Ok(None) };
        Ok(self.files.read_base(&real)?.map(|file| Provider { path: real, file, in_base: true }))
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
