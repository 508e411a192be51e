//! `strixlock run` and `strixlock env`: programs of the store, outside a sandbox.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{FIRST, Project, SECOND};

/// A program that tells what it was given.
const PROBE: &str = r#"#!/bin/sh
case $1 in
args) shift; printf '<%s>\n' "$@" ;;
env) exec env ;;
exit) exit "$2" ;;
umask) umask ;;
wait) echo ready; exec sleep 60 ;;
esac
"#;

/// A library that says so when a program of llama.cpp or a shell loads it, and that has no function of the real one.
const POISON: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
__attribute__((constructor)) static void say(void) {
    if (strstr(program_invocation_short_name, "llama")) printf("poisoned\n");
}
"#;

/// A project with everything realized, and the probe among the programs of llama.cpp.
fn project() -> Project {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let ran = project.run(&["realize"]).code(0);
    assert!(ran.stderr.ends_with("run it: `strixlock run llama-cli --help`\n"), "{}", ran.all());
    let programs = tree(&project, "llama").join("bin");
    std::fs::set_permissions(&programs, PermissionsExt::from_mode(0o755)).unwrap();
    project.program(programs.join("probe").to_str().unwrap(), PROBE);
    project
}

fn tree(project: &Project, output: &str) -> PathBuf {
    std::fs::canonicalize(project.store("main").join("current").join(output)).unwrap()
}

/// Libraries of the names of real ones, in a directory.
fn poison(project: &Project) -> PathBuf {
    let directory = project.path("evil");
    std::fs::create_dir(&directory).unwrap();
    project.write("evil.c", POISON);
    for soname in ["libggml.so.0", "librocblas.so.5", "libpreloaded.so"] {
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "evil.c", "-o"]).arg(directory.join(soname)).current_dir(project.path(""));
        assert!(cc.arg(format!("-Wl,-soname,{soname}")).status().unwrap().success());
    }
    directory
}

/// The environment of a machine with another ROCm and with preloaded libraries.
fn hostile(command: &mut Command, evil: &Path) {
    command.env("LD_LIBRARY_PATH", evil).env("LD_PRELOAD", evil.join("libpreloaded.so"));
    command.env("PATH", format!("/opt/rocm/bin:{}", std::env::var("PATH").unwrap()));
    for name in [
        "ROCM_PATH",
        "ROCM_HOME",
        "HIP_PATH",
        "HIP_PLATFORM",
        "HIP_DEVICE_LIB_PATH",
        "ROCBLAS_TENSILE_LIBPATH",
        "HIPBLASLT_TENSILE_LIBPATH",
        "GGML_BACKEND_PATH",
        "HSA_OVERRIDE_GFX_VERSION",
    ] {
        command.env(name, evil);
    }
}

/// The lines of an environment, without what a shell keeps there for itself.
fn variables(printed: &str) -> Vec<String> {
    let own = ["PWD=", "OLDPWD=", "SHLVL=", "_=", "STRIXLOCK_NO_PROGRESS="];
    let mut lines: Vec<String> = printed.lines().map(str::to_owned).collect();
    lines.retain(|line| !own.iter().any(|name| line.starts_with(name)));
    lines.sort();
    lines
}

#[test]
fn a_program_runs_from_anywhere_as_if_it_were_started_by_itself() {
    let project = project();
    let below = project.path("some/where/below");
    std::fs::create_dir_all(&below).unwrap();
    let run = |arguments: &[&str]| project.finish(project.command(arguments).current_dir(&below).output().unwrap());
    assert!(run(&["run", "llama-cli", "--version"]).code(0).all().contains("version: "));
    let profile = project.profile().file_name().unwrap().to_str().unwrap().to_owned();
    let elsewhere = ["--profile", &profile, "run", "llama-cli", "--list-devices"];
    let elsewhere = project.finish(project.command(&elsewhere).current_dir("/").output().unwrap()).code(0);
    assert!(elsewhere.stdout.contains("ROCm0"), "{}", elsewhere.all());

    // Everything behind the program is the program's.
    let words = ["-g", "7", "--json", "--help", "-V", "--output=x", "--", "--store", "", "a b"];
    let printed = run(&[&["run", "probe", "args"], words.as_slice()].concat()).code(0).stdout;
    assert_eq!(printed, words.map(|word| format!("<{word}>\n")).concat());
    assert_eq!(run(&["run", "--", "probe", "args", "--quiet"]).code(0).stdout, "<--quiet>\n");

    run(&["run", "probe", "exit", "7"]).code(7);
    let mut child = project.command(&["run", "probe", "wait"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().signal(), Some(15), "the program is the process that was started");

    let mut sh = Command::new("sh");
    sh.args(["-c", "umask 002; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_strixlock"), "run", "probe", "umask"]);
    sh.current_dir(project.path("")).env("STRIXLOCK_STORE", project.store("main"));
    assert_eq!(project.finish(sh.output().unwrap()).code(0).stdout, "0002\n");
}

