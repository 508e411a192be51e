//! Durability of every command that publishes files: the kernel sees no name before its bytes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::order::{CALLS, Judged, judge};
use crate::support::{FIRST, Project, Ran, SECOND};

/// Runs a command under strace and checks the order of its writes, syncs and renames.
fn traced(project: &Project, store: &str, arguments: &[&str]) -> (Ran, Judged) {
    let trace = project.directory.path().join("trace");
    let inner = project.command(arguments);
    let mut outer = Command::new("strace");
    outer.args([
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-y",
        "-s",
        "0",
        "-e",
        &format!("trace={CALLS}"),
        "-e",
        "signal=none",
        "-o",
    ]);
    outer.arg(&trace).arg(inner.get_program()).args(arguments).current_dir(project.path("")).env_clear();
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer.env("STRIXLOCK_STORE", project.store(store));
    let ran = project.finish(outer.output().expect("strace is not installed"));
    let text = std::fs::read_to_string(&trace).unwrap();
    // The cache of git repositories is written by libgit2 in its own order. Every object is checked against its name.
    let cache = |path: &Path| path.starts_with(project.store(store).join("git"));
    let judged = judge(&text, project.directory.path(), &project.path(""), &cache);
    assert_eq!(judged.wrong, [""; 0], "strixlock {}", arguments.join(" "));
    (ran, judged)
}

#[track_caller]
pub fn durable(project: &Project, arguments: &[&str]) {
    let (ran, judged) = traced(project, "main", arguments);
    ran.code(0);
    // Otherwise the trace was not understood.
    assert!(judged.named > 0, "strixlock {} gave no name: {judged:?}", arguments.join(" "));
}

#[test]
fn no_command_gives_a_name_before_its_bytes_are_on_disk() {
    let project = Project::empty();
    durable(&project, &["init"]);
    let project = Project::new();
    project.rocm_manifest(FIRST);
    durable(&project, &["update"]);
    std::fs::remove_dir_all(project.store("main")).unwrap();
    durable(&project, &["realize"]);
    durable(&project, &["realize", "--seal"]);
    durable(&project, &["realize", "--to", "out"]);
    durable(&project, &["realize", "--to", "out2", "--link-mode", "copy"]);
    durable(&project, &["audit"]);
    durable(&project, &["snapshot", "save", "rocm", "rocm.tar.zst"]);
    let (ran, judged) = traced(&project, "other", &["snapshot", "restore", "rocm.tar.zst"]);
    ran.code(0);
    assert!(judged.named > 50, "{judged:?}");
    project.rocm_manifest(SECOND);
    durable(&project, &["update"]);
    durable(&project, &["realize"]);
    durable(&project, &["store", "pack", "--keep-hot", "1"]);
    durable(&project, &["rollback"]);
    durable(&project, &["switch", "2"]);
    // A damaged file whose bytes only the download has.
    let tree = std::fs::canonicalize(project.store("main").join("current/rocm")).unwrap();
    let file = tree.join("bin/rocminfo");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(&file, "spoilt").unwrap();
    durable(&project, &["verify", "--repair"]);
    project.run(&["verify"]).code(0);
    let (ran, _) = traced(&project, "main", &["gc", "--keep", "1"]);
    ran.code(0);
}

/// Covers builds: logs, descriptions and trees of several outputs.
#[test]
fn what_is_built_is_on_disk_before_it_has_a_name() {
    let project = Project::new();
    project.full_manifest(FIRST);
    durable(&project, &["update"]);
    durable(&project, &["realize"]);
    traced(&project, "main", &["check", "llama"]).0.code(0);
}
