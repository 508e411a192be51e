//! Repositories as the hub really holds them: files beside the model, other forms of answers, other names.

use strixlock_demo::gguf_maker::{GgufWriter, Shape, model};
use strixlock_demo::hub::{Access, Lfs};
use strixlock_ground::digest::Sha256Digest;

use super::hub::{REPO, project, write_manifest};

const MODEL: &str = "model = \"demo/tiny-GGUF:Q8_0\"";

fn pinned(project: &crate::support::Project) -> serde_json::Value {
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    lock["inputs"]["model"]["locked"].clone()
}

#[test]
fn the_main_model_is_taken_and_what_lies_beside_it_is_named() {
    let (project, hub) = project(MODEL);
    let (main, head) = (model(Shape::default()), model(Shape { layers: 1, ..Shape::default() }));
    let files = [
        ("MTP/mtp-tiny-Q4_0.gguf", head.clone()),
        ("MTP/mtp-tiny-Q8_0.gguf", head.clone()),
        ("mmproj-F16.gguf", head.clone()),
        ("tiny-Q4_0.gguf", main.clone()),
        ("tiny-Q8_0.gguf", main.clone()),
        ("tiny-Q8_0.imatrix.gguf", GgufWriter::default().bytes()),
    ];
    hub.commit(REPO, Access::Open, &files);
    let ran = project.run(&["update"]).code(0);
    assert_eq!(pinned(&project)["files"].as_array().unwrap().len(), 1);
    assert_eq!(pinned(&project)["files"][0]["path"], "tiny-Q8_0.gguf");
    let beside = "MTP/mtp-tiny-Q4_0.gguf, MTP/mtp-tiny-Q8_0.gguf, mmproj-F16.gguf, tiny-Q8_0.imatrix.gguf";
    assert!(ran.stdout.contains(&format!("beside   {beside}")), "{}", ran.all());
    assert!(ran.stdout.contains("each can be an input of its own, with `repo` and `file`"), "{}", ran.all());
    // As it says; a matrix has no facts of a model, which is told.
    for (file, told) in [("MTP/mtp-tiny-Q8_0.gguf", false), ("tiny-Q8_0.imatrix.gguf", true)] {
        write_manifest(&project, hub.endpoint(), &format!("repo = \"{REPO}\"\nfile = \"{file}\""));
        let ran = project.run(&["update"]).code(0);
        assert_eq!(ran.stderr.contains("pinned without a model's facts"), told, "{}", ran.all());
        assert_eq!(pinned(&project)["files"][0]["path"], file);
        project.run(&["realize"]).code(0);
        assert_eq!(project.run(&["update"]).code(0).stdout, "lock/strix.lock is up to date\n");
    }
}

#[test]
fn digests_are_read_under_both_names_and_made_where_there_is_none() {
    let (project, hub) = project(MODEL);
    let bytes = model(Shape::default());
    hub.commit(REPO, Access::Open, &[("tiny-Q8_0.gguf", bytes.clone())]);
    let digest = Sha256Digest::of(&bytes).to_string();
    let mut locks = Vec::new();
    for (lfs, downloads) in [(Lfs::Sha256, false), (Lfs::Oid, false), (Lfs::Untold, true)] {
        hub.tell_digests(lfs);
        hub.content().clear_log();
        let _ = std::fs::remove_dir_all(project.store("main"));
        let _ = std::fs::remove_file(project.path("lock/strix.lock"));
        project.run(&["update"]).code(0);
        // The content server sends an ETag that looks like a digest and is another.
        assert_eq!(pinned(&project)["files"][0]["sha256"], digest, "{lfs:?}");
        let sent: usize = hub.content().log().iter().filter(|request| request.range.is_none()).count();
        assert_eq!(sent > 0, downloads, "{lfs:?}");
        locks.push(project.lock());
    }
    assert!(locks.iter().all(|lock| *lock == locks[0]));
}

#[test]
fn a_repository_under_its_old_name_is_found_and_told() {
    let (project, hub) = project("model = \"demo/tiny-GGUF:F32\"");
    hub.rename(REPO, "elsewhere/small-GGUF");
    let ran = project.run(&["update"]).code(0);
    let told = "model: the repository demo/tiny-GGUF is called elsewhere/small-GGUF now";
    assert!(ran.stderr.contains(told), "{}", ran.all());
    project.run(&["realize"]).code(0);
    let before = project.lock();
    assert!(project.run(&["update"]).code(0).stderr.contains(told));
    assert_eq!(project.lock(), before);
    write_manifest(&project, hub.endpoint(), "model = \"elsewhere/small-GGUF:F32\"");
    assert_eq!(project.run(&["update"]).code(0).stderr, "");
}

#[test]
fn the_hint_for_another_header_works() {
    let (project, hub) = project("model = \"demo/tiny-GGUF:F32\"");
    let digest = Sha256Digest::of(&model(Shape::default())).hex();
    let place = format!("/lfs/{digest}/tiny-F32.gguf");
    let other = model(Shape { context: 4096, ..Shape::default() });
    hub.content().put(&place, strixlock_demo::http::Resource::bytes(other));
    project.run(&["update"]).code(0);
    hub.content().put(&place, strixlock_demo::http::Resource::bytes(model(Shape::default())));
    let ran = project.run(&["realize"]).code(5);
    assert!(ran.stderr.contains("`strixlock update model` reads it again"), "{}", ran.all());
    project.run(&["update", "model"]).code(0);
    project.run(&["realize"]).code(0);
}
