//! Registries that lie, and images that cannot be used.

use serde_json::json;
use strixlock_demo::Fault;
use strixlock_demo::http::{Incoming, Resource, Response};
use strixlock_ground::digest::Sha256Digest;

use super::registry::{GZIP, INDEX, Image, MANIFEST, layer, put, serve};
use super::{FROM, SYSROOT, host, manifest};
use crate::support::Project;

const TAG: &str = "/v2/team/base/manifests/24.04";

fn served(image: &Image) -> Project {
    let project = Project::empty();
    let (_, text) = image.push(&project, "team/base");
    serve(&project, "team/base", "24.04", text.as_bytes(), MANIFEST);
    manifest(&project, "team/base:24.04", SYSROOT);
    project
}

fn refused(project: &Project, code: i32, why: &str) {
    let ran = project.run(&["update"]).code(code);
    assert!(ran.stderr.contains(why), "{why}: {}", ran.all());
    assert!(!project.path("lock").exists());
}

#[test]
fn images_that_cannot_be_used_are_refused_at_update() {
    let usual = || Image::new(&[("a", "1")]);
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let many = vec![layer(&[("a", "1")]); 4000];
    for (image, why) in [
        (Image { layer_type: foreign, ..usual() }, "may not be distributed"),
        (Image { layer_type: "application/wasm", ..usual() }, "not a tar archive"),
        (Image { diff_ids: Some(Vec::new()), ..usual() }, "its configuration names 0"),
        (Image { layers: many, ..usual() }, "it has 4000 layers"),
        (Image { architecture: "riscv64", ..usual() }, "another platform"),
    ] {
        refused(&served(&image), 3, why);
    }
    let project = served(&usual());
    serve(&project, "team/base", "24.04", b"<html>", "text/html");
    refused(&project, 5, "the server does not answer like a registry");
    serve(&project, "team/base", "24.04", b"{}", "application/json");
    refused(&project, 3, "the registry's document is not an image");
    serve(&project, "team/base", "24.04", br#"{"schemaVersion":2,"manifests":[]}"#, INDEX);
    refused(&project, 9, "not available for the platform");
    project.upstream().server().remove(TAG);
    refused(&project, 9, "404");
}

#[test]
fn what_a_registry_answers_is_told_in_its_own_terms() {
    for (status, code, parts) in [
        (404, 9, &["the registry has no such image", "skopeo list-tags docker://[HOST]/team/base`"][..]),
        (403, 8, &["denies access to the repository", "`podman login [HOST]`"]),
        (429, 8, &["does not accept more requests for now", "run again in 7 s", "`podman login [HOST]`"]),
        (503, 8, &["the server answered 503"]),
    ] {
        let project = Project::empty();
        project.write("strixlock.toml", "rounds = 1\n");
        project
            .upstream()
            .server()
            .handle("/v2/team/base/", move |_: &Incoming| Response::text(status, "{}").header("Retry-After", "7"));
        manifest(&project, "team/base:24.40", SYSROOT);
        let ran = project.run(&["update"]).code(code);
        let told = ran.stderr.replace(&host(&project), "[HOST]");
        assert!(parts.iter().all(|part| told.contains(part)), "{status}: {told}");
        for other in ["nightlies", "netrc", "HF_TOKEN"] {
            assert!(!told.contains(other), "{status}: {told}");
        }
    }
}

#[test]
fn wrong_diff_ids_and_wrong_compression_show_when_layers_are_used() {
    let wrong = vec![Sha256Digest::of(b"x").to_string(); 2];
    let plain = "application/vnd.oci.image.layer.v1.tar";
    for (image, why) in [
        (Image { diff_ids: Some(wrong), ..Image::new(&[]) }, "the layer does not match its diff id"),
        (Image { layer_type: plain, ..Image::new(&[]) }, "the layer's compression differs from its media type"),
    ] {
        let project = served(&image);
        // As a tree, and below an image that goes on to an engine.
        for (lines, command) in [(SYSROOT, ["realize", "root"]), (FROM, ["export", "oci"])] {
            manifest(&project, "team/base:24.04", lines);
            project.run(&["update"]).code(0);
            let ran = project.run(&command).code(5);
            assert!(ran.stderr.contains(why) && ran.stderr.contains("layer 1"), "{}", ran.all());
            assert!(project.published("main").iter().all(|name| name.starts_with("downloads/")), "{}", ran.all());
        }
    }
}

#[test]
fn a_registry_that_changes_a_digest_is_caught() {
    // A manifest in an index by its digest.
    let project = served(&Image::new(&[]));
    let (mut descriptor, text) = Image::new(&[]).push(&project, "team/base");
    descriptor["platform"] = json!({ "os": "linux", "architecture": "amd64" });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor] });
    put(&project, "team/base", &index, INDEX);
    serve(&project, "team/base", "24.04", index.to_string().as_bytes(), INDEX);
    serve(
        &project,
        "team/base",
        descriptor["digest"].as_str().unwrap(),
        text.replace("gzip", "zstd").as_bytes(),
        MANIFEST,
    );
    refused(&project, 5, "another document than it announced");
    // A layer: nothing of it is used.
    let image = Image::new(&[]);
    let project = served(&image);
    project.run(&["update"]).code(0);
    let (bytes, _) = &image.layers[0];
    let path = format!("/v2/team/base/blobs/{}", Sha256Digest::of(bytes));
    project.upstream().server().put(&path, Resource::bytes(bytes.iter().map(|byte| byte ^ 1).collect::<Vec<_>>()));
    project.write("strixlock.toml", "rounds = 1\n");
    let ran = project.run(&["realize", "root"]).code(5);
    assert!(ran.stderr.contains("the download is not the file that the image's manifest names"), "{}", ran.all());
    assert!(!ran.stderr.contains("--accept-replaced"), "it would do nothing: {}", ran.all());
    for fault in [Fault::LieLength(7), Fault::TruncateAfter(9)] {
        project.upstream().server().put(&path, Resource::bytes(bytes.clone()).content_type(GZIP));
        project.upstream().server().fault(&path, fault);
        project.run(&["realize", "root"]).code(5);
        project.upstream().server().heal_all();
    }
    project.run(&["realize", "root"]).code(0);
}

