//! `strixlock provision` with an image of the lock, which is realized and loaded into podman's storage.

use super::{run, stand_ins};
use crate::image::with_images;
use crate::support::Project;

const IMAGES: &str = "[outputs.shell]\ntype = \"image\"\nname = \"strixlock/shell\"\nbase = \"base\"\nlabels = { \"com.github.containers.toolbox\" = \"true\" }\n";

/// A project with images in its lock, and stand-ins for engines.
fn with_engines(images: &str) -> Project {
    let project = with_images(images);
    stand_ins(&project, &["podman", "distrobox", "distrobox-assemble", "docker"]);
    // It changes the directory for podman.
    std::os::unix::fs::symlink("/usr/bin/env", project.path("bin/env")).unwrap();
    project
}

/// Returns the digest of the image, as printed by the export.
fn digest_of(project: &Project, image: &str) -> String {
    let ran = project.run(&["export", "oci", image, "--json"]).code(0);
    ran.json()["digest"].as_str().unwrap().to_owned()
}

#[test]
fn the_image_of_the_lock_is_made_and_brought_to_podman_by_digest() {
    let project = with_engines(IMAGES);
    let (ran, calls) = run(&project, &["-q", "provision", "podman"], &[]);
    ran.code(0);
    let digest = digest_of(&project, "shell");
    let tag = &digest["sha256:".len()..][..12];
    let calls: Vec<&str> = calls.lines().collect();
    assert_eq!(calls[0], "podman [container] [exists] [strix]");
    assert_eq!(calls[1], format!("podman [image] [exists] [localhost/strixlock/shell:{tag}]"));
    assert_eq!(calls[2], "podman [load] [--quiet] [--input] [tree]");
    assert!(
        calls[3].starts_with("podman [tag] [") && calls[3].ends_with(&format!("[localhost/strixlock/shell:{tag}]"))
    );
    assert!(calls[4].starts_with("podman [untag] [") && calls[4].ends_with("[localhost/tree:latest]"));
    assert!(calls[5].contains(&format!("[localhost/strixlock/shell@{digest}]")), "{}", calls[5]);
    assert!(calls[7].ends_with("[sh] [/opt/rocm/bin] [/opt/llama/bin]"), "it has no program to look for: {}", calls[7]);
    // An image that podman has is not loaded again.
    let (ran, calls) = run(&project, &["-q", "provision", "podman"], &[("HAS", "0")]);
    ran.code(0);
    assert!(calls.lines().nth(2).unwrap().starts_with("podman [create]"), "{calls}");
}

#[test]
fn a_dry_run_makes_no_image_and_says_how() {
    let project = with_engines(IMAGES);
    let (ran, calls) = run(&project, &["provision", "distrobox", "--dry-run"], &[]);
    assert!(ran.code(9).stderr.contains("`strixlock realize shell` makes it"));
    assert!(calls.is_empty(), "{calls}");
    let digest = digest_of(&project, "shell");
    let (ran, calls) = run(&project, &["provision", "distrobox", "--dry-run"], &[]);
    let ran = ran.code(0);
    assert!(ran.stdout.contains(&format!("image=localhost/strixlock/shell@{digest}\n")), "{}", ran.all());
    assert!(ran.stdout.contains("podman load --quiet --input tree\n"), "{}", ran.all());
    assert!(calls.is_empty(), "{calls}");
}

#[test]
fn an_engine_that_takes_images_from_registries_alone_is_told_how_to_get_it_there() {
    let project = with_engines(IMAGES);
    let (ran, calls) = run(&project, &["provision", "docker"], &[]);
    let ran = ran.code(2);
    assert!(ran.stderr.contains("docker needs an image in a registry"), "{}", ran.all());
    assert!(ran.stderr.contains("`strixlock export oci shell`"), "{}", ran.all());
    assert!(calls.is_empty(), "{calls}");
}

#[test]
fn what_can_be_refused_is_refused_before_the_image_is_made() {
    let project = with_engines(IMAGES);
    for (arguments, variables, code) in [
        (&["podman"][..], &[("THERE", "0")][..], 1),
        (&["podman", "--name", "-x"], &[], 2),
        (&["toolbox", "--models", "models"], &[], 2),
        (&["quadlet"], &[], 2),
        (&["toolbox"], &[], 1),
    ] {
        let (ran, _) = run(&project, &[&["provision"], arguments].concat(), variables);
        ran.code(code);
        let (ran, _) = run(&project, &["provision", "distrobox", "--dry-run"], &[]);
        assert!(ran.code(9).stderr.contains("the image is not realized"), "{arguments:?}");
    }
}

