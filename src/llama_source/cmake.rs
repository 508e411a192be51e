//! The CMake files of a source: the options that they declare, and the variables that they mention.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;

use crate::error::Result;
use crate::store::StoredTree;
use crate::tree::Node;

/// Bytes that are read of a CMake file at most; real ones are far smaller.
const MOST: u64 = 16 << 20;

/// The CMake files of a source.
#[derive(Debug, Default)]
pub struct CMakeFiles {
    files: BTreeMap<String, String>,
}

impl CMakeFiles {
    /// Reads the CMake files of a source.
    pub fn read(source: &StoredTree) -> Result<Self> {
        let mut files = BTreeMap::new();
        for entry in source.listing()?.entries() {
            let name = entry.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            let is_cmake = name == b"CMakeLists.txt" || name.ends_with(b".cmake") || name.ends_with(b".cmake.in");
            if !is_cmake || !matches!(entry.node, Node::File { .. }) {
                continue;
            }
            let mut text = Vec::new();
            fs_err::File::open(source.path.join(OsStr::from_bytes(&entry.path)))?.take(MOST).read_to_end(&mut text)?;
            files.insert(entry.display(), String::from_utf8_lossy(&text).into_owned());
        }
        Ok(Self { files })
    }

    /// Returns the files with these paths and texts.
    pub(super) fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { files: files.into_iter().collect() }
    }

    /// Returns paths and texts.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Returns the variables that a person may set: options, and cached variables with a type.
    #[must_use]
    pub fn declared(&self) -> BTreeSet<&str> {
        let mut all = BTreeSet::new();
        for (command, arguments) in self.files.values().flat_map(|text| calls(text)) {
            let mut words = arguments.split_whitespace();
            let Some(name) = words.next().filter(|name| is_name(name)) else { continue };
            let is_cached = || {
                { words.clone() }
                    .zip(words.clone().skip(1))
                    .any(|(word, kind)| word == "CACHE" && !kind.starts_with("INTERNAL"))
            };
            let is = |name: &str| command.eq_ignore_ascii_case(name);
            if is("option") || is("cmake_dependent_option") || (is("set") && is_cached()) {
                all.insert(name);
            }
        }
        all
    }

    /// Returns the words of all files outside of comments: a variable that none of them mentions has no effect.
    #[must_use]
    pub fn words(&self) -> BTreeSet<&str> {
        let code = self.files.values().flat_map(|text| text.lines()).map(without_comment);
        code.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
            .filter(|word| !word.is_empty())
            .collect()
    }
}

/// Returns true for the name of a CMake variable.
#[must_use]
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns the calls in a CMake file: the command's name as it is written, and its arguments up to the first closing
/// parenthesis.
pub(super) fn calls(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start();
            if let Some(comment) = rest.strip_prefix('#') {
                rest = comment.split_once('\n').map_or("", |(_, behind)| behind);
                continue;
            }
            let (before, behind) = rest.split_once('(')?;
            let name = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
            // A `(` in a comment or a nested one begins no call.
            let name = if name.is_empty() {
                before.trim_end().rsplit(char::is_whitespace).next().unwrap_or_default()
            } else {
                name
            };
            let line = before.rsplit('\n').next().unwrap_or_default();
            if line.contains('#') {
                rest = behind.split_once('\n').map_or("", |(_, behind)| behind);
                continue;
            }
            let end = behind.find(')').unwrap_or(behind.len());
            let (arguments, after) = behind.split_at(end);
            rest = after;
            return Some((name, arguments));
        }
    })
}

fn without_comment(line: &str) -> &str {
    line.split_once('#').map_or(line, |(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_they_are_declared() {
        let text = "# option(NOT_ONE \"in a comment\" ON)\noption(LLAMA_OPENSSL \"llama: (https)\" ON)\n\
                    if (NOT MSVC)\n    option(GGML_FMA          \"ggml: enable FMA\" ${INS_ENB})\nendif()\n\
                    set   (GGML_HIP_ARCH \"a b\" CACHE STRING \"x\")\nset(HIDDEN ON CACHE INTERNAL \"\")\nset(PLAIN ON)\n\
                    cmake_dependent_option(DEPENDENT \"x\" ON \"A\" OFF) # option(NOR_THIS)\nOPTION(UPPER \"x\" ON)\n";
        let files = CMakeFiles::new([("CMakeLists.txt".to_owned(), text.to_owned())]);
        let declared: Vec<_> = files.declared().into_iter().collect();
        assert_eq!(declared, ["DEPENDENT", "GGML_FMA", "GGML_HIP_ARCH", "LLAMA_OPENSSL", "UPPER"]);
        assert!(files.words().contains("PLAIN") && !files.words().contains("NOR_THIS"));
    }

    #[test]
    fn odd_files_are_read_to_their_end() {
        for text in ["", "(", "#", "option(", "option(A", "))((", "set(X CACHE", "#(\n(#"] {
            let files = CMakeFiles::new([("a.cmake".to_owned(), text.to_owned())]);
            assert!(files.declared().len() < 2 && files.words().len() < 4, "{text}");
        }
    }
}
