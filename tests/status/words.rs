//! The vocabulary on the screen, as a person reads it.

use crate::support::{FIRST, Project, SECOND};

/// Replaces digests, and the name of the profile, which depends on the directory.
fn steady(project: &Project, text: &str) -> String {
    let profile = project.profile();
    let name = profile.file_name().unwrap().to_str().unwrap();
    let words = text.replace(name, "[PROFILE]");
    let mut parts = words.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + "sha256:[HEX]" + part.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
}

#[test]
fn a_plan_says_have_fetch_and_build() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    insta::assert_snapshot!(project.run(&["realize", "--dry-run"]).code(0).stdout, @r"
    ");
    insta::assert_snapshot!(project.run_in_store("empty", &["realize", "--dry-run"]).code(0).stdout, @r"
    ");
}

#[test]
fn a_switch_says_what_changed() {
    let project = Project::realized(&[FIRST, SECOND]);
    insta::assert_snapshot!(steady(&project, &project.run(&["rollback"]).code(0).stdout), @r"
    ");
    insta::assert_snapshot!(project.run(&["switch", "1"]).code(0).stdout, @r"
    ");
    insta::assert_snapshot!(steady(&project, &project.run(&["diff"]).code(0).stdout), @r"
    ");
    insta::assert_snapshot!(steady(&project, &project.run(&["gc", "--keep", "1", "--dry-run"]).code(0).stdout), @r"
    ");
    insta::assert_snapshot!(project.run(&["gc"]).code(0).stdout, @r"
    ");
}

#[test]
fn verify_says_ok_or_what_is_damaged_missing_or_extra() {
    let project = Project::realized(&[FIRST]);
    insta::assert_snapshot!(project.run(&["verify", "rocm"]).code(0).stdout, @r"
    ");
    let ran = project.run(&["verify", "rcom"]).code(9);
    insta::assert_snapshot!(ran.stderr, @r"
    ");
}

#[test]
fn what_is_stale_is_told_with_the_command_that_brings_it_up_to_date() {
    let project = Project::realized(&[FIRST]);
    project.run(&["audit"]).code(0);
    project.rocm_manifest(SECOND);
    insta::assert_snapshot!(project.run(&["status"]).code(0).stdout, @r"
    ");
    insta::assert_snapshot!(project.run(&["status", "--check"]).code(4).stderr, @r"
    ");
    insta::assert_snapshot!(project.run(&["update", "--locked"]).code(4).stderr, @r"
    ");
    project.run(&["update"]).code(0);
    insta::assert_snapshot!(project.run(&["audit", "--check"]).code(4).stderr, @r"
    ");
}

#[test]
fn wrong_settings_are_named_with_what_was_expected() {
    let project = Project::empty();
    insta::assert_snapshot!(project.run(&["init", "--packages", "hots"]).code(2).stderr, @r"
    ");
    insta::assert_snapshot!(project.run(&["init", "--packages", "https://archive.example/ubuntu"]).code(2).stderr, @r"
    ");
    project.write(".toolbox.env", "GPU_TRAGET=gfx1151\n");
    insta::assert_snapshot!(project.run(&["init"]).code(0).stderr, @r"
    ");
    insta::assert_snapshot!(project.run(&["gc", "--older-than", "30"]).code(2).stderr, @r"
    ");
}
