//! The compiler launcher of the last action: takes an object that was made already.

use super::super::inputs::Laying;
use super::compile::Object;
use crate::error::Result;
use crate::recipe::build::{BUILD, HIP_LAUNCHER};

/// Directory of the objects, at the paths that they have in the build.
pub(super) const OBJECTS: &str = "/build/made/objects";
/// Directory of the words of the commands that made them, a line each.
pub(super) const WORDS: &str = "/build/made/words";
/// Directory of the digests of the files that they were made of, as sha256sum reads them.
pub(super) const SUMS: &str = "/build/made/sums";
/// Path of the launcher.
pub(super) const LAUNCHER: &str = "/build/made/launcher";

/// Ends with the object of an equal command, if there is one and the files that it was made of are here, too: what is
/// generated may be another file each time.
const TAKE: &str = r#"#!/bin/sh
out= previous=
for word; do
  if [ "$previous" = -o ]; then out=$word; fi
  previous=$word
done
if [ "$PWD" = BUILD ] && [ -f "OBJECTS/$out" ] && [ "$(printf '%s\n' "$@")" = "$(cat "WORDS/$out")" ] &&
  sha256sum --status --check "SUMS/$out"; then
  cat "OBJECTS/$out" > "$out" && exit
fi
"#;

pub(super) fn take() -> String {
    TAKE.replace("OBJECTS", OBJECTS).replace("WORDS", WORDS).replace("SUMS", SUMS).replace("BUILD", BUILD)
}

/// Returns the launcher of HIP compilers.
pub(in super::super) fn hip_launcher() -> String {
    take() + HIP_LAUNCHER
}

/// Lays the launcher and objects into a tree.
pub(in super::super) fn lay_objects(tree: &mut Laying, made: &[Object]) -> Result<()> {
    tree.program(LAUNCHER, &(take() + "exec \"$@\"\n"))?;
    for Object { call, seen, digest } in made {
        tree.file(&format!("{OBJECTS}/{}", call.object), *digest, false)?;
        tree.text(&format!("{SUMS}/{}", call.object), &seen.sums())?;
        tree.text(&format!("{WORDS}/{}", call.object), &call.launched().join("\n"))?;
    }
    Ok(())
}

/// Returns the variables by which CMake knows the launcher. CMake reads them only from the environment, so no variable
/// of the build shows it.
pub(in super::super) fn environment() -> impl Iterator<Item = (String, String)> {
    ["C", "CXX"].into_iter().map(|language| (format!("CMAKE_{language}_COMPILER_LAUNCHER"), LAUNCHER.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    #[test]
    fn an_object_is_taken_for_an_equal_command_alone() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name).display().to_string();
        let words = ["sh", "-c", "echo compiled > a/x.o", "sh", "-o", "a/x.o", "-c", "/build/source/x y.c"];
        for directory in ["objects/a", "words/a", "sums/a", "a"] {
            std::fs::create_dir_all(place.path().join(directory)).unwrap();
        }
        std::fs::write(at("objects/a/x.o"), "taken\n").unwrap();
        std::fs::write(at("words/a/x.o"), words.join("\n")).unwrap();
        std::fs::write(at("read.h"), "").unwrap();
        let empty = crate::digest::Sha256Digest::of(b"").hex();
        std::fs::write(at("sums/a/x.o"), format!("{empty}  {}\n", at("read.h"))).unwrap();
        let launched = |script: &str, words: &[&str]| {
            let script = script.replace(OBJECTS, &at("objects")).replace(WORDS, &at("words"));
            let script = script.replace(SUMS, &at("sums")).replace(BUILD, &place.path().display().to_string());
            let mut shell = Command::new("sh");
            assert!(
                shell.args(["-c", &script, "sh"]).args(words).current_dir(place.path()).status().unwrap().success()
            );
            std::fs::read_to_string(Path::new(&at("a/x.o"))).unwrap()
        };
        let usual = take() + "exec \"$@\"\n";
        assert_eq!(launched(&usual, &words), "taken\n");
        let mut other = words;
        other[7] = "/build/source/z.c";
        assert_eq!(launched(&usual, &other), "compiled\n");
        // HIP compilers get one more word after that.
        assert_eq!(launched(&hip_launcher(), &words), "taken\n");
        assert_eq!(launched(&hip_launcher(), &other), "compiled\n");
        // Something that it was made of is generated another way here.
        std::fs::write(at("read.h"), "x").unwrap();
        assert_eq!(launched(&usual, &words), "compiled\n");
    }
}
