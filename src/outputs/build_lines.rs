//! The commands of rebuild.sh for a build with CMake in the sandbox.

use std::collections::BTreeMap;

use crate::page::script::{Script, Word};
use crate::recipe::llama::{BUILD, DEST, SOURCE, TOOLS};
use crate::report::Rebuilding;

/// A build, with everything that goes into it.
pub(super) struct BuildLines<'a> {
    /// The input with the source.
    pub source: &'a str,
    /// The output that is the root of the build; the host's own without it.
    pub root: Option<&'a str>,
    /// The output that is the ROCm tree, and its prefix.
    pub rocm: Option<(&'a str, &'a str)>,
    /// The text of the launcher of HIP compilers, if there is one.
    pub launcher: Option<&'a str>,
    /// The environment of the commands.
    pub environment: &'a BTreeMap<String, String>,
    /// The commands, in order.
    pub commands: &'a [Vec<String>],
    /// The prefix that the last command installs to.
    pub prefix: &'a str,
}

impl BuildLines<'_> {
    /// Adds the commands.
    pub fn write(&self, script: &mut Script, rebuilding: &Rebuilding) {
        script.functions(include_str!("build.sh"));
        let build = format!("build/{}", rebuilding.name);
        let [out, dest, tools, launcher] =
            ["out", "dest", "tools", "tools/hip-launcher"].map(|name| format!("{build}/{name}"));
        script.run(&["mkdir", "-p", &out, &dest, &tools]);
        if let Some(text) = self.launcher {
            script.file(&launcher, text.as_bytes());
            script.run(&["chmod", "755", &launcher]);
        }
        let text = Word::Text;
        let root = self.root.map(|root| format!("outputs/{root}"));
        let mut words = vec![text("sandbox"), root.as_deref().map_or(Word::Shell("''"), Word::Path)];
        for (name, value) in self.environment {
            words.extend(["--setenv", name, value].map(text));
        }
        words.extend(["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--dir", "/var"].map(text));
        let (source, rocm) = (format!("inputs/{}", self.source), self.rocm.map(|(name, _)| format!("outputs/{name}")));
        let mut mounts = vec![("--bind", DEST, &dest), ("--bind", BUILD, &out), ("--ro-bind", SOURCE, &source)];
        mounts.extend(self.launcher.map(|_| ("--ro-bind", TOOLS, &tools)));
        mounts.extend(self.rocm.zip(rocm.as_ref()).map(|((_, prefix), path)| ("--ro-bind", prefix, path)));
        for (option, inside, path) in mounts {
            words.extend([text(option), Word::Path(path), text(inside)]);
        }
        words.extend(["--remount-ro", "/", "--chdir", BUILD, "--", "/bin/sh", "-c"].map(text));
        words.extend([Word::Shell("\"$limits\""), text("sh"), Word::Shell("\"$@\"")]);
        script.define("in_sandbox", &words);
        for command in self.commands {
            script.command(&command_words(command));
        }
        script.run(&["mv", &format!("{dest}{}", self.prefix), &rebuilding.place()]);
    }
}

/// Returns the words of a command in the sandbox. The number of compilers is for the caller of the script to say.
fn command_words(command: &[String]) -> Vec<Word<'_>> {
    let mut words = vec![Word::Text("in_sandbox")];
    for (index, word) in command.iter().enumerate() {
        let is_number = index.checked_sub(1).is_some_and(|before| command[before] == "--parallel");
        words.push(if is_number { Word::Shell("\"$jobs\"") } else { Word::Text(word) });
    }
    words
}
