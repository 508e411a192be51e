//! manifests/ci: workflows, units and the hook that people copy.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::book::commands::{commands, fault};
use crate::diff::git;
use crate::support::{FIRST, Project, SECOND};

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/ci").join(name)
}

/// Returns a document of YAML, as Python's parser reads it.
fn yaml(name: &str) -> Value {
    let read = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout, default=str)";
    let file = std::fs::File::open(place(name)).unwrap();
    let output = Command::new("python3").args(["-c", read]).stdin(file).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns all values with this key.
fn all<'v>(value: &'v Value, key: &str, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| match value.as_str() {
            Some(text) if name == key => found.push(text),
            _ => all(value, key, found),
        }),
        Value::Array(list) => list.iter().for_each(|value| all(value, key, found)),
        _ => {}
    }
}

#[test]
fn every_command_of_the_workflows_is_one_that_strixlock_takes() {
    let mut seen = 0;
    for name in ["github/update.yml", "github/action/action.yml", "forgejo/update.yml"] {
        let document = yaml(name);
        let mut scripts = Vec::new();
        all(&document, "run", &mut scripts);
        assert!(!scripts.is_empty(), "{name}");
        for script in scripts {
            let mut sh = Command::new("sh");
            // What stands for something else in GitHub's language is a word to a shell.
            let shell = script.replace("${{", "x").replace("}}", "x");
            assert!(sh.args(["-n", "-c", &shell]).status().unwrap().success(), "{name}: {script}");
            for command in commands(script) {
                assert_eq!(fault(&command), None, "{name}: {command:?}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 9, "{seen} commands of strixlock");
    // The action that the workflow uses is where its first lines say that it is to be copied to.
    let mut used = Vec::new();
    let workflow = yaml("github/update.yml");
    all(&workflow, "uses", &mut used);
    assert!(used.contains(&"./.github/actions/strixlock"), "{used:?}");
}

#[test]
fn the_units_are_what_systemd_takes() {
    let home = tempfile::tempdir().unwrap();
    let bin = home.path().join(".local/bin");
    std::fs::create_dir_all(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_strixlock"), bin.join("strixlock")).unwrap();
    let units = ["strixlock-up.service", "strixlock-up.timer", "strixlock-failed.service"];
    let mut verify = Command::new("systemd-analyze");
    verify.args(["--user", "verify"]).args(units.map(|unit| place("systemd").join(unit)));
    verify.env("HOME", home.path()).env("XDG_RUNTIME_DIR", home.path());
    let output = verify.output().unwrap();
    // What it would ignore is no failure to it.
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
    let service = std::fs::read_to_string(place("systemd/strixlock-up.service")).unwrap();
    let started = service.lines().find_map(|line| line.strip_prefix("ExecStart=%h/.local/bin/")).unwrap();
    assert_eq!(fault(&commands(started)[0]), None, "{started}");
}

#[test]
fn the_units_of_a_cluster_are_what_systemd_takes_and_refuse_unequal_locks() {
    let project = Project::realized(&[FIRST]);
    let (home, cluster) = (project.directory.path(), Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/cluster"));
    std::fs::create_dir_all(home.join(".local/bin")).unwrap();
    std::fs::create_dir_all(home.join("strixlock")).unwrap();
    symlink(env!("CARGO_BIN_EXE_strixlock"), home.join(".local/bin/strixlock")).unwrap();
    let units = ["strix-rpc.service", "strix-head.service"].map(|unit| cluster.join(unit));
    let mut verify = Command::new("systemd-analyze");
    verify.args(["--user", "verify"]).args(&units).env("HOME", home).env("XDG_RUNTIME_DIR", home);
    let output = verify.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
    let texts = units.map(|unit| std::fs::read_to_string(unit).unwrap());
    for text in &texts {
        let started = text.lines().find_map(|line| line.strip_prefix("ExecStart=%h/.local/bin/")).unwrap();
        assert_eq!(fault(&commands(started)[0]), None, "{started}");
        assert!(!started.contains("0.0.0.0"), "{started}");
    }
    // What stands before the start, with a program in place of ssh that goes to a directory here.
    let check = texts[1].lines().find_map(|line| line.strip_prefix("ExecStartPre=/bin/sh -c '")).unwrap();
    let check = check.trim_end_matches('\'').replace("$$", "$").replace("%h", home.to_str().unwrap());
    project.program(
        "bin/ssh",
        &format!("#!/bin/sh\nshift $(($# - 1))\ncd {}/there && exec sh -c \"$1\"\n", home.display()),
    );
    let place = home.join("there/strixlock/strix/lock");
    std::fs::create_dir_all(&place).unwrap();
    symlink(home.join(".local"), home.join("there/.local")).unwrap();
    let run = || {
        let mut sh = Command::new("sh");
        sh.args(["-c", &check]).current_dir(project.path("")).env("PATH", project.search_path()).env("PEER", "box2");
        project.finish(sh.output().unwrap())
    };
    std::fs::write(place.join("strix.lock"), project.lock()).unwrap();
    run().code(0);
    std::fs::remove_file(place.join("strix.lock")).unwrap();
    let ran = run().code(1);
    assert!(ran.stderr.contains("the lock of box2 cannot be read"), "{}", ran.all());
    let equal = project.lock();
    project.realize_rocm(SECOND);
    std::fs::write(place.join("strix.lock"), equal).unwrap();
    let ran = run().code(1);
    assert!(ran.stderr.contains("unequal locks: sha256:"), "{}", ran.all());
}

#[test]
fn the_hook_refuses_a_commit_whose_lock_does_not_fit() {
    let project = Project::new();
    std::fs::create_dir_all(project.path("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_strixlock"), project.path("bin/strixlock")).unwrap();
    git(&project, &["init", "-q"]);
    project.write(".gitignore", "bin\n").rocm_manifest(FIRST);
    project.run(&["update"]).code(0);
    let hook = || {
        git(&project, &["add", "."]);
        let mut command = Command::new(place("pre-commit"));
        command.current_dir(project.path("")).env("PATH", project.search_path());
        command.env("HOME", project.directory.path()).env("STRIXLOCK_STORE", project.store("main"));
        project.finish(command.output().unwrap())
    };
    hook().code(0);
    git(&project, &["commit", "-q", "-m", "one"]);
    project.rocm_manifest(SECOND);
    let ran = hook().code(1);
    assert!(ran.stderr.contains("pre-commit: the lock is not up to date with the manifest"), "{}", ran.all());
    project.run(&["update"]).code(0);
    project.write("REPRODUCIBLE.md", "of another lock\n");
    let ran = hook().code(1);
    assert!(ran.stderr.contains("pre-commit: REPRODUCIBLE.md is out of date"), "{}", ran.all());
    // Other files are none of its business.
    git(&project, &["commit", "-q", "-m", "two"]);
    project.rocm_manifest(FIRST).write("other", "x");
    git(&project, &["reset", "-q"]);
    git(&project, &["add", "other"]);
    let mut command = Command::new(place("pre-commit"));
    command.current_dir(project.path("")).env("HOME", project.directory.path());
    project.finish(command.output().unwrap()).code(0);
}
