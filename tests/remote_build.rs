//! Builds by a remote builder: what is refused before anything is built. What a service does wrong is tested in
//! `crates/reapi`, real services and real builds in `scripts/e2e-reapi`.

use crate::support::{FIRST, Project, SECOND};

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
fn every_command_that_builds_has_the_builder_and_can_do_without() {
    let project = updated();
    let text = project.read("manifests/strix.toml");
    let image = "\n[outputs.image]\ntype = \"image\"\nllama = \"llama\"\nruntime = \"runtime\"\n";
    project.write("manifests/strix.toml", &format!("{text}{image}"));
    project.run(&["update"]).code(0);
    project.write("strixlock.toml", "builder = \"reapi://127.0.0.1:1\"\n");
    let ends = ["rocm", "--good", FIRST, "--bad", SECOND, "--confirm", "--output", "llama", "interactive"];
    let commands: [(&[&str], &[&str]); 4] = [
        (&["bisect"], &ends),
        (&["export", "oci"], &[]),
        (&["provision"], &["podman", "--image", "image", "--name", "box"]),
        (&["up"], &["--validate", "none"]),
    ];
    // Another program in place of podman: no image gets there.
    project.program("bin/podman", "#!/bin/sh\nexit 1\n");
    for (command, rest) in commands {
        let mut run = project.command(&[command, rest].concat());
        let ran = project.finish(run.env("PATH", project.search_path()).output().unwrap()).code(3);
        assert!(ran.stderr.contains("remote builder"), "{}", ran.all());
        assert!(ran.stderr.contains("`--builder local`"), "{}", ran.all());
    }
    for (command, rest) in [commands[0], commands[1], commands[3]] {
        project.run(&[command, &["--builder", "local"], rest].concat()).code(0);
    }
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
