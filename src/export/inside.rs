//! Checks of a new container, run inside it by a shell: device nodes and tools.

use serde::Serialize;

/// Result of looking for a device node or program inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// Path of a device node, or name of a program.
    pub name: String,
    /// `usable`, `found`, `not usable` or `missing`.
    pub state: String,
}

/// Shell script that prints one line for each: name, tab, state. Needs only a shell in the image. The arguments are
/// directories of programs that PATH may lack.
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

/// Maximum number of lines, more than the script prints.
const MOST: usize = 100;

/// Returns the command to run inside.
#[must_use]
pub fn command(directories: &[String]) -> Vec<String> {
    ["sh", "-c", SCRIPT, "sh"].into_iter().map(str::to_owned).chain(directories.iter().cloned()).collect()
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
