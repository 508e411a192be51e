//! Models: input kind `huggingface` against a stand-in for the hub, GGUF files as `file` inputs, recipe `model`.

pub mod hub;
mod odd;
mod refused;
mod split;
mod unknown;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use strixlock_demo::gguf_maker::{Shape, model};
use strixlock_demo::hub::Access;

use crate::support::{Project, REQUIRES};
use hub::{REPO, project};

#[test]
fn a_quantisation_is_pinned_without_downloading_the_model() {
    let (project, hub) = project("model = \"demo/tiny-GGUF:F32\"");
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stdout.contains("model tiny-F32.gguf\n"), "{}", ran.all());
    assert!(ran.stdout.contains("model    llama, F32, context 512, 21 tensors, "), "{}", ran.all());
    let lock = project.lock();
    let value: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let pin = &value["inputs"]["model"]["locked"];
    assert_eq!(pin["repo"], REPO);
    assert_eq!(pin["files"][0]["path"], "tiny-F32.gguf");
    assert_eq!(pin["gguf"]["architecture"], "llama");
    // The header came in one part; the weights stayed where they were.
    let log = hub.content().log();
    assert_eq!(log.iter().map(|request| request.range.as_deref()).collect::<Vec<_>>(), [Some("bytes=0-262143")]);
    assert!(project.published("main").is_empty());
    let again = project.run(&["update"]).code(0);
    assert_eq!(again.stdout, "lock/strix.lock is up to date\n");
    assert_eq!(project.lock(), lock);
    assert_eq!(hub.content().log().len(), 1, "a pin that is there is not looked into again");
}

#[test]
fn it_is_realized_without_a_second_copy_and_shown() {
    let (project, _hub) = project("repo = \"demo/tiny-GGUF\"\nfile = \"tiny-F32.gguf\"");
    project.run(&["update"]).code(0);
    let ran = project.run(&["status"]).code(0);
    assert!(ran.stdout.contains("model: llama, F32, context 512, 21 tensors"), "{}", ran.all());
    assert!(ran.stdout.contains("missing"), "{}", ran.all());
    project.run(&["realize"]).code(0);
    project.run(&["realize", "--to", "out", "--link-mode", "copy"]).code(0);
    assert!(std::fs::read(project.path("out/model/tiny-F32.gguf")).unwrap() == model(Shape::default()));
    let stored = std::fs::metadata(project.store("main").join("current/model/tiny-F32.gguf")).unwrap();
    assert_eq!(stored.nlink(), 3, "download, blob and tree are one file");
    let ran = project.run(&["status", "--json"]).code(0).json();
    assert_eq!(ran["models"]["model"]["context"], 512);
    project.run(&["verify"]).code(0);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    for fact in ["quantisation `F32`, ", "context length `512 tokens`, ", "tensors `21`, ", "| tiny-F32.gguf | "] {
        assert!(page.contains(fact), "{fact}: {page}");
    }
    // Generations hold it, and so does the lock.
    project.run(&["gc", "--keep", "1"]).code(0);
    project.run(&["--offline", "realize"]).code(0);
}

