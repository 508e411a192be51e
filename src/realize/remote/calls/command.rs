//! Compiler calls of a configured build, as Ninja lists them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::recipe::build::HIP_LAUNCHER_AT;

/// Characters by which a command is more than a list of words.
const SHELL: [char; 9] = ['&', ';', '|', '<', '>', '`', '$', '\n', '\0'];

/// A compiler call: it makes one object out of one source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Call {
    /// The object, relative to the directory of the build.
    pub object: String,
    /// The words of the command.
    pub words: Vec<String>,
}

/// An entry of `ninja -t compdb`.
#[derive(Deserialize)]
struct Listed {
    command: String,
    output: String,
}

impl Call {
    /// Reads the compiler calls among the commands of a build. `database` is what `ninja -t compdb` says, and `needed`
    /// are the commands of the targets that are built, a line each. Commands that only a shell can run, or that make
    /// something else than an object, are passed over.
    pub fn read(database: &[u8], needed: &str) -> Result<Vec<Self>, serde_json::Error> {
        let needed: BTreeSet<&str> = needed.lines().collect();
        let listed: Vec<Listed> = serde_json::from_slice(database)?;
        let calls = listed.into_iter().filter(|one| needed.contains(one.command.as_str())).filter_map(Self::of);
        // An object that two commands make is made by neither.
        let mut all: BTreeMap<String, Option<Self>> = BTreeMap::new();
        for call in calls {
            all.entry(call.object.clone()).and_modify(|found| *found = None).or_insert(Some(call));
        }
        Ok(all.into_values().flatten().collect())
    }

    fn of(listed: Listed) -> Option<Self> {
        let Listed { command, output: object } = listed;
        if command.contains(SHELL) {
            return None;
        }
        let words = shlex::split(&command)?;
        let is_below = !object.starts_with('/') && object.split('/').all(|name| !matches!(name, "" | "." | ".."));
        let makes_it = words.iter().zip(words.iter().skip(1)).any(|(word, next)| word == "-o" && *next == object);
        (is_below && makes_it && words.iter().any(|word| word == "-c")).then_some(Self { object, words })
    }

    /// Returns the words that the compiler's launcher is given.
    pub fn launched(&self) -> &[String] {
        match self.words.split_first() {
            Some((first, rest)) if first == HIP_LAUNCHER_AT => rest,
            _ => &self.words,
        }
    }

    /// Returns true for a call that compiles for another processor, too.
    pub fn has_device_side(&self) -> bool {
        let is_language =
            |word: &String| ["hip", "cuda"].iter().any(|language| word.trim_start_matches("-x") == *language);
        let is_option = |word: &String| word.starts_with("--offload-arch") || word.starts_with("-fopenmp-targets");
        let is_source = |word: &String| Path::new(word).extension().is_some_and(|end| end == "hip" || end == "cu");
        self.words.iter().any(|word| word == HIP_LAUNCHER_AT || is_language(word) || is_option(word) || is_source(word))
    }

    /// Returns the target that the object belongs to, as CMake names its directory.
    pub fn target(&self) -> Option<&str> {
        let mut names = self.object.split('/').skip_while(|name| *name != "CMakeFiles");
        names.nth(1)?.strip_suffix(".dir")
    }

    /// Returns the words of a command that only notes which files the compiler reads, in the file `list`.
    pub fn scanning(&self, list: &str) -> Vec<String> {
        let mut words = Vec::with_capacity(self.words.len() + 5);
        let mut rest = self.words.iter();
        while let Some(word) = rest.next() {
            match word.as_str() {
                "-c" | "-MD" | "-MMD" => {}
                "-o" | "-MF" => drop(rest.next()),
                _ => words.push(word.clone()),
            }
        }
        words.extend(["-E", "-MD", "-MF", list, "-o", "/dev/null"].map(str::to_owned));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[(&str, &str)]) -> Vec<Call> {
        let listed = |(command, output): &(&str, &str)| serde_json::json!({"command": command, "output": output});
        let database = serde_json::Value::from(entries.iter().map(listed).collect::<Vec<_>>()).to_string();
        let needed = entries.iter().map(|(command, _)| *command).collect::<Vec<_>>().join("\n");
        Call::read(database.as_bytes(), &needed).unwrap()
    }

    #[test]
    fn calls_that_make_an_object_are_taken() {
        let usual = r#"/usr/bin/c++ -DA="b c" -D'D="e"' -MD -MT x.o -MF x.o.d -o x.o -c /build/source/x.cpp"#;
        let calls = read(&[(usual, "x.o")]);
        assert_eq!(calls[0].words[1..3], ["-DA=b c", "-DD=\"e\""]);
        let scan = calls[0].scanning("/build/record/0").join(" ");
        assert_eq!(
            scan,
            "/usr/bin/c++ -DA=b c -DD=\"e\" -MT x.o /build/source/x.cpp -E -MD -MF /build/record/0 -o /dev/null"
        );
        let object = "src/CMakeFiles/some.dir/x.cpp.o";
        assert_eq!(read(&[(&format!("c++ -o {object} -c x.cpp"), object)])[0].target(), Some("some"));
        assert!(!calls[0].has_device_side());
        let hip = format!("{HIP_LAUNCHER_AT} clang++ -x hip -o y.o -c y.cu");
        let hip = &read(&[(&hip, "y.o")])[0];
        assert!(hip.launched()[0] == "clang++" && hip.has_device_side() && hip.target().is_none());
    }

    #[test]
    fn other_commands_are_passed_over() {
        for (command, output) in [
            ("cd /build && c++ -o x.o -c x.cpp", "x.o"),
            ("c++ -o x.o -c x.cpp > log", "x.o"),
            ("c++ -o x -DA=$B -c x.cpp", "x"),
            ("c++ -o libx.so x.o", "libx.so"),
            ("c++ -o x.o -c x.cpp", "y.o"),
            ("c++ -o ../x.o -c x.cpp", "../x.o"),
            ("c++ -o /x.o -c x.cpp", "/x.o"),
            ("c++ -o x.o -c 'x.cpp", "x.o"),
            ("", ""),
        ] {
            assert_eq!(read(&[(command, output)]), [], "{command}");
        }
        assert_eq!(read(&[("c++ -o x.o -c a.cpp", "x.o"), ("c++ -o x.o -c b.cpp", "x.o")]), []);
        // A target that is not built.
        assert_eq!(Call::read(br#"[{"command": "c++ -o x.o -c a.cpp", "output": "x.o"}]"#, "other").unwrap(), []);
        assert!(Call::read(b"[{}]", "").is_err() && Call::read(b"", "").is_err());
    }
}
