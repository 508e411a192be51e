//! Reads back what CMake made of the variables of a build.
//!
//! CMake accepts any `-DNAME=VALUE`, known or not. Two things show an unknown name: the warning "Manually-specified
//! variables were not used by the project", and CMakeCache.txt, where a variable that nothing declared has the type
//! UNINITIALIZED. Neither is enough. ggml reads every `GGML_*` name, so the warning never lists those. And llama.cpp
//! reads some names that it does not declare, such as LLAMA_BUILD_NUMBER, so a name that a CMake file of the source
//! mentions counts as known.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::llama_source::CMakeFiles;
use crate::recipe::CMakeBuild;
use crate::suggest::nearest;
use crate::tree::confined;

/// Bytes that are read of a cache at most; real ones are far smaller.
const MOST: u64 = 16 << 20;
/// The line above CMake's list of unused variables.
const UNUSED: &str = "Manually-specified variables were not used by the project:";

/// The names in CMake's warning, collected from the lines that it prints.
#[derive(Debug, Default)]
pub(super) struct Unused {
    names: BTreeSet<String>,
    listing: bool,
}

impl Unused {
    /// Reads one line of CMake's output.
    pub fn see(&mut self, line: &str) {
        if line.trim() == UNUSED {
            self.listing = true;
        } else if self.listing && !line.trim().is_empty() {
            match line.strip_prefix("    ").filter(|name| is_name(name)) {
                Some(name) => drop(self.names.insert(name.to_owned())),
                None => self.listing = false,
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The variables of a configured build.
#[derive(Debug)]
pub(super) struct Configured {
    /// Names that something declared, for suggestions.
    declared: Vec<String>,
    /// Given names that the source does not know.
    pub unknown: BTreeSet<String>,
    /// Options of the source that are ON, and that nobody gave: the project decided them.
    pub left: BTreeSet<String>,
}

impl Configured {
    /// Reads CMakeCache.txt in `build`, and the CMake files of the source for names that the cache does not settle.
    pub fn read(
        build: &Path,
        files: &CMakeFiles,
        given: &BTreeSet<&str>,
        unused: &Unused,
        recipe: &dyn CMakeBuild,
    ) -> Result<Self> {
        // A build's files are hostile: no symlink is followed, and the size that is read has a limit.
        let mut cache = Vec::new();
        confined::Root::open(build)?.open_file(b"CMakeCache.txt")?.take(MOST).read_to_end(&mut cache)?;
        let cache = String::from_utf8_lossy(&cache);
        let (mut declared, mut undeclared, mut on) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for (name, kind, value) in cache.lines().filter_map(entry) {
            match kind {
                "UNINITIALIZED" => drop(undeclared.insert(name)),
                "INTERNAL" | "STATIC" => {}
                _ => declared.push(name.to_owned()),
            }
            if kind == "BOOL" && value == "ON" {
                on.insert(name);
            }
        }
        // CMake reads its own `CMAKE_*` names without declaring them.
        let (words, options) = (files.words(), files.declared());
        let is_unread = |name: &str| undeclared.contains(name) && !name.starts_with("CMAKE_") && !words.contains(name);
        let unknown = given.iter().filter(|name| unused.names.contains(**name) || is_unread(name));
        let mentioned = |name: &str| recipe.has_own_commands() && words.contains(name) && !name.starts_with("CMAKE_");
        let is_option = |name: &str| options.contains(name) || mentioned(name);
        let left = on.iter().filter(|name| is_option(name) && !given.contains(**name));
        let left = left.filter(|name| !recipe.is_idle(name, &|switch| on.contains(switch)));
        Ok(Self {
            declared,
            unknown: unknown.map(|name| (*name).to_owned()).collect(),
            left: left.map(|name| (*name).to_owned()).collect(),
        })
    }

    /// Fails if a variable of the manifest is unknown to the source.
    pub fn demand(&self, manifest: impl Iterator<Item = impl AsRef<str>>, version: &str) -> Result<()> {
        let unknown: Vec<String> =
            manifest.map(|name| name.as_ref().to_owned()).filter(|name| self.unknown.contains(name)).collect();
        let Some(first) = unknown.first() else { return Ok(()) };
        let names = unknown.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let noun = if unknown.len() == 1 { "variable" } else { "variables" };
        let error = Error::new(Kind::Invalid, format!("unknown CMake {noun} {names}"))
            .fact("manifest", "table `cmake` of the output")
            .fact("source", version);
        Err(error.hint(match nearest(first, self.declared.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "this version of the source has no such option: remove it from the manifest".to_owned(),
        }))
    }
}

/// Reads `NAME:TYPE=VALUE`.
fn entry(line: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = line.split_once(':')?;
    let (kind, value) = rest.split_once('=')?;
    is_name(name).then_some((name, kind, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_from_cmake_s_own_list() {
        let mut unused = Unused::default();
        let said = "-- Configuring done\nCMake Warning:\n  Manually-specified variables were not used by the project:\
                    \n\n\
                    \x20   LLAMA_TYPO\n    MORE\n\n\n-- Build files have been written to: /build/out\n    NOT_ONE";
        said.lines().for_each(|line| unused.see(line));
        assert_eq!(unused.names, ["LLAMA_TYPO", "MORE"].map(str::to_owned).into());
    }

    #[test]
    fn lines_of_the_cache_are_read() {
        assert_eq!(entry("LLAMA_BUILD_UI:BOOL=ON"), Some(("LLAMA_BUILD_UI", "BOOL", "ON")));
        assert_eq!(entry("X:UNINITIALIZED=a:b=c"), Some(("X", "UNINITIALIZED", "a:b=c")));
        for other in ["", "# comment", "//ADVANCED property", "no type=1", "a b:BOOL=1"] {
            assert_eq!(entry(other), None, "{other}");
        }
    }
}
