//! Programs that the sources of llama.cpp build, read from its CMake files.
//!
//! A directory has one or more programs: `set(TARGET llama-cli)` and `add_executable(${TARGET} ...)`, or the name
//! itself in the call. A property `OUTPUT_NAME` renames one. A name that is another variable cannot be read; then the
//! list is not complete, and says nothing about names that are not in it.

use std::collections::BTreeMap;

use super::cmake::CMakeFiles;
use crate::suggest::nearest;

/// The programs of a version.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Programs {
    /// Each name, and the top directory of the source that has it.
    names: BTreeMap<String, String>,
    /// True if every name could be read.
    complete: bool,
}

/// Directories whose programs are built only where a CMake option asks for them.
const ASKED_FOR: [(&str, &str); 3] =
    [("examples", "LLAMA_BUILD_EXAMPLES"), ("pocs", "LLAMA_BUILD_EXAMPLES"), ("tests", "LLAMA_BUILD_TESTS")];

impl Programs {
    /// Reads the CMake files of the sources.
    #[must_use]
    pub fn of(files: &CMakeFiles) -> Self {
        let mut all = Self { names: BTreeMap::new(), complete: true };
        for (path, text) in files.files() {
            let top = path.split_once('/').map_or("", |(top, _)| top);
            let (names, complete) = in_file(text);
            // Generators that a build runs itself have names of any form, and are installed by nobody.
            all.complete &= complete || matches!(top, "ggml" | "tests");
            all.names.extend(names.into_iter().map(|name| (name, top.to_owned())));
        }
        all
    }

    /// Returns the number of programs.
    pub(super) fn count(&self) -> usize {
        self.names.len()
    }

    /// Returns why the sources do not build a program, and a hint, if that is known; `is_on` tells whether the manifest
    /// switches a CMake option on.
    #[must_use]
    pub fn lack(&self, program: &str, is_on: impl Fn(&str) -> bool) -> Option<(String, String)> {
        if self.names.is_empty() {
            return None;
        }
        let option = |top: &str| ASKED_FOR.iter().find(|(directory, _)| *directory == top).map(|(_, option)| *option);
        if let Some(top) = self.names.get(program) {
            let option = option(top).filter(|option| !is_on(option))?;
            return Some((
                format!("`{program}` is one of the {top} of this llama.cpp, which are not built"),
                format!("`{option} = true` in the table `cmake` of the build builds them"),
            ));
        }
        if !self.complete {
            return None;
        }
        let built = self.names.iter().filter(|(_, top)| option(top).is_none_or(&is_on)).map(|(name, _)| name.as_str());
        let hint = match super::Role::of(program)
            .and_then(|role| role.names().iter().find(|name| self.names.contains_key(*name)))
        {
            Some(other) => format!("this version has `{other}` in its place"),
            None => match nearest(program, built.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it builds {}", built.collect::<Vec<_>>().join(", ")),
            },
        };
        Some((format!("this llama.cpp does not build `{program}`"), hint))
    }
}