#[test]
fn the_machine_s_environment_changes_nothing() {
    let project = project();
    let evil = poison(&project);
    let run = |arguments: &[&str]| {
        let mut command = project.command(arguments);
        hostile(&mut command, &evil);
        project.finish(command.output().unwrap())
    };
    // The poison works.
    let mut bare = Command::new(tree(&project, "llama").join("bin/llama-cli"));
    hostile(bare.arg("--list-devices"), &evil);
    let bare = project.finish(bare.output().unwrap());
    assert!(bare.code != 0, "{}", bare.all());

    let clean = project.run(&["run", "llama-cli", "--list-devices"]).code(0);
    assert!(clean.stdout.contains("ROCm0"), "{}", clean.all());
    assert_eq!(run(&["run", "llama-cli", "--list-devices"]).code(0).all(), clean.all());
    let environment = variables(&project.run(&["run", "probe", "env"]).code(0).stdout);
    assert_eq!(variables(&run(&["run", "probe", "env"]).code(0).stdout), environment);
    let runtime = tree(&project, "runtime").display().to_string();
    let runtime = runtime.replace(project.directory.path().to_str().unwrap(), "[DIR]");
    assert!(environment.contains(&format!("ROCM_PATH={runtime}")), "{environment:?}");

    // What is asked for by name is passed on or set.
    let asked = run(&["run", "-e", "HSA_OVERRIDE_GFX_VERSION", "--env", "HIP_VISIBLE_DEVICES=0=1", "probe", "env"]);
    let asked = variables(&asked.code(0).stdout);
    let more: Vec<_> = asked.iter().filter(|line| !environment.contains(line)).collect();
    assert_eq!(more, ["HIP_VISIBLE_DEVICES=0=1", "HSA_OVERRIDE_GFX_VERSION=[DIR]/project/evil"]);
    assert!(run(&["run", "-e", "=x", "probe"]).code(2).stderr.contains("invalid variable `=x`"));

    // A shell that evaluates what `env` prints has the same environment; and so has one that does it twice.
    let script = "eval \"$($STRIXLOCK env)\"; $1; unset STRIXLOCK; exec env";
    for again in [":", "eval \"$($STRIXLOCK env)\""] {
        let mut sh = Command::new("sh");
        sh.args(["-c", &script.replace("$1", again)]).current_dir(project.path("")).env_clear();
        sh.env("HOME", project.directory.path().join("home")).env("STRIXLOCK_STORE", project.store("main"));
        sh.env("STRIXLOCK_COMPILE_CACHE", "off");
        hostile(sh.env("STRIXLOCK", env!("CARGO_BIN_EXE_strixlock")), &evil);
        assert_eq!(variables(&project.finish(sh.output().unwrap()).code(0).stdout), environment, "{again}");
    }
    let json = run(&["env", "--json"]).code(0).json();
    assert_eq!((&json["generation"], &json["output"]), (&1.into(), &"runtime".into()));
    for (name, value) in json["set"].as_object().unwrap() {
        let value = value.as_str().unwrap();
        assert!(environment.contains(&format!("{name}={value}")), "{name}={value}");
    }
    let unset = json["unset"].as_array().unwrap();
    assert!(unset.contains(&"LD_PRELOAD".into()) && !unset.contains(&"LD_LIBRARY_PATH".into()), "{json}");
}

