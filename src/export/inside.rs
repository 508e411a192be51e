//! The plan's checks of a new container, run inside it by a shell: device nodes and tools.

use serde::Serialize;

/// What was looked for inside, and how it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// A device node or a program.
    pub name: String,
    /// `usable`, `found`, `not usable`, `missing`.
    pub state: String,
}

/// Prints one line for each: name, tab, state. Needs nothing of an image but a shell. The arguments are directories
/// with programs that PATH may not name.
const SCRIPT: &str = r#"for directory; do PATH=$PATH:$directory; done
for node in /dev/kfd /dev/dri/renderD*; do
  if [ ! -c "$node" ]; then state=missing; elif [ -r "$node" ] && [ -w "$node" ]; then state=usable; else state='not usable'; fi
  printf '%s\t%s\n' "$node" "$state"
done
for tool in rocminfo hipcc llama-cli llama-server llama-bench; do
  if command -v "$tool" > /dev/null; then state=found; else state=missing; fi
  printf '%s\t%s\n' "$tool" "$state"
done
"#;

/// More lines than this are not ours.
const MOST: usize = 100;

/// The command, to be put behind what runs a command inside.
#[must_use]
pub fn command(directories: &[String]) -> Vec<String> {
    ["sh", "-c", SCRIPT, "sh"].into_iter().map(str::to_owned).chain(directories.iter().cloned()).collect()
}

/// Reads what the script printed; lines of something else, such as an engine's greeting, are passed over.
#[must_use]
pub fn read(printed: &str) -> Vec<Check> {
    let states = ["usable", "found", "not usable", "missing"];
    let one = |line: &str| {
        let (name, state) = line.trim_end().split_once('\t')?;
        let plain = !name.chars().any(char::is_control);
        (plain && states.contains(&state)).then(|| Check { name: name.to_owned(), state: state.to_owned() })
    };
    printed.lines().filter_map(one).take(MOST).collect()
}

/// Whether ROCm finds what it needs: the compute node and a render node.
#[must_use]
pub fn has_gpu(checks: &[Check]) -> bool {
    let usable = |begin: &str| checks.iter().any(|check| check.name.starts_with(begin) && check.state == "usable");
    usable("/dev/kfd") && usable("/dev/dri/")
}
