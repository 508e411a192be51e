//! Exit codes: one meaning each, the same for the same thing in every command.

use crate::support::{FIRST, Project, SECOND};

/// A project with everything locked, and ROCm realized.
fn project() -> Project {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    project.run(&["realize", "rocm"]).code(0);
    project
}

/// Runs each command and fails unless it ends with this code, and its JSON says so too.
#[track_caller]
fn end_with(project: &Project, code: i32, commands: &[&[&str]]) {
    let mut wrong = Vec::new();
    for command in commands {
        let plain = project.run(command);
        // Commands that give the terminal to a program have no JSON.
        if matches!(command[0], "run" | "shell") {
            if plain.code != code {
                wrong.push(format!("{command:?}: {}\n{}", plain.code, plain.stderr));
            }
            continue;
        }
        let json = project.run(&[&["--json"], *command].concat());
        let said = serde_json::from_str::<serde_json::Value>(&json.stdout).ok();
        let said = said.and_then(|value| value["error"]["exit_code"].as_i64());
        if plain.code != code || json.code != code || said != Some(code.into()) {
            wrong.push(format!("{command:?}: {} {}, in JSON {said:?}\n{}", plain.code, json.code, plain.stderr));
        }
    }
    assert!(wrong.is_empty(), "expected {code}:\n{}", wrong.join("\n"));
}

#[test]
fn what_does_not_exist_is_9() {
    let project = project();
    let outputs: &[&[&str]] = &[
        &["realize", "nope"],
        &["verify", "nope"],
        &["check", "nope"],
        &["log", "nope"],
        &["shell", "nope"],
        &["lock", "digest", "nope"],
        &["lock", "show", "nope"],
        &["snapshot", "save", "nope", "x.tar.zst"],
        &["export", "oci", "nope", "-o", "x"],
        &["runtime", "--output", "nope"],
        &["why", "lib/x", "--output", "nope"],
        &["run", "--output", "nope", "rocminfo"],
        &["env", "--output", "nope"],
    ];
    end_with(&project, 9, outputs);
    let others: &[&[&str]] = &[
        &["update", "nope"],
        &["validate", "--model", "nope"],
        &["switch", "9"],
        &["diff", "1", "9"],
        &["diff", "x"],
        &["diff", "before"],
        &["run", "-g", "9", "rocminfo"],
        &["run", "no-such-program"],
        &["rollback"],
        &["switch", "-"],
        &["generations", "--profile", "nope"],
        &["gc", "--drop-profile", "nope"],
    ];
    end_with(&project, 9, others);
    let files: &[&[&str]] = &[
        &["--manifest", "nope.toml", "update"],
        &["--lock", "nope.lock", "realize"],
        &["--config", "nope.toml", "status"],
        &["snapshot", "restore", "nope.tar.zst"],
        &["hash", "nope"],
    ];
    end_with(&project, 9, files);
}

#[test]
fn a_wrong_command_line_is_2() {
    let commands: &[&[&str]] = &[
        &["frobnicate"],
        &["realize", "--nope"],
        &["switch", "rocm"],
        &["diff", "--stat", "--markdown"],
        &["update", "--report", "x", "--dry-run"],
        &["gc", "--keep", "0"],
        &["gc", "--max-size", "x"],
        &["snapshot", "save", "rocm"],
        &["log"],
        &["shell", "rocm"],
        &["list", "rocm", "-t", "GFX1151"],
        &["update", "--url", "https://x.example/"],
        &["generations", "--profile", "../x"],
    ];
    end_with(&project(), 2, commands);
}

#[test]
fn what_exists_already_is_1() {
    let project = project();
    project.write("out/rocm/mine", "precious");
    end_with(&project, 1, &[&["init"], &["realize", "rocm", "--to", "out"]]);
}

#[test]
fn what_is_stale_is_4() {
    let project = project();
    project.full_manifest(SECOND);
    let commands: &[&[&str]] =
        &[&["status", "--check"], &["realize", "--locked"], &["update", "--locked"], &["audit", "--check"]];
    end_with(&project, 4, commands);
}

/// A name that is almost right is answered with the right one, whatever it names.
#[test]
fn a_typo_is_answered_with_the_right_name() {
    let project = project();
    for (command, meant) in [
        (&["realize", "rcom"][..], "`rocm`"),
        (&["update", "lama-cpp"], "`llama-cpp`"),
        (&["log", "lama"], "`llama`"),
        (&["shell", "lama"], "`llama`"),
        (&["check", "runtme"], "`runtime`"),
        (&["verify", "rcom"], "`rocm`"),
        (&["lock", "show", "lama-cp"], "`llama-cpp`"),
        (&["lock", "digest", "runtme"], "`runtime`"),
        (&["snapshot", "save", "rcom", "x.tar.zst"], "`rocm`"),
        (&["run", "rocminf"], "`rocminfo`"),
        (&["run", "--output", "rcom", "rocminfo"], "`rocm`"),
        (&["env", "--output", "rcom"], "`rocm`"),
        (&["runtime", "--output", "runtme"], "`runtime`"),
        (&["statsu"], "'status'"),
    ] {
        let ran = project.run(command);
        assert!(ran.stderr.contains(meant) && [2, 9].contains(&ran.code), "{command:?}: {}", ran.all());
    }
    let ran = project.run(&["update", "llama"]).code(9);
    assert!(ran.stderr.contains("`llama` is an output, made from the input `llama-cpp`"), "{}", ran.all());
}
