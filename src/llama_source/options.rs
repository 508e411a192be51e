//! Options that a program of llama.cpp knows, read from its source, from its `--help` or from its file.
//!
//! `common/arg.cpp` adds each option by a call whose first arguments are lists of names, followed by the name of a
//! value if the option takes one, the help text, and a function. Programs with a parser of their own compare each word
//! with string literals. The help of both has a line for each option.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use super::names::{Place, Role, TABLE, Wish};
use super::{MOST, read};
use crate::error::Result;
use crate::store::StoredTree;
use crate::tree::Node;
use crate::tree::confined::Root;

/// Source file of the options that most programs share.
pub(super) const SHARED: &str = "common/arg.cpp";
/// Word of a spelling that stands for the caller's value.
const VALUE: &str = "*";
/// Greatest indentation of names in a help text. Explanations stand at column 30 or more, and a line of one that is
/// wrapped may begin with an option that it mentions.
const MOST_INDENTED: usize = 8;

/// The options of one program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// True if the options are not known.
    unknown: bool,
    /// Each name, and whether the option takes a value; `None` if that is not known.
    pub(super) names: BTreeMap<String, Option<bool>>,
}

impl Options {
    /// Returns the options of a program of which nothing is known.
    #[must_use]
    pub fn unknown() -> Self {
        Self { unknown: true, names: BTreeMap::new() }
    }

    /// Reads the options of a program from the sources. Returns `None` for sources other than llama.cpp's.
    pub fn in_source(source: &StoredTree, role: Role) -> Result<Option<Self>> {
        let path = match role.place() {
            Some(Place::Groups(_)) => SHARED,
            Some(Place::File(path)) => path,
            None => return Ok(None),
        };
        let Some(text) = read(source, path)? else { return Ok(None) };
        Ok(Some(Self::in_text(&text, role)).filter(|options| !options.names.is_empty()))
    }

    /// Reads the options of a program from the file of the sources that has them.
    pub(super) fn in_text(text: &str, role: Role) -> Self {
        match role.place() {
            Some(Place::Groups(groups)) => Self::added(text, groups),
            _ => Self::compared(text),
        }
    }

    /// Returns the number of names.
    pub(super) fn count(&self) -> usize {
        self.names.len()
    }

    /// Reads the options of a realized program from the strings in its file and in llama.cpp's own libraries, where the
    /// sources are gone. They do not tell which options take a value. Returns `None` if the build lacks the program.
    pub fn in_build(build: &StoredTree, role: Role) -> Result<Option<Self>> {
        let root = Root::open(&build.path)?;
        let Some(program) = role.names().iter().find_map(|name| root.open_file(format!("bin/{name}").as_bytes()).ok())
        else {
            return Ok(None);
        };
        let mut files = vec![program];
        for entry in build.listing()?.entries() {
            let is_ours =
                [b"lib/libllama-".as_slice(), b"bin/libllama-"].iter().any(|start| entry.path.starts_with(start));
            let is_library = is_ours && matches!(entry.node, Node::File { .. });
            if is_library {
                files.push(root.open_file(&entry.path)?);
            }
        }
        let mut all = Self::default();
        for file in files {
            let mut bytes = Vec::new();
            file.take(MOST).read_to_end(&mut bytes)?;
            let strings = bytes.split(|byte| *byte == 0).filter(|text| text.starts_with(b"-") && text.len() < 64);
            let names = strings.filter_map(|text| std::str::from_utf8(text).ok()).filter(|text| is_option(text));
            all.names.extend(names.map(|name| (name.to_owned(), None)));
        }
        Ok(Some(all).filter(|all| !all.names.is_empty()))
    }

    /// Reads the calls of `common/arg.cpp` for programs of some groups. Sources without such calls are read like those
    /// of a program with a parser of its own.
    pub(super) fn added(text: &str, groups: &[String]) -> Self {
        let mut all = Self::default();
        for call in text.split("common_arg(").skip(1) {
            let Some((names, takes_value, rest)) = call_of(call) else { continue };
            if fits(rest, groups) {
                all.names.extend(names.into_iter().map(|name| (name, Some(takes_value))));
            }
        }
        if all.names.is_empty() { Self::compared(text) } else { all }
    }

    /// Reads the string literals that look like options.
    pub(super) fn compared(text: &str) -> Self {
        let literals = text.match_indices("\"-").filter_map(|(at, _)| text[at + 1..].split('"').next());
        let names = literals.filter(|literal| is_option(literal));
        Self { unknown: false, names: names.map(|name| (name.to_owned(), None)).collect() }
    }

