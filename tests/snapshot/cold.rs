//! Snapshots of outputs that `store pack` made cold, also after a process was killed.

use std::path::Path;
use std::process::Command;

use crate::support::{FIRST, Project, SECOND};

/// Two generations, of which the lock names the older one.
fn two() -> Project {
    let project = Project::realized(&[FIRST, SECOND]);
    project.rocm_manifest(FIRST);
    project.run(&["update"]).code(0);
    project.run(&["snapshot", "save", "rocm", "hot.tar.zst"]).code(0);
    project
}

/// Runs a command and kills it at the `at`th call of `call`. Returns true if it was killed.
fn killed(project: &Project, arguments: &[&str], call: &str, at: usize) -> bool {
    let inner = project.command(arguments);
    let mut outer = Command::new("strace");
    outer.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
    outer.args(["-e", &format!("inject={call}:signal=SIGKILL:when={at}")]).arg(inner.get_program()).args(arguments);
    outer.current_dir(project.path("")).env_clear();
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    !outer.output().expect("strace is not installed").status.success()
}

/// Checks that the next run succeeds, wherever the process was killed.
fn goes_on(project: &Project, what: &str) {
    project.run(&["verify"]).code(0);
    project.run(&["snapshot", "save", "rocm", "cold.tar.zst"]).code(0);
    assert!(
        std::fs::read(project.path("cold.tar.zst")).unwrap() == std::fs::read(project.path("hot.tar.zst")).unwrap(),
        "{what}"
    );
    project.run(&["snapshot", "restore", "hot.tar.zst"]).code(0);
    project.run(&["--offline", "realize"]).code(0);
    project.run(&["verify"]).code(0);
}

#[test]
fn a_cold_output_is_saved_and_restored_like_a_hot_one() {
    let project = two();
    project.run(&["store", "pack", "--keep-hot", "1"]).code(0);
    goes_on(&project, "packed");
    // Restored where it is cold.
    project.run(&["switch", "2"]).code(0);
    project.run(&["store", "pack", "--keep-hot", "1"]).code(0);
    project.run(&["snapshot", "restore", "hot.tar.zst"]).code(0);
    goes_on(&project, "restored");
}

#[test]
fn a_process_that_is_killed_while_it_packs_or_brings_back_is_no_harm() {
    let project = two();
    let (main, hot, packed) = (project.store("main"), project.store("hot"), project.store("packed"));
    let copy = |from: &Path, to: &Path| {
        assert!(Command::new("rm").arg("-rf").arg(to).status().unwrap().success());
        assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
    };
    copy(&main, &hot);
    project.run(&["store", "pack", "--keep-hot", "1"]).code(0);
    copy(&main, &packed);
    let commands: [(&Path, &[&str]); 4] = [
        (&hot, &["store", "pack", "--keep-hot", "1"]),
        (&packed, &["snapshot", "save", "rocm", "cold.tar.zst"]),
        (&packed, &["snapshot", "restore", "hot.tar.zst"]),
        (&packed, &["switch", "1"]),
    ];
    for (before, command) in commands {
        let mut kills = 0;
        for call in ["rename", "renameat2", "linkat", "syncfs"] {
            for at in [1, 2] {
                copy(before, &main);
                if killed(&project, command, call, at) {
                    kills += 1;
                    goes_on(&project, &format!("{command:?}, {call} {at}"));
                }
            }
        }
        assert!(kills > 1, "{command:?}: {kills}");
    }
}