/// Returns the names of the programs in a CMake file, and whether all could be read.
fn in_file(text: &str) -> (Vec<String>, bool) {
    let (mut names, mut complete, mut target) = (Vec::new(), true, None);
    let mut renamed = BTreeMap::new();
    for (command, arguments) in super::cmake::calls(text) {
        let words: Vec<&str> = arguments.split_whitespace().map(|word| word.trim_matches('"')).collect();
        let named = |word: &str| match word {
            "${TARGET}" => target.clone(),
            plain if !plain.contains('$') => Some(plain.to_owned()),
            _ => None,
        };
        match (command, words.as_slice()) {
            ("set", ["TARGET", name, ..]) => target = Some((*name).to_owned()),
            ("add_executable", [name, ..]) if !words.contains(&"IMPORTED") && !words.contains(&"ALIAS") => {
                match named(name) {
                    Some(name) => names.push(name),
                    None => complete = false,
                }
            }
            ("set_target_properties", [name, "PROPERTIES", rest @ ..]) => {
                let new = rest.iter().skip_while(|word| **word != "OUTPUT_NAME").nth(1);
                if let (Some(old), Some(new)) = (named(name), new) {
                    renamed.insert(old, (*new).to_owned());
                }
            }
            _ => {}
        }
    }
    let names = names.into_iter().map(|name| renamed.get(&name).cloned().unwrap_or(name)).collect();
    (names, complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(files: &[(&str, &str)]) -> Programs {
        Programs::of(&CMakeFiles::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))))
    }

    const TOOL: &str = "set(TARGET llama-cli-impl)\nadd_library(${TARGET} cli.cpp)\nset(TARGET llama-cli) # main\n\
                        add_executable         (${TARGET} main.cpp)\nadd_executable(llama-gemma3-cli old.cpp)\n";

    #[test]
    fn programs_are_read_in_the_forms_of_all_ages() {
        let app = "set(TARGET llama-app)\nadd_executable(${TARGET} llama.cpp)\n\
                   set_target_properties(${TARGET} PROPERTIES OUTPUT_NAME llama)\n";
        let example = "add_executable(llama-simple simple.cpp)\n";
        let all = programs(&[
            ("tools/cli/CMakeLists.txt", TOOL),
            ("app/CMakeLists.txt", app),
            ("examples/simple/CMakeLists.txt", example),
            ("tests/CMakeLists.txt", "add_executable(${TEST_TARGET} ${source})\n"),
        ]);
        assert_eq!(all.names.keys().collect::<Vec<_>>(), ["llama", "llama-cli", "llama-gemma3-cli", "llama-simple"]);
        let lack = |name: &str| all.lack(name, |_| false);
        assert_eq!(lack("llama-cli"), None);
        assert_eq!(lack("llama"), None);
        assert!(lack("llama-simple").unwrap().1.contains("LLAMA_BUILD_EXAMPLES = true"));
        assert_eq!(all.lack("llama-simple", |option| option == "LLAMA_BUILD_EXAMPLES"), None);
        let (why, hint) = lack("llama-cly").unwrap();
        assert_eq!(
            (why.as_str(), hint.as_str()),
            ("this llama.cpp does not build `llama-cly`", "did you mean `llama-cli`?")
        );
        assert_eq!(lack("llama-completion").unwrap().1, "this version has `llama-cli` in its place");
    }

    #[test]
    fn an_unreadable_name_leaves_the_list_open() {
        let all =
            programs(&[("tools/CMakeLists.txt", "add_executable(llama-cli a.cpp)\nadd_executable(${name} b.cpp)")]);
        assert_eq!(all.lack("llama-server", |_| false), None);
        assert_eq!(
            programs(&[("CMakeLists.txt", "install(PROGRAMS run DESTINATION bin)")]).lack("run", |_| false),
            None
        );
    }

    /// Reads the CMake files below a directory.
    fn collect(root: &std::path::Path, below: &str, files: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(root.join(below)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{below}{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                collect(root, &format!("{path}/"), files);
            } else if path.ends_with("CMakeLists.txt") {
                files.push((path.clone(), std::fs::read_to_string(root.join(&path)).unwrap()));
            }
        }
    }

    /// See `ages/tests.rs` for the sources that are meant.
    #[test]
    fn real_sources_name_their_programs() {
        let Ok(all) = std::env::var("STRIXLOCK_LLAMA_SOURCES") else { return };
        for source in all.split(':') {
            let mut files = Vec::new();
            collect(std::path::Path::new(source), "", &mut files);
            let all = Programs::of(&CMakeFiles::new(files));
            assert!(all.complete, "{source}: {all:?}");
            for program in super::super::default_roots() {
                assert_eq!(all.lack(program, |_| false), None, "{source}");
            }
            assert!(all.lack("llama-serve", |_| false).is_some() && all.lack("llama-simple", |_| false).is_some());
            let rpc = super::super::Role::Rpc.names().iter().filter(|name| all.names.contains_key(*name));
            assert_eq!(rpc.count(), 1, "{source}");
        }
    }
}
