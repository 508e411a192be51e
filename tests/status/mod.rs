//! `strixlock status`, `outdated` and `realize` in every state that a project can be in.

mod leaving;
mod width;
mod words;

use crate::support::{FIRST, Project, SECOND};

/// Replaces ages, which change with the calendar, and the width of their column.
pub fn steady(text: &str) -> String {
    let line = |line: &str| {
        let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        let is_age = |cell: &&str| cell.ends_with(" days") || *cell == "1 day" || *cell == "today";
        let is_table = ["        name", "input ", "output "].iter().any(|first| line.starts_with(first));
        let steady = |cell: &&str| if is_age(cell) { "[AGE]" } else { *cell }.to_owned();
        if is_table { cells.iter().map(steady).collect::<Vec<_>>().join("  ") } else { line.to_owned() }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn with_nothing_at_all_the_first_step_is_named() {
    let project = Project::empty();
    insta::assert_snapshot!(project.run(&["realize"]).all(), @r"
    exit code 9
    --- stderr
    error: there is no lock
      path      lock/strix.lock
      manifest  manifests/strix.toml  missing too
    hint: `strixlock init` writes a manifest, and then `strixlock update` the lock
    ");
    let ran = project.run(&["status"]).code(9);
    assert!(ran.stderr.contains("`strixlock init` writes one"), "{}", ran.all());
}

#[test]
fn without_a_lock_status_lists_what_is_to_be_locked() {
    let project = Project::new();
    project.full_manifest(FIRST);
    insta::assert_snapshot!(project.run(&["status"]).all(), @r"
    exit code 0
    --- stdout
    project [DIR]/project
    input      type  state
    llama-cpp  git   not locked
    rocm       rocm  not locked
    there is no lock yet: lock/strix.lock
    next: strixlock update
    ");
    let json = project.run(&["status", "--json"]).code(0).json();
    assert_eq!((&json["locked"], &json["fresh"]), (&false.into(), &false.into()));
    project.run(&["status", "--check"]).code(9);
}

#[test]
fn what_is_present_and_what_is_current_is_told() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    project.run(&["update"]).code(0);
    insta::assert_snapshot!(steady(&project.run(&["status"]).all()), @r"
    exit code 0
    --- stdout
    project [DIR]/project, lock lock/strix.lock
    name  version  age  size  state
    input  rocm  10.1.0a20260901  [AGE]  219 kB  present
    output  rocm  10.1.0a20260901  629 kB  realized
    there is no generation yet
    the lock is up to date with the manifest
    next: strixlock realize
    ");
    let elsewhere = project.run_in_store("other", &["status"]).code(0);
    assert!(elsewhere.stdout.contains("missing") && elsewhere.stdout.contains("not realized"), "{}", elsewhere.all());
    assert!(elsewhere.stdout.contains("next: strixlock realize (fetches "), "{}", elsewhere.all());
    project.run(&["realize"]).code(0);
    let ran = project.run(&["status"]).code(0);
    assert!(ran.stdout.contains("generation 1 is current and up to date with the lock\n"), "{}", ran.all());
    assert!(!ran.stdout.contains("next: "), "nothing is left to do: {}", ran.all());
    let json = project.run(&["status", "--json"]).code(0).json();
    assert_eq!(json["inputs"]["rocm"]["present"], true);
    assert_eq!(json["inputs"]["rocm"]["made"], "2026-09-01");
    assert_eq!((&json["page"], &json["next"]), (&"missing".into(), &serde_json::Value::Null));
    assert_eq!(json["differs"], serde_json::json!([]));
}

#[test]
fn the_page_and_the_manifest_are_part_of_the_state() {
    let project = Project::realized(&[FIRST]);
    project.run(&["audit"]).code(0);
    let ran = project.run(&["status"]).code(0);
    assert!(ran.stdout.ends_with("REPRODUCIBLE.md is up to date with the lock\n"), "{}", ran.all());
    project.rocm_manifest(SECOND);
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let ran = project.run(&["status"]).code(0);
    assert!(ran.stdout.contains("REPRODUCIBLE.md is not up to date with the lock\n"), "{}", ran.all());
    assert!(ran.stdout.ends_with("next: strixlock audit\n"), "{}", ran.all());
    std::fs::remove_file(project.path("manifests/strix.toml")).unwrap();
    let ran = project.run(&["status", "--lock", "lock/strix.lock"]).code(0);
    assert!(ran.stdout.contains("there is no manifest: manifests/strix.toml\n"), "{}", ran.all());
    project.run(&["status", "--check"]).code(9);
}

/// Images are realized only if they are named: a generation without them is still up to date.
#[test]
fn images_that_nobody_asked_for_do_not_make_a_generation_differ() {
    let project = crate::image::with_images("[outputs.plain]\ntype = \"image\"\nbase = \"base\"\n");
    project.run(&["realize"]).code(0);
    let ran = project.run(&["status"]).code(0);
    assert!(ran.stdout.contains("generation 1 is current and up to date with the lock\n"), "{}", ran.all());
    let ran = project.run(&["realize"]).code(0);
    assert!(ran.stdout.contains("generation 1 is current already"), "{}", ran.all());
    // Once it is in the generation, it counts, and following the hint brings it up to date.
    project.run(&["realize", "plain"]).code(0);
    let ran = project.run(&["status"]).code(0);
    assert!(ran.stdout.contains(" is current and up to date with the lock\n"), "{}", ran.all());
    let manifest = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &manifest.replace("[outputs.plain]", "[outputs.plain]\nname = \"other\""));
    project.run(&["update"]).code(0);
    let ran = project.run(&["status"]).code(0);
    assert!(ran.stdout.contains("differs from the lock in plain\n"), "{}", ran.all());
    assert!(ran.stdout.ends_with("\nnext: strixlock realize plain\n"), "{}", ran.all());
    project.run(&["realize", "plain"]).code(0);
    let ran = project.run(&["status"]).code(0);
    assert!(ran.stdout.contains(" is current and up to date with the lock\n"), "{}", ran.all());
}

#[test]
fn a_lock_that_moved_on_and_a_rollback_are_told_apart() {
    let project = Project::realized(&[FIRST]);
    project.rocm_manifest(SECOND);
    project.run(&["update"]).code(0);
    let line = |project: &Project| {
        let ran = project.run(&["status"]).code(0);
        ran.stdout.lines().find(|line| line.starts_with("generation ")).unwrap_or_default().to_owned()
    };
    let differs = "and differs from the lock in rocm";
    assert_eq!(line(&project), format!("generation 1 is current {differs}"));
    project.run(&["realize"]).code(0);
    assert_eq!(line(&project), "generation 2 is current and up to date with the lock");
    project.run(&["rollback"]).code(0);
    assert_eq!(line(&project), format!("generation 1 is current (the newest is 2) {differs}"));
}

#[test]
fn realize_with_a_changed_manifest_says_what_changed() {
    let project = Project::realized(&[FIRST]);
    project.rocm_manifest(SECOND);
    let ran = project.run(&["realize"]).code(0);
    let changed = format!("input `rocm`: the manifest wants `version` `{SECOND}`, the lock was made for `{FIRST}`");
    let warned = format!("warning: the lock is not up to date with the manifest, and is used as it is: {changed}.");
    assert!(ran.stderr.contains(&warned), "{}", ran.all());
    let ran = project.run(&["realize", "--locked"]).code(4);
    assert!(ran.stderr.contains(&changed) && ran.stderr.contains("run `strixlock update`"), "{}", ran.all());
    for command in [&["audit"][..], &["check"], &["snapshot", "save", "all.tar.zst"]] {
        let ran = project.run(command);
        assert!(ran.stderr.contains(&warned), "{command:?}: {}", ran.all());
    }
    project.run(&["update"]).code(0);
    let ran = project.run(&["realize", "--locked"]).code(0);
    assert!(!ran.stderr.contains("warning"), "{}", ran.all());
    // A lock can be realized without a manifest.
    std::fs::remove_file(project.path("manifests/strix.toml")).unwrap();
    let ran = project.run(&["realize"]).code(0);
    assert!(!ran.stderr.contains("warning"), "{}", ran.all());
    project.run(&["realize", "--locked"]).code(9);
}

#[test]
fn without_a_network_nobody_says_what_is_newest() {
    let project = Project::realized(&[FIRST]);
    let ran = project.run(&["outdated"]).code(0);
    assert!(ran.stdout.contains("10.2.0a"), "{}", ran.all());
    insta::assert_snapshot!(project.run(&["--offline", "outdated"]).all(), @r"
    exit code 8
    --- stderr
    error: cannot look up newer versions with --offline
    hint: leave out --offline; `strixlock status` shows what is locked without the network
    ");
    project.run(&["--offline", "status"]).code(0);
    project.run(&["--offline", "realize"]).code(0);
}

#[test]
fn sealing_says_that_the_lock_was_written() {
    let project = Project::realized(&[FIRST]);
    project.run(&["audit"]).code(0);
    let ran = project.run(&["realize", "--seal"]).code(0);
    assert!(ran.stdout.ends_with("wrote lock/strix.lock\n"), "{}", ran.all());
    assert!(!ran.stderr.contains("REPRODUCIBLE.md"), "the seal changed nothing: {}", ran.all());
}