#[test]
fn redirects_lead_nowhere_unsafe() {
    let project = served(&Image::new(&[]));
    project.write("strixlock.toml", "rounds = 1\n");
    let server = project.upstream().server();
    server.fault(TAG, Fault::Redirect("http://registry.example/v2/".to_owned()));
    refused(&project, 8, "plain http is only used with loopback hosts");
    server.heal_all();
    server.fault(TAG, Fault::Redirect(server.url(TAG)));
    refused(&project, 8, "more than 10 redirects");
    server.heal_all();
    server.fault(TAG, Fault::TruncateAfter(10));
    project.run(&["update"]);
    assert!(!project.path("lock").exists());
}

#[test]
fn mistakes_in_the_manifest_are_shown() {
    for (lines, why) in [
        ("image = \"ubuntu:24.04\"\n", "it names no registry"),
        ("image = \"r.example/Ubuntu\"\n", "invalid repository: expected lower-case"),
        ("", "the field `image` is missing"),
        ("image = \"r.example/a\"\narchitecture = \"x/y\"\n", "this is not an architecture"),
        ("image = \"r.example/a\"\n[outputs.a]\ntype = \"image\"\nfrom = \"bas\"\n", "there is no input `bas`"),
        (
            "image = \"r.example/a\"\n[outputs.a]\ntype = \"sysroot\"\nimage = \"base\"\nlinks = {}\n",
            "unknown field `links`",
        ),
    ] {
        let project = Project::empty();
        project.write("manifests/strix.toml", &format!("[inputs.base]\ntype = \"oci\"\n{lines}"));
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains(why), "{why} {}", ran.all());
    }
}
