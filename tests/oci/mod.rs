//! Input kind `oci`: from a registry's tag to pinned layers, and on to trees and images.

mod helpers;
mod index;
mod layers;
mod login;
mod odd;
mod refused;
mod registry;

use serde_json::{Value, json};

use crate::support::{Project, REQUIRES};
use registry::{INDEX, Image, MANIFEST, put, serve};

/// The host of the upstream, as a registry is named.
pub fn host(project: &Project) -> String {
    project.base().trim_start_matches("http://").trim_end_matches('/').to_owned()
}

/// A manifest for an image, with more lines.
pub fn manifest(project: &Project, image: &str, lines: &str) {
    let host = host(project);
    project.write(
        "manifests/strix.toml",
        &format!("{REQUIRES}[inputs.base]\ntype = \"oci\"\nimage = \"{host}/{image}\"\n{lines}"),
    );
}

const SYSROOT: &str = "\n[outputs.root]\ntype = \"sysroot\"\nimage = \"base\"\n";
const FROM: &str = "\n[outputs.image]\ntype = \"image\"\nfrom = \"base\"\n";

/// Serves an image under a tag, alone or in an index of two platforms; the digest that the tag leads to.
fn push(project: &Project, image: &Image, indexed: bool) -> String {
    let (descriptor, text) = image.push(project, "team/base");
    if !indexed {
        serve(project, "team/base", "24.04", text.as_bytes(), MANIFEST);
        return descriptor["digest"].as_str().unwrap().to_owned();
    }
    let platform = |descriptor: &Value, architecture: &str| {
        let mut descriptor = descriptor.clone();
        descriptor["platform"] = json!({ "os": "linux", "architecture": architecture });
        descriptor
    };
    let (other, _) = Image { architecture: "arm64", ..Image::new(&[("etc/arm", "1")]) }.push(project, "team/base");
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX,
        "manifests": [platform(&other, "arm64"), platform(&descriptor, "amd64")],
    });
    let top = put(project, "team/base", &index, INDEX);
    serve(project, "team/base", "24.04", index.to_string().as_bytes(), INDEX);
    top["digest"].as_str().unwrap().to_owned()
}

#[test]
fn a_tag_is_pinned_to_everything_below_it_and_realized_without_the_tag() {
    for indexed in [false, true] {
        let project = Project::empty();
        let top = push(&project, &Image::new(&[("etc/new", "2"), ("etc/.wh.gone", "")]), indexed);
        manifest(&project, "team/base:24.04", SYSROOT);
        let ran = project.run(&["update"]).code(0);
        assert!(ran.stdout.contains(&top), "{}", ran.all());
        let lock = project.lock();
        let pin = &serde_json::from_str::<Value>(&lock).unwrap()["inputs"]["base"]["locked"];
        assert_eq!(pin["index"].is_object(), indexed);
        assert_eq!(pin["layers"].as_array().unwrap().len(), 2);
        assert!(!lock.contains("http:"), "the way there is no part of a pin");
        project.run(&["update"]).code(0);
        assert_eq!(project.lock(), lock);

        // The tag moves: the pin stays what it was, and the move is shown.
        let moved = push(&project, &Image::new(&[("etc/new", "3")]), indexed);
        let ran = project.run(&["outdated", "--json"]).code(0).json();
        assert!(ran["inputs"][0]["latest"].as_str().unwrap().contains(&moved[7..19]), "{ran}");
        let tree = project.run(&["realize", "root", "--json"]).code(0).tree("root");
        let root = project.store("main").join("current/root");
        assert_eq!(std::fs::read_to_string(root.join("etc/new")).unwrap(), "2");
        assert!(!root.join("etc/gone").exists() && root.join("bin/sh").exists());
        project.run(&["audit"]).code(0);
        assert!(project.read("REPRODUCIBLE.md").contains("skopeo copy"));
        project.run(&["update"]).code(0);
        assert_ne!(project.run(&["realize", "root", "--json"]).code(0).tree("root"), tree);
    }
}

