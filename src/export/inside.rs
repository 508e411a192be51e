//! Checks of a new container, run inside it by a shell: device nodes and programs.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::llama_source::Role;

/// Result of looking for a device node or program inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// Path of a device node, or name of a program.
    pub name: String,
    /// `usable`, `found`, `not usable` or `missing`.
    pub state: String,
}

/// A program to look for inside: its names in different versions, of which one suffices. The first is the one to report
/// if all are missing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanting(Vec<String>);

/// Tools of a complete ROCm tree.
const ROCM: [&str; 2] = ["rocminfo", "hipcc"];
/// Kinds of programs that an image with llama.cpp usually has.
const ROLES: [Role; 3] = [Role::Chat, Role::Server, Role::Bench];

/// Shell script that prints one line for each: name, tab, state. Needs only a shell in the image. Arguments that begin
/// with `/` are directories of programs that PATH may lack; the others are names of a program, separated by `/`.
const SCRIPT: &str = r#"for word; do case $word in /*) PATH=$PATH:$word ;; esac; done
for node in /dev/kfd /dev/dri/renderD*; do
  if [ ! -c "$node" ]; then state=missing; elif [ -r "$node" ] && [ -w "$node" ]; then state=usable
  else state='not usable'; fi
  printf '%s\t%s\n' "$node" "$state"
done
for word; do
  case $word in /*) continue ;; esac
  tool=${word%%/*} state=missing rest=$word/
  while [ "$rest" ]; do
    name=${rest%%/*} rest=${rest#*/}
    if command -v "$name" > /dev/null; then tool=$name state=found rest=; fi
  done
  printf '%s\t%s\n' "$tool" "$state"
done
"#;

/// Maximum number of lines, more than the script prints.
const MOST: usize = 100;

impl Wanting {
    /// Returns the programs of an image of which nothing is known: tools of ROCm and the usual ones of llama.cpp.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        let rocm = ROCM.map(|name| Self(vec![name.to_owned()]));
        rocm.into_iter().chain(ROLES.iter().map(|role| Self(role.names().to_vec()))).collect()
    }

    /// Returns the programs of an image that has these files below `bin`, and runs or was trimmed for `named`.
    #[must_use]
    pub fn of_image(files: &BTreeSet<String>, named: &[String]) -> Vec<Self> {
        let is_asked = |name: &&String| ROCM.contains(&name.as_str()) || Role::of(name).is_some();
        let all: BTreeSet<&String> = files.iter().filter(is_asked).chain(named).collect();
        all.into_iter().map(|name| Self(vec![name.clone()])).collect()
    }

    /// Returns the word of the script.
    fn word(&self) -> String {
        self.0.join("/")
    }
}

/// Returns the command to run inside.
#[must_use]
pub fn command(directories: &[String], programs: &[Wanting]) -> Vec<String> {
    let words = ["sh", "-c", SCRIPT, "sh"].into_iter().map(str::to_owned);
    words.chain(directories.iter().cloned()).chain(programs.iter().map(Wanting::word)).collect()
}

/// Parses the output of the script. Skips other lines, such as an engine's greeting.
#[must_use]
pub fn read(printed: &str) -> Vec<Probe> {
    let states = ["usable", "found", "not usable", "missing"];
    let one = |line: &str| {
        let (name, state) = line.trim_end().split_once('\t')?;
        let plain = !name.chars().any(char::is_control);
        (plain && states.contains(&state)).then(|| Probe { name: name.to_owned(), state: state.to_owned() })
    };
    printed.lines().filter_map(one).take(MOST).collect()
}

/// Returns true if ROCm can use the GPU: the compute node and a render node are usable.
#[must_use]
pub fn has_gpu(checks: &[Probe]) -> bool {
    let usable = |begin: &str| checks.iter().any(|check| check.name.starts_with(begin) && check.state == "usable");
    usable("/dev/kfd") && usable("/dev/dri/")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the script in this machine's shell with programs of these names in a directory.
    fn looked(there: &[&str], programs: &[Wanting]) -> Vec<(String, String)> {
        let directory = tempfile::tempdir().unwrap();
        for name in there {
            std::os::unix::fs::symlink("/bin/sh", directory.path().join(name)).unwrap();
        }
        let command = command(&[directory.path().to_str().unwrap().to_owned()], programs);
        let ran = std::process::Command::new("/bin/sh").args(&command[1..]).env("PATH", "").output().unwrap();
        let probes = read(&String::from_utf8(ran.stdout).unwrap()).into_iter();
        probes.filter(|probe| !probe.name.starts_with('/')).map(|probe| (probe.name, probe.state)).collect()
    }

    fn pairs<const N: usize>(all: [(&str, &str); N]) -> Vec<(String, String)> {
        all.map(|(name, state)| (name.to_owned(), state.to_owned())).to_vec()
    }

    #[test]
    fn a_program_is_found_under_any_of_its_names() {
        let rpc = Wanting(Role::Rpc.names().to_vec());
        assert_eq!(looked(&["rpc-server"], std::slice::from_ref(&rpc)), pairs([("rpc-server", "found")]));
        assert_eq!(looked(&[], &[rpc]), pairs([("ggml-rpc-server", "missing")]));
        let usual = looked(&["llama-cli", "rocminfo"], &Wanting::usual());
        let wanted = [
            ("rocminfo", "found"),
            ("hipcc", "missing"),
            ("llama-cli", "found"),
            ("llama-server", "missing"),
            ("llama-bench", "missing"),
        ];
        assert_eq!(usual, pairs(wanted));
    }

    #[test]
    fn of_an_image_of_the_lock_only_programs_that_it_has_are_looked_for() {
        let files = ["llama-completion", "rocminfo", "convert.py"].map(str::to_owned).into_iter().collect();
        let all = Wanting::of_image(&files, &["whisper-server".to_owned()]);
        assert_eq!(
            looked(&["llama-completion"], &all),
            pairs([("llama-completion", "found"), ("rocminfo", "missing"), ("whisper-server", "missing"),])
        );
    }
}