#[test]
fn the_kept_download_repairs_it_without_network_and_it_is_not_packed() {
    let (project, hub) = project("repo = \"demo/tiny-GGUF\"\nfile = \"tiny-F32.gguf\"");
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let tree = std::fs::canonicalize(project.store("main").join("current/model")).unwrap();
    std::fs::set_permissions(&tree, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::remove_file(tree.join("tiny-F32.gguf")).unwrap();
    std::fs::set_permissions(&tree, std::fs::Permissions::from_mode(0o555)).unwrap();
    std::fs::remove_dir_all(project.store("main").join("blobs")).unwrap();
    project.run(&["--offline", "verify", "model"]).code(7);
    project.run(&["--offline", "verify", "model", "--repair"]).code(0);
    project.run(&["verify"]).code(0);

    // Nothing uses it any more, but packed it would take more than it does now.
    hub.commit(REPO, Access::Open, &[("tiny-F32.gguf", model(Shape { context: 1024, ..Shape::default() }))]);
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    assert_ne!(std::fs::canonicalize(project.store("main").join("current/model")).unwrap(), tree);
    project.run(&["store", "pack", "--keep-hot", "0"]).code(0);
    assert!(tree.is_dir());
    project.run(&["verify"]).code(0);
}

#[test]
fn a_damaged_model_is_brought_back() {
    let (project, hub) = project("model = \"demo/tiny-GGUF:F32\"");
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let path = std::fs::canonicalize(project.store("main").join("current/model/tiny-F32.gguf")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&path, "not a model any more").unwrap();
    let ran = project.run(&["verify", "model"]).code(7);
    assert!(ran.stdout.contains("model: damaged tiny-F32.gguf"), "{}", ran.all());
    hub.content().clear_log();
    project.run(&["verify", "--repair"]).code(0);
    assert_eq!(hub.content().log().len(), 1);
    project.run(&["verify"]).code(0);
    project.run(&["--offline", "realize"]).code(0);
}

#[test]
fn a_newer_commit_is_noticed_and_one_that_is_named_stays() {
    let (project, hub) = project("model = \"demo/tiny-GGUF:F32\"");
    project.run(&["update"]).code(0);
    let old = project.lock();
    let first: serde_json::Value = serde_json::from_str(&old).unwrap();
    let commit = first["inputs"]["model"]["locked"]["commit"].as_str().unwrap().to_owned();
    let other = model(Shape { seed: 2, ..Shape::default() });
    hub.commit(REPO, strixlock_demo::hub::Access::Open, &[("tiny-F32.gguf", other)]);
    let ran = project.run(&["outdated"]).code(0);
    assert!(ran.stdout.contains("demo/tiny-GGUF:F32 ("), "{}", ran.all());
    project.run(&["update"]).code(0);
    assert_ne!(project.lock(), old);
    let manifest = project.read("manifests/strix.toml");
    let model = "model = \"demo/tiny-GGUF:F32\"";
    project.write("manifests/strix.toml", &manifest.replace(model, &format!("{model}\nrevision = \"{commit}\"")));
    project.run(&["update"]).code(0);
    let again: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    assert_eq!(again["inputs"]["model"]["locked"], first["inputs"]["model"]["locked"]);
}

#[test]
fn a_small_file_that_is_not_in_lfs_is_hashed_when_it_is_pinned() {
    let (project, _hub) = project("repo = \"demo/tiny-GGUF\"\nfile = \"config.json\"");
    project.run(&["update"]).code(0);
    let value: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    let pin = &value["inputs"]["model"]["locked"];
    let digest = strixlock_ground::digest::Sha256Digest::of(hub::CONFIG).hex();
    assert_eq!(pin["files"][0]["sha256"], format!("sha256:{digest}"));
    assert_eq!(pin.get("gguf"), None);
    project.run(&["--offline", "realize"]).code(0);
}

#[test]
fn a_local_gguf_file_is_a_model_too() {
    let project = Project::empty();
    let path = project.path("my model.gguf");
    std::fs::write(&path, model(Shape::default())).unwrap();
    let url = format!("file://{}", path.display()).replace(' ', "%20");
    project.write(
        "manifests/strix.toml",
        &format!("{REQUIRES}[inputs.model]\ntype = \"file\"\nurl = \"{url}\"\n\n[outputs.model]\ntype = \"model\"\n"),
    );
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stdout.contains("model    llama, F32, context 512"), "{}", ran.all());
    project.run(&["realize", "--to", "out"]).code(0);
    assert!(project.path("out/model/my model.gguf").is_file());
    let ran = project.run(&["status"]).code(0);
    assert!(ran.stdout.contains("model: llama, F32"), "{}", ran.all());
}

#[test]
fn mistakes_in_the_manifest_are_shown_at_their_place() {
    let (project, _hub) = project("model = \"demo/tiny-GGUF\"");
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("strix.toml:5:9: this is not the name of a model"), "{}", ran.all());
    for (fields, message) in [
        ("model = \"a/b:F16\"\nfile = \"x\"", "`model` says repository and quantisation already"),
        ("repo = \"a/b\"", "the field `file` is missing"),
        ("repo = \"a\"\nfile = \"x\"", "this is not the name of a repository"),
        ("repo = \"a/b\"\nfile = \"../x\"", "this is not the path of a file in a repository"),
        ("repo = \"a/b\"\nfile = \"x\"\nquantisation = \"F16\"", "only one of `file` and `quantisation`"),
        ("model = \"a/b:F16\"\nrevision = \"a b\"", "this cannot be a revision"),
        ("model = \"a/b:F16\"\nrevison = \"main\"", "unknown field `revison`"),
    ] {
        hub::write_manifest(&project, "http://127.0.0.1:9/hub", fields);
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains(message), "{}", ran.all());
    }
}