#[test]
fn an_older_generation_runs_too_also_when_it_is_packed() {
    let project = Project::realized(&[FIRST, SECOND]);
    let version = |arguments: &[&str]| {
        let words = [&["--offline", "run"], arguments, &["hipconfig", "--version"]].concat();
        project.run(&words).code(0).stdout
    };
    let (second, first) = (version(&[]), version(&["-g", "1"]));
    assert_ne!(first, second);
    assert_eq!(version(&["-g", "2"]), second);
    let packed = project.run(&["store", "pack", "--keep-hot", "1"]).code(0);
    assert!(packed.stdout.contains("packed "), "{}", packed.all());
    assert_eq!(version(&["--generation", "1", "--output", "rocm"]), first);
    project.run(&["rollback"]).code(0);
    assert_eq!(version(&[]), first);
    let json = project.run(&["env", "--json", "-g", "2"]).code(0).json();
    assert_eq!((&json["generation"], &json["output"]), (&2.into(), &"rocm".into()));
    assert!(json["set"]["PATH"].as_str().unwrap().contains("/tree/lib/llvm/bin:"), "{json}");
}

#[test]
fn what_cannot_be_run_is_told_with_what_can() {
    let project = Project::new();
    for command in [["run", "llama-cli"].as_slice(), &["env"]] {
        let ran = project.run(command).code(9);
        assert!(ran.stderr.starts_with("error: there is no generation yet\n"), "{}", ran.all());
        assert!(ran.stderr.ends_with("hint: `strixlock realize` makes the first\n"), "{}", ran.all());
    }
    project.rocm_manifest(FIRST).run(&["update"]).code(0);
    let ran = project.run(&["realize"]).code(0);
    assert!(ran.stderr.ends_with("run it: `strixlock run rocminfo`\n"), "{}", ran.all());
    for (words, code, expected) in [
        (["run", "rocminf"].as_slice(), 9, "generation 1 has no program `rocminf`\nhint: did you mean `rocminfo`?"),
        (&["run", "../bin/rocminfo"], 9, "has no program `../bin/rocminfo`"),
        (&["run", "frobnicate-it"], 9, "hint: there are `amdclang`, `amdclang++`, `clang`, "),
        (&["run", ""], 9, "has no program ``"),
        (&["run", "-g", "3", "rocminfo"], 9, "there is no generation 3"),
        (&["env", "--output", "rcom"], 9, "generation 1 has no output `rcom`\nhint: did you mean `rocm`?"),
        (&["run", "--json", "rocminfo"], 2, "a program has no result to print as JSON"),
        (&["run", "--outpt", "rocm", "rocminfo"], 2, "unexpected argument '--outpt' found"),
        (&["run"], 2, "required arguments were not provided"),
        (&["--profile", "nobody", "run", "rocminfo"], 9, "there is no profile `nobody`"),
    ] {
        let ran = project.run(words).code(code);
        assert!(ran.stderr.contains(expected), "{words:?}: {}", ran.all());
    }
}

#[test]
fn a_program_of_several_outputs_is_that_of_the_runtime() {
    let project = project();
    let ran = project.run(&["run", "rocminfo"]).code(0);
    assert_eq!(ran.stderr, "rocminfo is that of runtime; rocm has one too (--output)\n");
    assert_eq!(project.run(&["--quiet", "run", "rocminfo"]).code(0).stderr, "");
    assert_eq!(project.run(&["run", "--output", "rocm", "rocminfo"]).code(0).stderr, "");
    let ran = project.run(&["run", "--output", "llama", "rocminfo"]).code(9);
    assert!(ran.stderr.ends_with("hint: runtime has it: leave --output away\n"), "{}", ran.all());
    // What runs is in the tree, whatever stands where the tree is meant to stand.
    let path = project.run(&["run", "hipconfig", "--path"]).code(0).stdout;
    let runtime = tree(&project, "runtime").display().to_string();
    assert_eq!(path, runtime.replace(project.directory.path().to_str().unwrap(), "[DIR]"));
}
