//! The C library: the only part that comes from the system on which programs run.
//!
//! Its files are known by their symbol versions: glibc's libraries define versions that begin with `GLIBC_`, and no
//! others. A program starts with the loader that it names by an absolute path, `/lib64/ld-linux-x86-64.so.2`, and that
//! loader works with no other C library than its own. So a runtime cannot bring one along.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::elf::{Elf, ElfFile};
use crate::tree::show;
use crate::trim::DIRECTORIES;

/// Beginning of the names of glibc's symbol versions.
const VERSIONS: &[u8] = b"GLIBC_";

/// Returns true for a library of glibc.
#[must_use]
pub fn is_libc(file: &ElfFile) -> bool {
    let Some(versions) = &file.versions else { return false };
    // The first version of most files is their own name.
    let others = || versions.iter().filter(|version| Some(version.as_slice()) != file.soname.as_deref());
    others().next().is_some() && others().all(|version| version.starts_with(VERSIONS))
}

/// A version of the C library that a file needs and a system lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// The file that needs it.
    pub file: PathBuf,
    /// The version.
    pub version: String,
    /// The library of the system that lacks it.
    pub library: PathBuf,
    /// The newest version that the library has.
    pub newest: String,
}

/// Returns the first version of the C library that a file in `bin` or `lib` of these trees needs and the system at
/// `root` lacks. A system without a known C library lacks nothing: ld.so says more there.
pub fn lacking(trees: &[&Path], root: &Path) -> Option<Lacking> {
    let mut system: BTreeMap<Vec<u8>, Option<(PathBuf, ElfFile)>> = BTreeMap::new();
    for file in trees.iter().flat_map(|tree| ["bin", "lib"].map(|name| tree.join(name))).flat_map(files) {
        let Ok(Some(Elf::Native(elf))) = Elf::open(&file) else { continue };
        for need in elf.version_needs {
            let library = system.entry(need.library.clone()).or_insert_with(|| of_system(root, &need.library));
            let Some((path, library)) = library.as_ref().filter(|(_, library)| is_libc(library)) else { continue };
            let versions = library.versions.as_deref().unwrap_or_default();
            let lost = need.versions.iter().find(|version| !version.weak && !versions.contains(&version.name));
            let Some(lost) = lost.filter(|lost| lost.name.starts_with(VERSIONS)) else { continue };
            let newest =
                versions.iter().filter(|version| number(version).is_some()).max_by_key(|version| number(version));
            return Some(Lacking {
                file,
                version: show(&lost.name),
                library: path.clone(),
                newest: newest.map(|version| show(version)).unwrap_or_default(),
            });
        }
    }
    None
}

/// Returns the files of a directory, in order.
fn files(directory: PathBuf) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// Returns the library of a system that ld.so finds by this name.
fn of_system(root: &Path, name: &[u8]) -> Option<(PathBuf, ElfFile)> {
    let name = std::str::from_utf8(name).ok().filter(|name| !name.contains('/'))?;
    let directories = DIRECTORIES.iter().filter_map(|directory| std::str::from_utf8(directory).ok());
    let mut paths = directories.map(|directory| root.join(directory.trim_start_matches('/')).join(name));
    paths.find_map(|path| match Elf::open(&path) {
        Ok(Some(Elf::Native(file))) => Some((path, *file)),
        _ => None,
    })
}

/// Returns the numbers of a version such as `GLIBC_2.36`. `None` for `GLIBC_PRIVATE` and others.
fn number(version: &[u8]) -> Option<Vec<u32>> {
    let text = std::str::from_utf8(version.strip_prefix(VERSIONS)?).ok()?;
    text.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::testing::cc;

    #[test]
    fn the_c_library_is_known_by_its_versions() {
        let libc = |name: &[u8]| of_system(Path::new("/"), name).map(|(_, file)| is_libc(&file));
        assert_eq!(libc(b"libc.so.6"), Some(true));
        assert_eq!(libc(b"libm.so.6"), Some(true));
        assert_eq!(libc(b"libgcc_s.so.1"), Some(false));
        assert_eq!(libc(b"libnothing.so.1"), None);
        assert!(number(b"GLIBC_2.36") > number(b"GLIBC_2.9"));
        assert_eq!(number(b"GLIBC_PRIVATE"), None);
    }

    #[test]
    fn a_newer_c_library_than_the_system_s_is_missed() {
        let directory = tempfile::tempdir().unwrap();
        let (tree, root) = (directory.path().join("tree"), directory.path().join("root"));
        fs_err::create_dir_all(tree.join("lib")).unwrap();
        fs_err::create_dir_all(root.join("lib64")).unwrap();
        // A C library of its own, which has version 2.1 only in the second root.
        let code = "int newer(void) { return 1; }\n";
        let maps =
            ["GLIBC_2.0 { local: *; };\n", "GLIBC_2.0 { local: *; };\nGLIBC_2.1 { global: newer; } GLIBC_2.0;\n"];
        let library = |place: &Path, map: &str| {
            fs_err::write(directory.path().join("map"), map).unwrap();
            let map = format!("-Wl,--version-script={}", directory.path().join("map").display());
            cc(place, code, &["-shared", "-fPIC", "-nostdlib", "-Wl,-soname,libc.so.6", &map]);
        };
        let linked = directory.path().join("libc.so.6");
        library(&linked, maps[1]);
        let user = "int newer(void);\nint use(void) { return newer(); }\n";
        cc(&tree.join("lib/libuser.so"), user, &["-shared", "-fPIC", "-nostdlib", &linked.display().to_string()]);
        library(&root.join("lib64/libc.so.6"), maps[0]);
        let found = lacking(&[&tree], &root).unwrap();
        assert_eq!((found.version.as_str(), found.newest.as_str()), ("GLIBC_2.1", "GLIBC_2.0"));
        assert_eq!(found.file, tree.join("lib/libuser.so"));
        library(&root.join("lib64/libc.so.6"), maps[1]);
        assert_eq!(lacking(&[&tree], &root), None);
        assert_eq!(lacking(&[&tree], &directory.path().join("empty")), None);
    }
}