    /// Reads a help text: lines that begin with names of options, separated by commas. One space separates the last
    /// name from the name of its value; more separate it from the explanation.
    #[must_use]
    pub fn in_help(text: &str) -> Self {
        let mut all = Self::default();
        let lines = text.lines().flat_map(|line| match line.trim_start().strip_prefix("usage:") {
            Some(usage) => usage.split('[').map(|part| part.split(']').next().unwrap_or_default()).collect(),
            None => vec![line],
        });
        for line in lines {
            let mut rest = line.trim_start();
            if line.len() - rest.len() > MOST_INDENTED {
                continue;
            }
            let mut names = Vec::new();
            while rest.starts_with('-') {
                let end = rest.find([' ', ',', '=', '\t']).unwrap_or(rest.len());
                let (name, behind) = rest.split_at(end);
                names.push(name);
                rest = behind;
                match behind.strip_prefix(',') {
                    Some(next) => rest = next.trim_start(),
                    None => break,
                }
            }
            let takes_value =
                rest.starts_with('=') || (rest.starts_with(' ') && !rest.starts_with("  ") && rest.trim() != "");
            let known = names.into_iter().filter(|name| is_option(name));
            all.names.extend(known.map(|name| (name.to_owned(), Some(takes_value))));
        }
        all
    }

    /// Returns the words of a wish in the spelling of this program, with `value` in place of `*`. Returns no words if
    /// the program has no such option.
    #[must_use]
    pub fn words(&self, wish: Wish, value: &str) -> Vec<String> {
        let spellings = TABLE.options.get(&wish).map_or(&[][..], Vec::as_slice);
        let chosen = if self.unknown {
            spellings.first().filter(|_| !TABLE.unsure.contains(&wish))
        } else {
            spellings.iter().find(|words| self.knows(words))
        };
        let word = |word: &String| if word == VALUE { value.to_owned() } else { word.clone() };
        chosen.map(|words| words.iter().map(word).collect()).unwrap_or_default()
    }

    /// Returns the wishes for which the sources of a version have no option, of programs that prove or answer them.
    pub fn lacking(source: &StoredTree) -> Result<BTreeSet<(Role, Wish)>> {
        Self::lacking_by(|role| Self::in_source(source, role))
    }

    /// Like [`Self::lacking`], read from the files of a build.
    pub fn lacking_in_build(build: &StoredTree) -> Result<BTreeSet<(Role, Wish)>> {
        Self::lacking_by(|role| Self::in_build(build, role))
    }

    fn lacking_by(options: impl Fn(Role) -> Result<Option<Self>>) -> Result<BTreeSet<(Role, Wish)>> {
        let mut all = BTreeSet::new();
        for role in [Role::Bench, Role::Chat, Role::Completion, Role::Perplexity, Role::Server] {
            let Some(options) = options(role)? else { continue };
            let wishes = [Wish::Help, Wish::ListDevices, Wish::Version].into_iter();
            all.extend(wishes.filter(|wish| !options.has(*wish)).map(|wish| (role, wish)));
        }
        Ok(all)
    }

    /// Returns true if the program has the option of this wish.
    #[must_use]
    pub fn has(&self, wish: Wish) -> bool {
        !self.words(wish, "").is_empty()
    }

    fn knows(&self, words: &[String]) -> bool {
        let takes_value = words.first().and_then(|name| self.names.get(name));
        takes_value.is_some_and(|takes| takes.is_none_or(|takes| takes == (words.len() > 1)))
    }
}

/// Parses the arguments of a call: the names, whether the option takes a value, and the rest of the text.
fn call_of(call: &str) -> Option<(Vec<String>, bool, &str)> {
    let mut rest = call.trim_start();
    let mut names = Vec::new();
    while let Some(list) = rest.strip_prefix('{') {
        let (inside, behind) = list.split_once('}')?;
        names.extend(inside.split('"').skip(1).step_by(2).map(str::to_owned));
        rest = behind.trim_start().strip_prefix(',')?.trim_start();
    }
    if names.is_empty() || names.iter().any(|name| !is_option(name)) {
        return None;
    }
    // A help text is followed by a function, which begins with `[`; the name of a value by a help text.
    let mut takes_value = false;
    if rest.starts_with('"') {
        let mut behind = rest;
        while let Some(literal) = behind.strip_prefix('"') {
            behind = after_literal(literal)?.trim_start();
        }
        takes_value = !behind.strip_prefix(',')?.trim_start().starts_with('[');
    }
    Some((names, takes_value, rest))
}

/// Returns the text behind a string literal, given the text behind its opening quote.
fn after_literal(text: &str) -> Option<&str> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return text.get(at + 1..),
            _ => {}
        }
    }
    None
}

/// Returns true if the call is for programs of one of these groups. A call that names no group is for all.
fn fits(call: &str, groups: &[String]) -> bool {
    let listed = |list: &str| {
        let (_, behind) = call.split_once(list)?;
        Some(behind.split_once('}')?.0.split(',').map(|name| name.trim().trim_start_matches("LLAMA_EXAMPLE_")))
    };
    let is_ours = |name: &str| groups.iter().any(|group| group == name);
    if listed(".set_excludes({").is_some_and(|mut names| names.any(is_ours)) {
        return false;
    }
    listed(".set_examples({").is_none_or(|mut names| names.any(|name| name == "COMMON" || is_ours(name)))
}

/// Returns true for `-x`, `-fa` and `--word`.
pub(super) fn is_option(text: &str) -> bool {
    let name = text.trim_start_matches('-');
    let dashes = text.len() - name.len();
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    matches!(dashes, 1 | 2) && plain && name.starts_with(|c: char| c.is_ascii_alphabetic())
}

#[cfg(test)]
#[path = "ages/tests.rs"]
mod tests;
