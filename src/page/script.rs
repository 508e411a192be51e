//! A shell script that makes things again without strixlock.
//!
//! Functions are fixed texts of this program. Everything else is commands whose words are quoted, so nothing that comes
//! from outside is read by the shell as anything but a word.

use std::fmt::Write as _;

use base64::Engine as _;

use crate::digest::Sha256Digest;
use crate::text::{shell_word, visible};

/// Bytes on a line of an embedded file, in base64.
const LINE: usize = 76;

/// Finds a small file of the project by its path beside the manifest and its digest.
pub type FindFile<'a> = &'a dyn Fn(&str, Sha256Digest) -> Option<Vec<u8>>;

/// A word of a command.
#[derive(Debug, Clone, Copy)]
pub enum Word<'a> {
    /// A text, which is quoted.
    Text(&'a str),
    /// A path below the directory in which the script works; absolute in the command.
    Path(&'a str),
    /// A fixed piece of shell, such as `"$@"`.
    Shell(&'static str),
}

impl Word<'_> {
    fn shell(self) -> String {
        match self {
            Self::Text(text) => shell_word(text),
            Self::Path(path) => format!("\"$PWD\"/{}", shell_word(path)),
            Self::Shell(text) => text.to_owned(),
        }
    }
}

/// A script that is being written.
pub struct Script<'a> {
    functions: Vec<&'static str>,
    body: String,
    files: Option<FindFile<'a>>,
}

impl<'a> Script<'a> {
    /// Returns an empty script that takes small files of the project from `files`. Without it, the script is only
    /// written to see what it would make.
    #[must_use]
    pub fn new(files: Option<FindFile<'a>>) -> Self {
        Self { functions: Vec::new(), body: String::new(), files }
    }

    /// Adds shell functions, once. The text begins with comments about the functions, and ends with a line feed.
    pub fn functions(&mut self, text: &'static str) {
        if !self.functions.contains(&text) {
            self.functions.push(text);
        }
    }

    /// Adds a command.
    pub fn run(&mut self, words: &[&str]) {
        self.command(&words.iter().map(|word| Word::Text(word)).collect::<Vec<_>>());
    }

    /// Adds a command of words of any kind.
    pub fn command(&mut self, words: &[Word]) {
        let words: Vec<String> = words.iter().map(|word| word.shell()).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(self.body, "{}", words.join(" "));
    }

    /// Adds a function with one command, a word a line.
    pub fn define(&mut self, name: &'static str, words: &[Word]) {
        let words: Vec<String> = words.iter().map(|word| word.shell()).collect();
        let _ = writeln!(self.body, "{name}() {{\n  {}\n}}", words.join(" \\\n    "));
    }

    /// Adds a comment.
    pub fn note(&mut self, text: &str) {
        let _ = writeln!(self.body, "# {}", one_line(text));
    }

    /// Adds an empty line.
    pub fn gap(&mut self) {
        self.body.push('\n');
    }

    /// Adds a file with these bytes.
    pub fn file(&mut self, path: &str, bytes: &[u8]) {
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
        let _ = writeln!(self.body, "base64 -d > {} << 'END'", shell_word(path));
        for line in encoded.as_bytes().chunks(LINE) {
            // Base64 is ASCII.
            let _ = writeln!(self.body, "{}", String::from_utf8_lossy(line));
        }
        self.body.push_str("END\n");
    }

    /// Adds a small file of the project, whose bytes become part of the script. Fails if they are not to be had.
    pub fn embed(&mut self, to: &str, path: &str, digest: Sha256Digest) -> Result<(), String> {
        let Some(files) = self.files else { return Ok(()) };
        let bytes = files(path, digest).filter(|bytes| Sha256Digest::of(bytes) == digest);
        let bytes = bytes
            .ok_or_else(|| format!("the file {} is neither beside the manifest nor in the store", visible(path)))?;
        self.file(to, &bytes);
        Ok(())
    }

    /// Returns the position to return to with [`Self::rewind`].
    #[must_use]
    pub fn position(&self) -> usize {
        self.body.len()
    }

    /// Takes back all commands since a position.
    pub fn rewind(&mut self, position: usize) {
        self.body.truncate(position);
    }

    /// Returns the script: `head`, the functions, and the commands between `begin` and `end`.
    #[must_use]
    pub fn finish(self, head: &str, begin: &str, end: &str) -> String {
        let functions: Vec<&str> = self.functions.iter().map(|text| without_directive(text).trim_end()).collect();
        format!("{head}\n{}\n\n{begin}\n{}\n{end}", functions.join("\n\n"), self.body.trim_matches('\n'))
    }
}

/// Returns functions without the line that is for whoever checks the file that they are kept in.
fn without_directive(text: &str) -> &str {
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("# shellcheck ") => rest,
        _ => text,
    }
}

/// Returns a text in one line, without control characters.
#[must_use]
pub fn one_line(text: &str) -> String {
    visible(text).replace('\t', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_read_by_the_shell() {
        let hostile = "x'; touch pwned; `touch pwned` $(touch pwned) | touch pwned\ntouch pwned\nEND\ntouch pwned #";
        let find = |_: &str, _| Some(hostile.as_bytes().to_vec());
        let mut script = Script::new(Some(&find));
        script.functions("say() { printf '%s.' \"$@\"; }\n");
        script.functions("say() { printf '%s.' \"$@\"; }\n");
        script.note(hostile);
        script.run(&["say", hostile]);
        script.define("inner", &[Word::Text("say"), Word::Text(hostile), Word::Path(hostile), Word::Shell("\"$@\"")]);
        script.run(&["inner", hostile]);
        script.embed("file name", hostile, Sha256Digest::of(hostile.as_bytes())).unwrap();
        assert!(script.embed("no", "x", Sha256Digest::of(b"x")).is_err());
        let here = script.position();
        script.run(&["touch", "pwned"]);
        script.rewind(here);
        let text = script.finish("#!/bin/sh", "set -eu", "true\n");
        assert_eq!(text.matches("say() ").count(), 1);
        let place = tempfile::tempdir().unwrap();
        let output = std::process::Command::new("sh").args(["-c", &text]).current_dir(place.path()).output().unwrap();
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        let here = std::fs::canonicalize(place.path()).unwrap();
        let expected = format!("{hostile}.{hostile}.{}/{hostile}.{hostile}.", here.display());
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
        assert_eq!(std::fs::read(place.path().join("file name")).unwrap(), hostile.as_bytes());
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "a file was made by hostile text");
    }
}
