//! Completions, as bash, zsh and fish load them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{FIRST, Project, SECOND};

/// Completes the last word of a line in bash, from the installed file.
const BASH: &str = r#"
source "$1" && shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9 COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
_clap_complete_strixlock strixlock "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
"#;

/// Script that prints the completions of fish, each with a description.
const FISH: &str = r#"source $argv[1]; complete --do-complete "$argv[2]""#;

/// Types a line and a TAB in zsh, which autoloads the file from its directory, and waits for the completed line.
const ZSH: &str = r#"
zmodload zsh/zpty
expect() { local out; zpty -r shell out "*$1*" || exit 1 }
zpty shell "PS1=ready: TERM=dumb zsh -f -i"
expect ready:
zpty -w shell "fpath=(${1:h} \$fpath); autoload -U compinit; compinit -u -D; echo load''ed"
expect loaded
expect ready:
zpty -w -n shell "$2"$'\t'
expect "$3"
"#;

/// The script of a shell, installed as a package does it. `strixlock` is in `bin`.
fn installed(project: &Project, shell: &str) -> PathBuf {
    let bin = project.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_strixlock"), bin.join("strixlock")).unwrap();
    let script = project.run(&["completions", shell]).code(0).stdout;
    let name = match shell {
        "zsh" => "site/_strixlock",
        "fish" => "site/strixlock.fish",
        _ => "site/strixlock",
    };
    project.write(name, &script);
    project.path(name)
}

/// Runs a shell with the project as its directory, and returns the lines that it printed.
fn lines(project: &Project, mut shell: Command) -> Vec<String> {
    shell.current_dir(project.path("")).env_clear().env("PATH", project.search_path());
    shell.env("HOME", project.path("")).env("STRIXLOCK_STORE", project.store("main"));
    let ran = project.finish(shell.output().unwrap()).code(0);
    assert_eq!(ran.stderr, "");
    ran.stdout.lines().map(str::to_owned).collect()
}

fn bash(project: &Project, script: &Path, line: &str) -> Vec<String> {
    let mut shell = Command::new("bash");
    shell.args(["--norc", "-c", BASH, "bash"]).arg(script).args(line.split(' '));
    lines(project, shell)
}

fn project_with_rocm() -> Project {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    project
}

#[test]
fn outputs_complete_in_bash() {
    let project = project_with_rocm();
    let script = installed(&project, "bash");
    assert_eq!(bash(&project, &script, "strixlock realize ro"), ["rocm"]);
}

#[test]
fn outputs_complete_in_zsh() {
    let project = project_with_rocm();
    let script = installed(&project, "zsh");
    let mut zsh = Command::new("timeout");
    zsh.args(["60", "zsh", "-f", "-c", ZSH, "zsh"]).arg(&script).args(["strixlock realize ro", "realize rocm "]);
    assert_eq!(lines(&project, zsh), [""; 0]);
}

#[test]
fn outputs_complete_in_fish_with_their_type() {
    let project = project_with_rocm();
    let script = installed(&project, "fish");
    let mut fish = Command::new("fish");
    fish.args(["--no-config", "-c", FISH]).arg(script).arg("strixlock realize ro");
    assert_eq!(lines(&project, fish), ["rocm\trocm"]);
}

#[test]
fn names_are_those_of_manifest_lock_and_store() {
    let project = Project::realized(&[FIRST, SECOND]);
    let script = installed(&project, "bash");
    let complete = |line: &str| bash(&project, &script, line);
    // Of the lock alone, and of the manifest alone.
    let later = "\n[inputs.later]\ntype = \"git\"\nurl = \"https://example.com/later.git\"\n";
    project.write("manifests/strix.toml", &(project.read("manifests/strix.toml") + later));
    assert_eq!(complete("strixlock log ro"), ["rocm"]);
    assert_eq!(complete("strixlock update la"), ["later"]);
    // Options wait for their dash.
    assert_eq!(complete("strixlock switch "), ["1", "2"]);
    assert_eq!(complete("strixlock switch --off"), ["--offline"]);
    assert_eq!(complete("strixlock diff 1 2"), ["2"]);
    assert_eq!(complete("strixlock run rocminf"), ["rocminfo"]);
    assert_eq!(complete("strixlock run --generation=1"), ["--generation=1"]);
    // Arguments of the program are files.
    assert_eq!(complete("strixlock run rocminfo loc"), ["lock/"]);
    assert_eq!(complete("strixlock snapshot save ro"), ["rocm"]);
    assert_eq!(complete("strixlock snapshot save loc"), ["lock/"]);
    let profile = project.profile().file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(complete("strixlock --profile p"), [profile]);
    // What the line says of other files holds.
    assert_eq!(complete("strixlock --manifest no.toml --lock no.lock log ro"), [""; 0]);
    assert_eq!(complete("strixlock --store nowhere switch 1"), [""; 0]);
    assert_eq!(complete("strixlock -C / log ro"), [""; 0]);
    assert_eq!(complete("strixlock -C manifests log ro"), ["rocm"]);
    assert!(!project.path("nowhere").exists());
}

#[test]
fn what_cannot_be_read_completes_to_nothing_without_a_word() {
    let project = Project::new();
    project.rocm_manifest(FIRST).write("lock/strix.lock", "<<<<<<< ours\n");
    let script = installed(&project, "bash");
    assert_eq!(bash(&project, &script, "strixlock realize ro"), ["rocm"]);
    project.write("manifests/strix.toml", "[[[");
    for line in ["strixlock realize ro", "strixlock switch 1", "strixlock run llama", "strixlock nonsense x"] {
        assert_eq!(bash(&project, &script, line), [""; 0], "{line}");
    }
    assert!(!project.store("main").exists());
}

#[test]
fn an_unknown_shell_is_refused() {
    let project = Project::empty();
    let ran = project.run(&["completions", "tcsh"]).code(2);
    assert!(ran.stderr.contains("[possible values: bash, zsh, fish]"), "{}", ran.all());
    let json = project.run(&["completions", "fish", "--json"]).code(0).json();
    assert!(json["script"].as_str().unwrap().starts_with("complete "), "{json}");
}
