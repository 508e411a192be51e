//! Builds by a remote builder: what is refused before anything is built. What a service does wrong is tested in
//! `crates/reapi`, real services and real builds in `scripts/e2e-reapi`.

use crate::support::{FIRST, Project};

fn updated() -> Project {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    project
}

#[test]
fn a_build_in_the_root_of_this_machine_is_refused() {
    let project = updated();
    let ran = project.run(&["realize", "llama", "--builder", "reapi://127.0.0.1:1"]).code(3);
    let (_, told) = ran.stderr.split_at(ran.stderr.find("error").unwrap());
    insta::assert_snapshot!(told, @"
    error: a build in the root of this machine cannot be done by a remote builder
      expected  an output with a sysroot
    hint: give the output a `sysroot` in the manifest, or build it here with `--builder local`
    ");
    assert!(
        project.published("main").iter().all(|name| !name.starts_with("outputs")),
        "{:?}",
        project.published("main")
    );
}

#[test]
fn what_is_configured_counts_unless_the_command_line_says_otherwise() {
    let project = updated();
    project.write("strixlock.toml", "builder = \"reapi://127.0.0.1:1\"\n");
    project.run(&["realize", "llama"]).code(3);
    // An output that is only unpacked needs no builder.
    project.run(&["realize", "rocm"]).code(0);
    project.run(&["realize", "llama", "--builder", "local"]).code(0);
    // A check builds here, whatever is configured.
    project.run(&["check", "llama"]).code(0);
    project.run(&["check", "llama", "--builder", "reapi://127.0.0.1:1"]).code(3);
}

#[test]
fn an_invalid_address_is_refused_where_it_stands() {
    let project = updated();
    for address in ["build.lan:8980", "https://build.lan", "reapi://me:secret@build.lan"] {
        let ran = project.run(&["realize", "--builder", address]).code(2);
        assert!(ran.stderr.contains("--builder"), "{}", ran.all());
        project.write("strixlock.toml", &format!("rounds = 3\nbuilder = \"{address}\"\n"));
        let ran = project.run(&["realize"]).code(3);
        assert!(ran.stderr.contains("strixlock.toml:2"), "{}", ran.all());
    }
    project.write("strixlock.toml", "builder = \"reapis://build.lan\"\nbuilder-key = \"key\"\n");
    let ran = project.run(&["realize"]).code(3);
    assert!(ran.stderr.contains("builder-certificate and builder-key"), "{}", ran.all());
}
