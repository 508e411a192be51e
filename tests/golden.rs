//! The trees that recipes make of small fixed inputs, beside the revisions that they were made with.
//!
//! Data that a recipe adds is hashed into derivation ids; for rules of unpacking, trimming and installing, a revision stands in,
//! which somebody has to raise. These tests fail where such a rule gives another tree.

use serde_json::Value;
use strixlock::parts::revisions;
use strixlock_demo::forge::ForgeRelease;
use strixlock_demo::gguf_maker::Shape;
use strixlock_demo::raw_tar::{RawEntry, raw_tar};
use strixlock_ground::digest::Sha256Digest;

use crate::git::repository::Made as Repository;
use crate::image::with_images;
use crate::support::{Project, REQUIRES};
use crate::validate::add_model;

/// A recipe, and the tree that it made.
type Made = (&'static str, String);

/// Fails if a recipe gave another tree than when its golden digest was written down.
#[track_caller]
fn golden(made: &[Made]) {
    let known = revisions();
    let is_known = |(kind, tree): &&Made| {
        GOLDEN.iter().any(|golden| golden.0 == *kind && golden.2 == tree && known.contains(&(golden.0, golden.1)))
    };
    let other: Vec<&Made> = made.iter().filter(|made| !is_known(made)).collect();
    assert!(
        other.is_empty(),
        "these recipes make another tree of the same input: raise each one's REVISION in src/recipe, so that outputs made before \
         do not stand in for new ones, say so in CHANGELOG.md, and write revision and digest below: {other:#?}"
    );
}

#[test]
fn roots_and_images_are_those_of_their_revisions() {
    let project =
        with_images("[outputs.image]\ntype = \"image\"\nname = \"golden\"\nbase = \"base\"\nrocm = \"rocm\"\n");
    let ran = project.run(&["realize", "base", "rocm", "image", "--json"]).code(0);
    // The layers before they are compressed: the library that compresses them is in the derivation by its version.
    let layout = project.store("main").join("current/image");
    let json = |path: &str| -> Value { serde_json::from_slice(&std::fs::read(layout.join(path)).unwrap()).unwrap() };
    let blob =
        |descriptor: &Value| json(&format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/")));
    let config = blob(&blob(&json("index.json")["manifests"][0])["config"]);
    let layers = serde_json::to_vec(&config["rootfs"]["diff_ids"]).unwrap();
    let image = Sha256Digest::of(&layers).to_string();
    golden(&[("rocm", ran.tree("rocm")), ("sysroot", ran.tree("base")), ("image", image)]);
}

#[test]
fn a_trimmed_runtime_is_that_of_its_revision() {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    let ran = project.run(&["realize", "--json"]).code(0);
    golden(&[("runtime", ran.tree("runtime"))]);
}

/// Asks for a build whose sources need no compiler, so that what is installed is the same on every machine.
pub fn small_build(project: &Project) -> Repository {
    let made = Repository::new(project, "/golden/source.git");
    commit(&made, b"#!/bin/sh\n");
    project.write(
        "manifests/strix.toml",
        &format!(
            "{REQUIRES}[inputs.llama-cpp]\ntype = \"git\"\nurl = \"{}\"\n\n[outputs.llama]\ntype = \"llama\"\nbackend = \"cpu\"\n",
            made.url
        ),
    );
    made
}

/// Makes a commit of the sources with this program.
pub fn commit(made: &Repository, program: &[u8]) {
    let list = "cmake_minimum_required(VERSION 3.16)\nproject(golden LANGUAGES NONE)\n\
                install(PROGRAMS run DESTINATION bin)\ninstall(FILES run DESTINATION share PERMISSIONS OWNER_READ)\n\
                install(CODE \"file(CREATE_LINK run \\$ENV{DESTDIR}\\${CMAKE_INSTALL_PREFIX}/bin/alias SYMBOLIC)\")\n";
    let (list, run) = (made.blob(list.as_bytes()), made.blob(program));
    made.commit(made.tree(&[("100644", "CMakeLists.txt", list), ("100755", "run", run)]));
}

#[test]
fn an_installed_build_is_that_of_its_revision() {
    let project = Project::empty();
    small_build(&project);
    project.run(&["update"]).code(0);
    let ran = project.run(&["realize", "--json"]).code(0);
    golden(&[("llama", ran.tree("llama"))]);
}

#[test]
fn a_project_of_any_kind_is_that_of_its_revision() {
    let project = Project::empty();
    small_build(&project);
    let manifest = project.read("manifests/strix.toml");
    let manifest = manifest.replace("type = \"llama\"\nbackend = \"cpu\"", "type = \"cmake\"\nsource = \"llama-cpp\"");
    project.write("manifests/strix.toml", &manifest);
    project.run(&["update"]).code(0);
    let ran = project.run(&["realize", "--json"]).code(0);
    golden(&[("cmake", ran.tree("llama"))]);
}

#[test]
fn an_archive_of_programs_is_that_of_its_revision() {
    let project = Project::new();
    let archive = raw_tar(&[
        RawEntry::directory("w/"),
        RawEntry::new(tar::EntryType::Regular, "w/run", "", b"#!/bin/sh\n", 0o755),
        RawEntry::file("w/LICENSE", b"x"),
        RawEntry::link("w/alias", "run"),
    ]);
    project.upstream().forge().publish(ForgeRelease::new("b4", "golden.tar", archive));
    let git = project.upstream().git_url();
    let input =
        format!("[inputs.llama-release]\ntype = \"release\"\nurl = \"{git}\"\nasset = \"golden.tar\"\ntag = \"b4\"\n");
    project.write("manifests/strix.toml", &format!("{REQUIRES}{input}\n[outputs.llama]\ntype = \"prebuilt\"\n"));
    project.run(&["update"]).code(0);
    golden(&[("prebuilt", project.run(&["realize", "--json"]).code(0).tree("llama"))]);
}

#[test]
fn a_model_is_that_of_its_revision() {
    let project = Project::empty();
    project.write("manifests/strix.toml", REQUIRES);
    add_model(&project, "model", Shape::default());
    let manifest = project.read("manifests/strix.toml");
    project
        .write("manifests/strix.toml", &format!("{manifest}\n[outputs.golden]\ntype = \"model\"\ninput = \"model\"\n"));
    project.run(&["update"]).code(0);
    let ran = project.run(&["realize", "golden", "--json"]).code(0);
    golden(&[("model", ran.tree("golden"))]);
}

const GOLDEN: [(&str, u32, &str); 8] = [
    ("cmake", 1, "sha256:5ff79100daa6448050407caec0d36707b33b47bf610deac68d4dc3fdaa656157"),
    ("image", 3, "sha256:2ff9388084038e1e18a815596af45b67923430ffb1a82d3f28d80adbefbc535b"),
    ("llama", 3, "sha256:5ff79100daa6448050407caec0d36707b33b47bf610deac68d4dc3fdaa656157"),
    ("model", 1, "sha256:658b8c0c968221864ed6020646bca8cd452d3a635f6cfff695319d507d5ea18a"),
    ("prebuilt", 1, "sha256:b3bc7a2a1699eb7d46e1499617b7709d588e329bcf72d2c70462c6c7fa46ef53"),
    ("rocm", 1, "sha256:8c334b1186cbc61893bad947a7356a38f00ca9c022954929332db85186a6f409"),
    ("runtime", 4, "sha256:e31caeb9da50477ea4d79716c0ab2e0f68cb2f69251ff3210c609fcd3ea6575f"),
    ("sysroot", 1, "sha256:1db029abfd1486edf121e0dedb1ec4fae7ea0dcf25ca8e1d7718732ce4b251aa"),
];
