//! Read-only and missing stores: reading commands create nothing and need no write access.

use std::path::Path;
use std::process::Command;

use crate::support::{Project, Ran, files};

const FIRST: &str = "10.1.0a20260901";
const SECOND: &str = "10.1.0a20260902";

/// Runs a command with everything below `place` on a read-only mount. Returns `None` if this machine allows no mounts.
fn run_below(project: &Project, place: &Path, arguments: &[&str]) -> Option<Ran> {
    let fixed = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\"";
    let outer = |script: &str| {
        let mut outer = Command::new("unshare");
        outer.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(place);
        outer
    };
    if !outer(fixed).output().is_ok_and(|tried| tried.status.success()) {
        return None;
    }
    let inner = project.command(arguments);
    let mut outer = outer(&format!("{fixed} && exec \"$@\""));
    outer.arg(inner.get_program()).args(inner.get_args()).current_dir(project.path("")).env_clear();
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Some(project.finish(outer.output().unwrap()))
}

fn realized() -> Project {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    project.run(&["realize", "rocm"]).code(0);
    project
}

#[test]
fn a_store_that_can_only_be_read_is_looked_at_and_used() {
    let project = realized();
    let store = project.store("main");
    let before = files(&store);
    let run = |arguments: &[&str]| run_below(&project, &store, arguments);
    let Some(ran) = run(&["status"]) else { return };
    assert!(ran.code(0).stdout.contains("realized"));
    for arguments in [["outdated"].as_slice(), &["generations"], &["diff"], &["why", "rocm"], &["verify", "rocm"]] {
        let ran = run(arguments).unwrap();
        assert!(!ran.stderr.contains("Read-only file system"), "{arguments:?}: {}", ran.all());
    }
    project.upstream().add_llama_commit().unwrap();
    let ran = run(&["outdated"]).unwrap().code(0);
    assert!(ran.stdout.contains("llama-cpp"), "{}", ran.all());
    let ran = run(&["realize", "rocm"]).unwrap().code(0);
    assert!(ran.stdout.contains("is current"), "{}", ran.all());
    run(&["realize", "rocm", "--to", "copy"]).unwrap().code(0);
    assert!(project.path("copy/rocm/lib").is_dir());
    run(&["realize", "--dry-run"]).unwrap().code(0);
    assert_eq!(files(&store), before);
}

#[test]
fn work_that_a_store_cannot_take_is_refused_before_it_is_begun() {
    let project = realized();
    let store = project.store("main");
    project.rocm_manifest(SECOND);
    // Something has to be fetched.
    std::fs::rename(project.path("lock/strix.lock"), project.path("old.lock")).unwrap();
    project.run_in_store("other", &["update"]).code(0);
    let Some(ran) = run_below(&project, &store, &["realize"]) else { return };
    let refused = "error: the store is read-only, and this needs to add to it\n  store  [DIR]/stores/main\nhint: ";
    assert!(ran.code == 1 && ran.stderr.contains(refused), "{}", ran.all());
    // A generation has to be added, with all trees of another project present.
    std::fs::rename(project.path("old.lock"), project.path("lock/strix.lock")).unwrap();
    let ran = run_below(&project, &store, &["realize", "rocm", "--profile", "mine"]).unwrap().code(1);
    assert!(ran.stderr.contains(refused), "{}", ran.all());
}

#[test]
fn looking_makes_no_store() {
    let project = realized();
    project.upstream().add_llama_commit().unwrap();
    std::fs::create_dir(project.directory.path().join("home")).unwrap();
    let look = |arguments: &[&str]| {
        let mut command = project.command(arguments);
        command.env_remove("STRIXLOCK_STORE");
        project.finish(command.output().unwrap())
    };
    let ran = look(&["status"]).code(0);
    assert!(ran.stdout.contains("missing") && ran.stdout.contains("there is no generation yet"), "{}", ran.all());
    assert_eq!(look(&["status", "--json"]).code(0).json()["inputs"]["rocm"]["present"], false);
    assert!(look(&["outdated"]).code(0).stdout.contains("llama-cpp"));
    assert_eq!(std::fs::read_dir(project.directory.path().join("home")).unwrap().count(), 0);
}

#[test]
fn status_works_in_a_home_that_can_only_be_read() {
    let project = realized();
    let home = project.directory.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let store = home.join(".local/share/strixlock/store");
    let Some(ran) = run_below(&project, &home, &["status", "--store", store.to_str().unwrap()]) else { return };
    assert!(ran.code(0).stdout.contains("missing"));
}

/// A store that is refused for writing is refused for reading too.
#[test]
fn what_is_no_store_is_not_read_as_one() {
    let project = realized();
    let place = project.directory.path().join("things");
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("mine"), "").unwrap();
    let ran = project.run(&["status", "--store", place.to_str().unwrap()]).code(3);
    assert!(ran.stderr.contains("this directory is neither empty nor a store"), "{}", ran.all());
    let store = project.store("main");
    std::fs::write(store.join("version"), "strixlock-store 9\n").unwrap();
    let ran = project.run(&["status"]).code(3);
    assert!(ran.stderr.contains("strixlock-store 9"), "{}", ran.all());
    std::fs::remove_dir(store.join("tmp/partial")).ok();
    std::fs::rename(store.join("tmp"), store.join("aside")).unwrap();
    std::os::unix::fs::symlink(&place, store.join("tmp")).unwrap();
    project.run(&["status"]).code(7);
}
