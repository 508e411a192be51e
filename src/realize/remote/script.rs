//! Scripts that a worker runs in place of the sandbox: the same commands in the same environment, at the same paths.

use crate::recipe::build::{BUILD, DEST, SOURCE};
use crate::sandbox::HOST_NAME;
use crate::text::shell_quoted;

/// The file by which a script knows where its tree is: it holds a mark that the script has as an argument.
pub(super) const MARK: &str = "/build/mark";
/// The place of sources that the build gets a copy of, to write to.
pub(super) const PINNED: &str = "/build/pinned";
/// The directory with the results of all actions but the last, for ourselves.
pub(super) const RECORD: &str = "/build/record";
/// File of all commands of a build, as Ninja describes them in JSON, in the directory with the results.
pub(super) const DATABASE: &str = "commands.json";
/// File of the commands that are needed for the targets, a line each, in that directory.
pub(super) const NEEDED: &str = "commands";
/// The exit code of a worker that cannot show the tree at `/`.
pub(super) const UNFIT: i32 = 118;

/// Begins a script. Its arguments are the mark of its tree, the script, and the environment.
///
/// Most runners make the tree the root of the file system. With one that does not, bubblewrap does, if the worker has
/// it.
const ENTER: &str = r#"exec 2>&1
umask 022
ulimit -c 0
ulimit -n 1024 2>/dev/null
ulimit -s 8192 2>/dev/null
expected=$1 script=$2
shift 2
is_here() { [ -r "$1/build/mark" ] && read -r found < "$1/build/mark" && [ "$found" = "$expected" ]; }
if is_here ""; then exec /usr/bin/env -i "$@" /bin/sh -c "$script"; fi
here=$PWD
if ! is_here "$here"; then
  echo "the worker shows the files of the build neither at / nor in the working directory $here"
elif ! command -v bwrap > /dev/null; then
  echo "the worker shows the files of the build in $here and not at /, and has no bubblewrap (bwrap) to change that"
elif ! bwrap --unshare-all --ro-bind / / /bin/sh -c :; then
  echo "the worker shows the files of the build in $here and not at /, and its bubblewrap cannot change that"
else
  exec bwrap --unshare-all --die-with-parent --hostname NAME --uid 1000 --gid 1000 --clearenv --ro-bind "$here" / \
    --bind "$here/build" /build --dev /dev --proc /proc --tmpfs /tmp --chdir / /usr/bin/env -i "$@" /bin/sh -c "$script"
fi
exit 118
"#;

/// Runs a command, and ends with its exit code if it fails.
const RUN: &str = r#"run() { printf '$ %s\n' "$*"; "$@" < /dev/null || exit; }
"#;

/// Logs the mounts, and the interfaces of the network: a build should have none.
const DESCRIBE: &str = r#"run cat /proc/self/mountinfo
while IFS=' :' read -r name rest; do
  case $name in Inter-\||face|lo) ;; *) echo "network interface of the worker: $name" ;; esac
done < /proc/net/dev
"#;

/// Sets the number of compilers: one per processor, as far as free memory allows.
const JOBS: &str = r#"jobs=$(nproc)
while read -r name kilobytes rest; do
  if [ "$name" = MemAvailable: ]; then fitting=$((kilobytes / PER_JOB)); fi
done < /proc/meminfo
if [ "${fitting:-$jobs}" -lt "$jobs" ]; then jobs=$fitting; fi
if [ "$jobs" -lt 1 ]; then jobs=1; fi
"#;

/// Returns the words of a command that runs a script in this environment.
pub(super) fn command<'e>(
    mark: &str,
    script: &str,
    environment: impl Iterator<Item = (&'e String, &'e String)>,
) -> Vec<String> {
    let enter = ENTER.replace("NAME", HOST_NAME);
    let mut all: Vec<String> = ["/bin/sh", "-c", &enter, "sh", mark, script].map(str::to_owned).into();
    all.extend(environment.map(|(name, value)| format!("{name}={value}")));
    all
}

/// Returns the beginning of a script: directories, and a copy of sources that are written to.
pub(super) fn begin(writes_source: bool) -> String {
    let copy = format!("cp -R -p {PINNED} {SOURCE} && chmod -R u+w {SOURCE} || exit\n");
    let copy = if writes_source { copy } else { String::new() };
    format!("{RUN}mkdir -p {BUILD} {DEST} {RECORD} || exit\n{copy}cd {BUILD} || exit\n")
}