#[test]
fn an_image_without_a_toolbox_s_tools_is_refused_for_toolboxes() {
    let project = with_engines("[outputs.plain]\ntype = \"image\"\nbase = \"base\"\n");
    let (ran, calls) = run(&project, &["provision", "distrobox"], &[]);
    assert!(ran.code(2).stderr.contains("distrobox needs an image that is prepared for it"));
    assert!(calls.is_empty(), "{calls}");
    run(&project, &["-q", "provision", "podman"], &[]).0.code(0);
}

#[test]
fn of_several_images_one_is_named() {
    let project = with_engines(&format!("{IMAGES}[outputs.other]\ntype = \"image\"\nbase = \"base\"\n"));
    let (ran, calls) = run(&project, &["provision", "podman"], &[]);
    let ran = ran.code(2);
    assert!(ran.stderr.contains("the lock has several images: name one\nhint: other, shell"), "{}", ran.all());
    assert!(calls.is_empty(), "{calls}");
    project.write(".toolbox.env", "BASE_IMAGE=other\n");
    let (ran, calls) = run(&project, &["-q", "provision", "podman"], &[]);
    ran.code(0);
    assert!(calls.contains("[localhost/other@sha256:"), "{calls}");
}

#[test]
fn who_serves_gets_the_server_and_who_works_all_of_rocm() {
    let image = |name: &str, more: &str| format!("[outputs.{name}]\ntype = \"image\"\nbase = \"base\"\n{more}\n");
    let project = with_engines(&(image("toolbox", "rocm = \"rocm\"") + &image("plain", "")));
    let llama = format!(
        "[inputs.llama-cpp]\ntype = \"git\"\nurl = \"{}\"\n\n[outputs.llama]\ntype = \"llama\"\n\n",
        project.upstream().git_url()
    );
    let server = image("server", "llama = \"llama\"\nrocm = \"rocm\"\nprogram = \"llama-server\"");
    project.write("manifests/strix.toml", &(project.read("manifests/strix.toml") + &llama + &server));
    project.run(&["update"]).code(0);
    project.run(&["realize", "server"]).code(0);
    project.write("models/m.gguf", "");
    let (ran, calls) = run(&project, &["-q", "provision", "podman"], &[]);
    ran.code(0);
    assert!(calls.contains("[localhost/toolbox@sha256:"), "{calls}");
    assert!(calls.ends_with("[/opt/llama/bin] [hipcc] [rocminfo]\n"), "the ROCm tree's alone: {calls}");
    let (ran, calls) = run(&project, &["-q", "provision", "podman", "--image", "server", "--name", "two"], &[]);
    ran.code(0);
    for program in [" [llama-bench]", " [llama-cli]", " [llama-server]", " [rocminfo]"] {
        assert!(calls.lines().last().unwrap().contains(program), "{program}: {calls}");
    }
    let arguments = ["-q", "provision", "quadlet", "--models", "models", "--model", "m.gguf", "--to", "units"];
    let (ran, calls) = run(&project, &arguments, &[]);
    ran.code(0);
    assert!(calls.contains("podman [load] [--quiet] [--input] [tree]\n"), "{calls}");
    let unit = project.read("units/strix-server.container");
    assert!(unit.contains("Image=localhost/server@sha256:"), "{unit}");
    // The option of the locked llama.cpp, read from its sources.
    assert!(unit.contains(" -fa 1 --load-mode none --model "), "{unit}");
    // Where the sources are gone, the program's own file has it.
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    let content = lock["inputs"]["llama-cpp"]["locked"]["content"]["digest"].as_str().unwrap().to_owned();
    let trees = project.store("main").join("trees");
    std::fs::rename(trees.join(content.trim_start_matches("sha256:")), project.store("away")).unwrap();
    let (ran, _) = run(&project, &[&arguments[..], &["--force"]].concat(), &[]);
    assert!(!ran.code(0).stderr.contains("unknown version"));
    assert_eq!(project.read("units/strix-server.container"), unit);
}
