//! The vocabulary on the screen, as a person reads it.

use crate::support::{FIRST, Project, SECOND};

/// Replaces the name of the profile, which depends on the directory.
fn steady(project: &Project, text: &str) -> String {
    text.replace(project.profile().file_name().unwrap().to_str().unwrap(), "[PROFILE]")
}

#[test]
fn a_plan_says_have_fetch_and_build() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let plan = |store: &str| project.run_in_store(store, &["realize", "--dry-run"]).code(0).stdout;
    insta::assert_snapshot!(plan("main"), @r"
    do     what    name       version
    have   output  rocm       10.1.0a20260901
    have   input   llama-cpp  b8
    build  output  llama      b8
    build  output  runtime    rocm 10.1.0a20260901, llama b8
    ");
    insta::assert_snapshot!(plan("empty"), @r"
    do       size  what    name       version
    fetch  219 kB  input   rocm       10.1.0a20260901
    build          output  rocm       10.1.0a20260901
    fetch          input   llama-cpp  b8
    build          output  llama      b8
    build          output  runtime    rocm 10.1.0a20260901, llama b8
    ");
}

#[test]
fn a_switch_says_what_changed() {
    let project = Project::realized(&[FIRST, SECOND]);
    insta::assert_snapshot!(steady(&project, &project.run(&["rollback"]).code(0).stdout), @r"
    switched from generation 2 to 1
      rocm 10.1.0a20260902 -> 10.1.0a20260901
    ");
    insta::assert_snapshot!(project.run(&["switch", "1"]).code(0).stdout, @"generation 1 is current already");
    insta::assert_snapshot!(steady(&project, &project.run(&["gc", "--keep", "1", "--dry-run"]).code(0).stdout), @r"
    kept generation 1 of [PROFILE] ([DIR]/project), rocm 10.1.0a20260901: it is current
    would remove 1 download: 219 kB
    ");
    insta::assert_snapshot!(project.run(&["gc"]).code(0).stdout, @"removed 1 download: 219 kB");
}

#[test]
fn trees_have_names_that_a_person_can_say() {
    let project = Project::new();
    let ran = project.run(&["verify"]).code(0);
    assert_eq!(ran.stdout, "nothing to verify: the store has no trees\n");
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let ran = project.run(&["verify"]).code(0);
    let names: std::collections::BTreeSet<&str> =
        ran.stdout.lines().map(|line| line.split(':').next().unwrap()).collect();
    for name in ["rocm 10.1.0a20260901", "llama b8", "llama-cpp b8", "runtime of generation 1"] {
        assert!(names.contains(name), "{name}: {}", ran.all());
    }
    assert!(ran.stdout.lines().last().unwrap().starts_with("4 trees ok ("), "{}", ran.all());
    let ran = project.run(&["store"]).code(0);
    for name in ["rocm 10.1.0a20260901 ", "llama b8 ", "llama-cpp b8 ", "runtime of generation 1 ", "total "] {
        assert!(ran.stdout.lines().any(|line| line.starts_with(name)), "{name}: {}", ran.all());
    }
    let generations = project.run(&["generations"]).code(0);
    assert!(generations.stdout.ends_with("  not run     rocm 10.1.0a20260901, llama b8\n"), "{}", generations.all());
    let outputs = project.run(&["generations", "--outputs"]).code(0);
    assert_eq!(outputs.stdout.lines().count(), 5, "{}", outputs.all());
    for line in outputs.stdout.lines() {
        assert_eq!(line, line.trim_end());
    }
}

#[test]
fn verify_says_ok_and_names_what_it_does_not_know() {
    let project = Project::realized(&[FIRST]);
    insta::assert_snapshot!(project.run(&["verify", "rocm"]).code(0).stdout, @"rocm: ok (196 entries)");
    let ran = project.run(&["verify", "rcom"]).code(9);
    insta::assert_snapshot!(ran.stderr, @r"
    error: unknown output, tree or directory `rcom`
      expected  an output of the lock, a tree digest or a directory
    hint: did you mean `rocm`?
    ");
}

#[test]
fn what_is_stale_is_told_with_the_command_that_brings_it_up_to_date() {
    let project = Project::realized(&[FIRST]);
    project.run(&["audit"]).code(0);
    project.rocm_manifest(SECOND);
    insta::assert_snapshot!(super::steady(&project.run(&["status"]).code(0).stdout), @r"
    project [DIR]/project, lock lock/strix.lock
    name  version  age  size  state
    input  rocm  10.1.0a20260901  [AGE]  219 kB  present
    output  rocm  10.1.0a20260901  629 kB  realized
    generation 1 is current and up to date with the lock
    stale: input `rocm`: the manifest wants `version` `10.1.0a20260902`, the lock was made for `10.1.0a20260901`
    the lock is not up to date with the manifest
    REPRODUCIBLE.md is up to date with the lock
    next: strixlock update
    ");
    insta::assert_snapshot!(project.run(&["status", "--check"]).code(4).stderr, @r"
    error: the lock is not up to date with the manifest
      because  input `rocm`: the manifest wants `version` `10.1.0a20260902`, the lock was made for `10.1.0a20260901`
    hint: run `strixlock update`
    ");
    insta::assert_snapshot!(project.run(&["update", "--locked"]).code(4).stderr, @r"
    error: the lock is stale and would change, which --locked forbids
      lock    lock/strix.lock
      inputs  rocm
    hint: run `strixlock update` and commit the lock
    ");
    project.run(&["update"]).code(0);
    insta::assert_snapshot!(project.run(&["audit", "--check"]).code(4).stderr, @r"
    error: REPRODUCIBLE.md is not up to date with the lock
      file     REPRODUCIBLE.md
      differs  from line 6 on
    hint: run `strixlock audit` and commit the file
    ");
}

#[test]
fn wrong_settings_are_named_with_what_was_expected() {
    let project = Project::empty();
    insta::assert_snapshot!(project.run(&["init", "--packages", "hots"]).code(2).stderr, @"error: --packages: `hots` is not `host`, `none` or a URL");
    insta::assert_snapshot!(project.run(&["init", "--packages", "https://archive.example/ubuntu"]).code(2).stderr, @r"
    error: missing suites of the archive
    hint: name them with --suite, such as --suite noble
    ");
    project.write(".toolbox.env", "GPU_TRAGET=gfx1151\n");
    insta::assert_snapshot!(project.run(&["init"]).code(0).stderr, @r"
    warning: .toolbox.env:1: unknown setting `GPU_TRAGET` (did you mean GPU_TARGET?)
    next: `strixlock update`, and commit manifests/strix.toml and lock/strix.lock
    ");
    insta::assert_snapshot!(project.run(&["gc", "--older-than", "30"]).code(2).stderr, @r"
    error: invalid value '30' for '--older-than <AGE>': expected an age such as 30d, 12h or 2w
    hint: `strixlock gc --help` explains the options
    ");
}