/// Returns the script that configures. With tools, it describes the worker and asks them for their versions before.
/// With targets, it lists the commands of the build after that, and those for these targets.
pub(super) fn to_configure(
    writes_source: bool,
    tools: &[String],
    configure: &[String],
    targets: Option<&[String]>,
) -> String {
    let version = |(number, tool): (usize, &String)| {
        let tool = shell_quoted(tool);
        format!(
            "printf '$ %s\\n' {tool}' --version'\nif said=$({tool} --version 2>&1 < /dev/null); then \
             printf '%s\\n' \"$said\" > {RECORD}/tool-{number}; fi\nprintf '%s\\n' \"$said\"\n"
        )
    };
    let versions: String = tools.iter().enumerate().map(version).collect();
    let describe = if tools.is_empty() { "" } else { DESCRIBE };
    let configure = words(configure);
    let list = |targets| {
        format!("ninja -t compdb > {RECORD}/{DATABASE} || :\nninja -t commands {targets} > {RECORD}/{NEEDED} || :\n")
    };
    let lists = targets.map_or_else(String::new, |targets| list(words(targets)));
    format!("{}{describe}{versions}run {configure}\ncp CMakeCache.txt {RECORD}/ || exit\n{lists}", begin(writes_source))
}

/// Returns the script that configures, compiles and installs. Without `jobs`, the worker decides how many compilers
/// run, each with so many bytes of memory.
pub(super) fn to_build(
    writes_source: bool,
    commands: &[(&'static str, Vec<String>)],
    jobs: Option<usize>,
    memory_per_job: u64,
) -> String {
    let line = |command: &Vec<String>| {
        let number = command.iter().position(|word| word == "--parallel").map(|at| at + 1);
        let word = |(at, word): (usize, &String)| {
            if Some(at) == number { "\"$jobs\"".to_owned() } else { shell_quoted(word) }
        };
        format!("run {}\n", command.iter().enumerate().map(word).collect::<Vec<_>>().join(" "))
    };
    let lines: String = commands.iter().map(|(_, command)| line(command)).collect();
    begin(writes_source) + &jobs_lines(jobs, memory_per_job) + &lines
}

/// Returns the lines that set the number of compilers, `$jobs`. Without `jobs`, the worker decides, so that each has so
/// many bytes of memory.
pub(super) fn jobs_lines(jobs: Option<usize>, memory_per_job: u64) -> String {
    let jobs = jobs.map(|jobs| format!("jobs={jobs}\n"));
    jobs.unwrap_or_else(|| JOBS.replace("PER_JOB", &(memory_per_job / 1024).to_string()))
}

/// Returns a command as words of a shell.
pub(super) fn words(command: &[String]) -> String {
    command.iter().map(|word| shell_quoted(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};

    use super::*;

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn sh(script: &str) -> Output {
        Command::new("/bin/sh").args(["-n", "-c", script]).output().unwrap()
    }

    #[test]
    fn scripts_are_valid() {
        let configure =
            to_configure(true, &owned(&["cmake", "c++"]), &owned(&["cmake", "-DA=b c", "-DQ='\"$x"]), Some(&[]));
        assert!(configure.contains("run 'cmake' '-DA=b c' "), "{configure}");
        let commands =
            [("compile", owned(&["cmake", "--build", "x", "--parallel", "7"])), ("install", owned(&["true"]))];
        let build = to_build(false, &commands, None, 1 << 30);
        assert!(build.contains("--parallel' \"$jobs\"\n") && build.contains("kilobytes / 1048576"), "{build}");
        assert!(to_build(false, &commands, Some(3), 1).contains("\njobs=3\n"));
        for script in [&configure, &build, ENTER] {
            let checked = sh(script);
            assert!(checked.status.success(), "{}\n{script}", String::from_utf8_lossy(&checked.stderr));
        }
    }

    #[test]
    fn a_worker_that_shows_no_tree_says_so() {
        let environment = std::collections::BTreeMap::new();
        let words = command("0000", "echo never", environment.iter());
        let place = tempfile::tempdir().unwrap();
        let ran = |change: fn(&mut Command) -> &mut Command| {
            let mut command = Command::new(&words[0]);
            let output = change(command.args(&words[1..]).current_dir(place.path())).output().unwrap();
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        };
        let (code, said) = ran(|command| command);
        assert!(code == Some(UNFIT) && said.contains("neither at / nor in the working directory"), "{said}");
        std::fs::create_dir(place.path().join("build")).unwrap();
        std::fs::write(place.path().join("build/mark"), "0000\n").unwrap();
        let (code, said) = ran(|command| command.env("PATH", "/nonexistent"));
        assert!(code == Some(UNFIT) && said.contains("has no bubblewrap"), "{said}");
    }
}