#[test]
fn a_pinned_image_is_a_base_with_its_own_blobs() {
    let mut project = Project::empty();
    let image = Image::new(&[("etc/new", "2")]);
    push(&project, &image, true);
    manifest(&project, "team/base:24.04", &format!("{FROM}environment = {{ MINE = \"1\" }}\n"));
    project.run(&["update"]).code(0);
    let said = project.run(&["export", "oci", "--json"]).code(0).json();
    let layers = said["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 3);
    for (index, (bytes, _)) in image.layers.iter().enumerate() {
        assert_eq!(layers[index]["digest"], strixlock_ground::digest::Sha256Digest::of(bytes).to_string());
    }
    let layout = project.store("main").join("current");
    assert!(!layout.exists(), "an export switches to nothing");
    let path = project.run(&["export", "oci", "--output", "out"]).code(0);
    let config = exported_config(&project, &said);
    assert_eq!((&config["Cmd"], &config["Labels"]["base"]), (&json!(["bash"]), &json!("1")), "{}", path.all());
    let env = config["Env"].as_array().unwrap();
    assert!(env.contains(&json!("BASE=1")) && env.contains(&json!("MINE=1")), "{env:?}");
    assert!(config["Labels"]["org.opencontainers.image.base.name"].as_str().unwrap().ends_with("/team/base:24.04"));
    // Upstream gone, and the store collected: it is still there.
    project.upstream = None;
    project.run(&["gc"]).code(0);
    let again = project.run(&["--offline", "export", "oci", "--json"]).code(0).json();
    assert_eq!(again["digest"], said["digest"]);
}

/// How the image that `export oci --json` told of is run, from `out/`.
fn exported_config(project: &Project, said: &Value) -> Value {
    let blob = |digest: &Value| {
        let name = digest.as_str().unwrap().trim_start_matches("sha256:").to_owned();
        serde_json::from_slice::<Value>(&std::fs::read(project.path("out/blobs/sha256").join(name)).unwrap()).unwrap()
    };
    let document = blob(&said["digest"]);
    blob(&document["config"]["digest"])["config"].clone()
}

#[test]
fn how_a_base_image_is_run_is_inherited_as_by_a_containerfile() {
    let project = Project::empty();
    let theirs = json!({
        "User": "1000", "ExposedPorts": { "80/tcp": {} }, "Volumes": { "/data": {} }, "WorkingDir": "/srv",
        "Entrypoint": ["/entry"], "Cmd": ["argument"], "Shell": ["/bin/bash", "-c"], "StopSignal": "SIGQUIT", "StopTimeout": 5,
        "Healthcheck": { "Test": ["CMD", "true"], "Interval": 5, "Timeout": 0, "StartPeriod": 0, "Retries": 2 },
    });
    let mut config = theirs.clone();
    config["OnBuild"] = json!(["RUN true"]);
    config["Env"] = Value::Null;
    config["Labels"] = Value::Null;
    push(&project, &Image { config, ..Image::new(&[]) }, false);
    manifest(&project, "team/base:24.04", FROM);
    project.run(&["update"]).code(0);
    let said = project.run(&["export", "oci", "--json", "--output", "out"]).code(0).json();
    let ours = exported_config(&project, &said);
    for (name, value) in theirs.as_object().unwrap() {
        assert_eq!(ours[name], *value, "{name}");
    }
    assert!(ours.get("OnBuild").is_none(), "{ours}");
}

/// How many layers the store notes as looked through.
fn noted(project: &Project) -> usize {
    let records = std::fs::read_dir(project.store("main").join("outputs")).unwrap();
    let text = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("output.json")).unwrap();
    records.map(|entry| text(entry.unwrap())).filter(|text| text.contains("checked layer")).count()
}

#[test]
fn that_a_layer_was_looked_through_is_noted_until_gc() {
    let project = Project::empty();
    push(&project, &Image::new(&[("etc/new", "1")]), false);
    manifest(&project, "team/base:24.04", FROM);
    project.run(&["update"]).code(0);
    let said = project.run(&["export", "oci", "--json"]).code(0).json();
    assert_eq!(noted(&project), 2);
    project.run(&["check", "image"]).code(0);
    // Another image on a base that has one layer of these and one of its own.
    push(&project, &Image::new(&[("etc/new", "2")]), false);
    project.run(&["update"]).code(0);
    project.run(&["export", "oci"]).code(0);
    assert_eq!(noted(&project), 3);
    project.run(&["gc"]).code(0);
    assert_eq!(noted(&project), 0);
    push(&project, &Image::new(&[("etc/new", "1")]), false);
    project.run(&["update"]).code(0);
    assert_eq!(project.run(&["export", "oci", "--json"]).code(0).json()["digest"], said["digest"]);
    project.run(&["verify"]).code(0);
}

#[test]
fn an_image_by_its_digest_is_looked_up_once() {
    let project = Project::empty();
    let digest = push(&project, &Image::new(&[]), false);
    manifest(&project, &format!("team/base:any@{digest}"), SYSROOT);
    project.run(&["update"]).code(0);
    project.upstream().server().clear_log();
    project.run(&["update"]).code(0);
    project.run(&["outdated"]).code(0);
    assert!(project.upstream().server().log().is_empty());
}

#[test]
fn layers_that_another_image_left_in_the_store_are_not_fetched_again() {
    let project = Project::empty();
    push(&project, &Image::new(&[("a", "1")]), false);
    manifest(&project, "team/base:24.04", SYSROOT);
    project.run(&["update"]).code(0);
    project.run(&["realize", "root"]).code(0);
    push(&project, &Image::new(&[("a", "2")]), false);
    project.run(&["update"]).code(0);
    project.upstream().server().clear_log();
    project.run(&["realize", "root"]).code(0);
    let blobs: Vec<_> =
        project.upstream().server().log().into_iter().filter(|line| line.path.contains("/blobs/")).collect();
    assert_eq!(blobs.len(), 1, "{blobs:?}");
}

#[test]
fn docker_s_own_media_types_become_those_of_oci() {
    let project = Project::empty();
    let mut image = Image::new(&[("a", "1")]);
    image.layer_type = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    push(&project, &image, false);
    manifest(&project, "team/base:24.04", FROM);
    project.run(&["update"]).code(0);
    project.run(&["export", "oci", "--output", "out"]).code(0);
    let text: String = std::fs::read_dir(project.path("out/blobs/sha256"))
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok())
        .collect();
    assert!(text.contains("application/vnd.oci.image.layer.v1.tar+gzip") && !text.contains("vnd.docker"));
}
