//! One process and what it has loaded, with the search rules of ld.so.
//!
//! Not modelled, because no ROCm or llama.cpp file uses it: `$LIB` and `$PLATFORM`, directories relative to the working
//! directory, and `glibc-hwcaps` subdirectories. Such a directory is passed over.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::world::{World, join, parent};
use crate::elf::ElfFile;

/// A file that the process has loaded.
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
#[derive(Default)]
pub(super) struct Process {
    pub objects: Vec<Object>,
    names: BTreeMap<Vec<u8>, usize>,
    places: BTreeMap<Vec<u8>, usize>,
}

impl Process {
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

    /// Whether a library with this name is there; then ld.so looks no further.
    pub fn has(&self, name: &[u8]) -> bool {
        self.names.contains_key(name)
    }

    /// The directories that ld.so looks through for what `index` needs, in order.
    pub fn search(&self, world: &World, index: usize) -> Vec<Vec<u8>> {
        let object = &self.objects[index];
        let mut directories = Vec::new();
        let mut add = |object: &Object, paths: &[Vec<u8>]| {
            directories.extend(paths.iter().filter_map(|path| expand(path, &object.origin)));
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
        directories
    }
}

/// Puts the origin into a search directory; `None` where the directory is not one we can look into.
pub(super) fn expand(path: &[u8], origin: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = path;
    while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        rest = rest.strip_prefix(b"{ORIGIN}").or_else(|| {
            let rest = rest.strip_prefix(b"ORIGIN")?;
            rest.first().is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').then_some(rest)
        })?;
        out.extend_from_slice(origin);
    }
    out.extend_from_slice(rest);
    out.starts_with(b"/").then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_origin_is_put_in() {
        let expanded = |path: &str| expand(path.as_bytes(), b"/o").map(|path| String::from_utf8(path).unwrap());
        assert_eq!(expanded("$ORIGIN/../lib").as_deref(), Some("/o/../lib"));
        assert_eq!(expanded("${ORIGIN}").as_deref(), Some("/o"));
        assert_eq!(expanded("/opt/rocm/lib").as_deref(), Some("/opt/rocm/lib"));
        for passed_over in ["", ".", "lib", "$LIB", "$ORIGIN/$LIB", "$ORIGINAL", "${ORIGIN"] {
            assert_eq!(expanded(passed_over), None, "{passed_over}");
        }
    }
}
