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
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    let commit = &lock["inputs"]["llama-cpp"]["locked"]["commit"].as_str().unwrap()[..12];
    let plan =
        |store: &str| project.run_in_store(store, &["realize", "--dry-run"]).code(0).stdout.replace(commit, "[COMMIT]");
    insta::assert_snapshot!(plan("main"), @r"
    have   output  rocm       10.1.0a20260901
    have   input   llama-cpp  b8 ([COMMIT])
    build  output  llama      b8 ([COMMIT]) + 10.1.0a20260901
    build  output  runtime    10.1.0a20260901 + b8 ([COMMIT])
    ");
    insta::assert_snapshot!(plan("empty"), @r"
    fetch 219 kB  input   rocm       10.1.0a20260901
    build         output  rocm       10.1.0a20260901
    fetch         input   llama-cpp  b8 ([COMMIT])
    build         output  llama      b8 ([COMMIT]) + 10.1.0a20260901
    build         output  runtime    10.1.0a20260901 + b8 ([COMMIT])
    ");
}

#[test]
fn a_switch_says_what_changed() {
    let project = Project::realized(&[FIRST, SECOND]);
    insta::assert_snapshot!(steady(&project, &project.run(&["rollback"]).code(0).stdout), @r"
    switched to generation 1: [DIR]/stores/main/profiles/[PROFILE]/current
    from 2:
      rocm 10.1.0a20260902 -> 10.1.0a20260901
    ");
    insta::assert_snapshot!(project.run(&["switch", "1"]).code(0).stdout, @"generation 1 is current already");
    insta::assert_snapshot!(steady(&project, &project.run(&["gc", "--keep", "1", "--dry-run"]).code(0).stdout), @r"
    kept generation 1 of [PROFILE] ([DIR]/project), rocm 10.1.0a20260901: it is current
    would remove 0 trees, 0 files, 0 chunks, 1 downloads, 0 git caches: 219 kB
    ");
    insta::assert_snapshot!(project.run(&["gc"]).code(0).stdout, @"removed 0 trees, 0 files, 0 chunks, 1 downloads, 0 git caches: 219 kB");
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
    insta::assert_snapshot!(project.run(&["status"]).code(0).stdout, @r"
    input   rocm  10.1.0a20260901  present
    output  rocm  10.1.0a20260901  realized
    generation 1 is current and up to date with the lock
    stale: input `rocm`: the manifest wants `version` `10.1.0a20260902`, the lock was made for `10.1.0a20260901`
    the lock is not up to date with the manifest: run `strixlock update`
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
      differs  from line 28 on
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
