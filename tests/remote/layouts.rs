//! Remotes that are OCI image layouts: in a directory, and on a web server that has the files of one.

use std::path::{Path, PathBuf};

use strixlock_demo::http::Resource;
use strixlock_ground::digest::Sha256Digest;

use super::{elsewhere, pinned};
use crate::support::{FIRST, Project, SECOND, files};

/// A project with this nightly in the store `main`, and a directory as its remote.
fn with_directory(version: &str) -> (Project, PathBuf) {
    let project = Project::new();
    project.realize_rocm(version);
    let directory = project.directory.path().join("remote");
    let address = format!("file://{}", directory.display());
    project.run(&["remote", "add", "team", &address, "--project"]).code(0);
    (project, directory)
}

/// Names another remote.
fn name(project: &Project, address: &str) {
    project.write("strixlock.toml", &format!("[[remotes]]\nname = \"team\"\naddress = \"{address}\"\n"));
}

/// Puts all files of a directory on the web server of the upstream, and returns their address.
fn publish(project: &Project, directory: &Path) -> String {
    for file in files(directory) {
        let below = file.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
        let resource = Resource::bytes(std::fs::read(&file).unwrap());
        project.upstream().server().put(&format!("/shared/{below}"), resource);
    }
    format!("{}shared", project.base())
}

fn blobs(directory: &Path) -> Vec<PathBuf> {
    let blobs = files(&directory.join("blobs/sha256"));
    assert!(blobs.iter().all(|blob| {
        let name = blob.file_name().unwrap().to_str().unwrap().to_owned();
        Sha256Digest::of(&std::fs::read(blob).unwrap()).hex() == name
    }));
    blobs
}

#[test]
fn a_directory_is_a_remote_and_a_layout() {
    let (project, directory) = with_directory(FIRST);
    project.run(&["push", "rocm"]).code(0);
    blobs(&directory);
    let marker = std::fs::read_to_string(directory.join("oci-layout")).unwrap();
    assert_eq!(marker, "{\"imageLayoutVersion\":\"1.0.0\"}");
    let ran = elsewhere(&project, &["realize", "--json"]).code(0);
    assert_eq!((ran.tree("rocm"), ran.json()["received"].as_array().unwrap().len()), (pinned(&project), 1));
    elsewhere(&project, &["verify"]).code(0);
    // A push of what is there changes nothing.
    let before: Vec<_> = files(&directory).into_iter().map(|file| std::fs::read(file).unwrap()).collect();
    project.run(&["push", "rocm"]).code(0);
    let after: Vec<_> = files(&directory).into_iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert!(before == after);
    project.run(&["remote", "verify"]).code(0);
}

#[test]
fn old_pushes_leave_a_directory_with_their_blobs() {
    let (project, directory) = with_directory(FIRST);
    project.run(&["push", "rocm"]).code(0);
    let first = project.lock();
    let before = blobs(&directory);
    project.realize_rocm(SECOND);
    project.run(&["push", "rocm"]).code(0);
    let both = blobs(&directory);
    assert!(both.len() > before.len());
    // What a killed push left is removed, and what is not ours stays.
    std::fs::write(directory.join("blobs/sha256/.strixlock-x"), "half").unwrap();
    std::fs::write(directory.join("blobs/sha256/README"), "ours").unwrap();
    project.run(&["remote", "gc", "--keep", "1"]).code(0);
    std::fs::remove_file(directory.join("blobs/sha256/README")).unwrap();
    let kept = blobs(&directory);
    assert!(kept.len() < both.len(), "{} of {}", kept.len(), both.len());
    project.run(&["remote", "verify"]).code(0);
    project.write("lock/first.lock", &first);
    project.run_in_store("third", &["--lock", "lock/first.lock", "pull", "rocm"]).code(9);
    project.run_in_store("third", &["pull", "rocm"]).code(0);
}

#[test]
fn pushes_at_the_same_time_lose_nothing() {
    let (project, directory) = with_directory(FIRST);
    project.realize_beside("two", SECOND, &[]);
    std::fs::copy(project.path("strixlock.toml"), project.directory.path().join("two/strixlock.toml")).unwrap();
    std::thread::scope(|scope| {
        let one = scope.spawn(|| project.run(&["push", "rocm"]));
        let two = scope.spawn(|| project.run_beside("two", &["push", "rocm"]));
        one.join().unwrap().code(0);
        two.join().unwrap().code(0);
    });
    blobs(&directory);
    let listed = project.run(&["remote", "ls", "--json"]).code(0).json();
    assert_eq!(listed["outputs"].as_array().unwrap().len(), 2, "{listed:#}");
    elsewhere(&project, &["pull", "rocm"]).code(0);
}

#[test]
fn a_web_server_with_the_files_of_a_directory_is_read() {
    let (project, directory) = with_directory(FIRST);
    project.run(&["push", "rocm"]).code(0);
    let address = publish(&project, &directory);
    std::fs::remove_dir_all(&directory).unwrap();
    name(&project, &address);
    let ran = elsewhere(&project, &["realize", "--json"]).code(0);
    assert_eq!((ran.tree("rocm"), ran.json()["received"].as_array().unwrap().len()), (pinned(&project), 1));
    project.realize_rocm(SECOND);
    let refused = project.run(&["push", "rocm"]).code(2);
    assert!(refused.stderr.contains("this remote can only be read"), "{}", refused.all());
    project.run(&["remote", "gc", "--keep", "1"]).code(2);
    project.run(&["remote", "verify"]).code(0);
}

#[test]
fn what_was_changed_behind_our_back_is_named_and_not_taken() {
    let (project, directory) = with_directory(FIRST);
    project.run(&["push", "rocm"]).code(0);
    let index = directory.join("index.json");
    let whole = std::fs::read_to_string(&index).unwrap();
    let nothing_wrong = |store: &str| {
        let trees = project.store(store).join("trees");
        assert_eq!(std::fs::read_dir(trees).map_or(0, Iterator::count), 0);
    };
    for (number, text) in ["{", "[]", "{\"manifests\":{}}", &whole[..whole.len() / 2]].into_iter().enumerate() {
        std::fs::write(&index, text).unwrap();
        let store = format!("index-{number}");
        let ran = project.run_in_store(&store, &["pull", "rocm"]).code(5);
        assert!(ran.stderr.contains("index"), "{}", ran.all());
        nothing_wrong(&store);
    }
    std::fs::write(&index, whole).unwrap();
    for (number, blob) in blobs(&directory).into_iter().enumerate() {
        let bytes = std::fs::read(&blob).unwrap();
        for (kind, changed) in
            [("flip", Some(flipped(&bytes))), ("cut", Some(bytes[..bytes.len() / 2].to_vec())), ("gone", None)]
        {
            match changed {
                Some(changed) => std::fs::write(&blob, changed).unwrap(),
                None => std::fs::remove_file(&blob).unwrap(),
            }
            let store = format!("{kind}-{number}");
            let ran = project.run_in_store(&store, &["pull", "rocm"]);
            // The record of the push and the hint of the derivation need not be whole.
            assert!([0, 5, 9].contains(&ran.code), "{}: {}", blob.display(), ran.all());
            if ran.code == 0 {
                project.run_in_store(&store, &["verify"]).code(0);
            } else {
                nothing_wrong(&store);
            }
            std::fs::write(&blob, &bytes).unwrap();
        }
    }
}

#[test]
fn what_is_damaged_in_a_directory_is_sent_again_as_verify_says() {
    let (project, directory) = with_directory(FIRST);
    project.run(&["push", "rocm"]).code(0);
    let mut manifests = 0;
    for blob in blobs(&directory) {
        let bytes = std::fs::read(&blob).unwrap();
        std::fs::write(&blob, flipped(&bytes)).unwrap();
        let ran = project.run(&["remote", "verify", "team", "--remove-damaged"]);
        match ran.code {
            // A lock and an empty configuration are for people and for other tools.
            0 => std::fs::write(&blob, &bytes).unwrap(),
            7 => assert!(ran.stdout.contains("\nremoved ") && !ran.stdout.contains("garbage"), "{}", ran.all()),
            _ => {
                manifests += 1;
                let file = format!("blobs/sha256/{}", blob.file_name().unwrap().display());
                assert!(ran.stderr.contains(&format!("hint: remove the file `{file}` of the remote")), "{}", ran.all());
                std::fs::remove_file(directory.join(file)).unwrap();
            }
        }
        project.run(&["push", "rocm"]).code(0);
        project.run(&["remote", "verify"]).code(0);
        blobs(&directory);
    }
    assert_eq!(manifests, 2, "the tree's, and that of the push");
    elsewhere(&project, &["pull", "rocm"]).code(0);
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

#[test]
fn places_that_cannot_be_a_layout_are_refused() {
    let (project, directory) = with_directory(FIRST);
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("letter.txt"), "mine").unwrap();
    let refused = project.run(&["push", "rocm"]).code(2);
    assert!(refused.stderr.contains("not an OCI image layout"), "{}", refused.all());
    assert_eq!(files(&directory).len(), 1);
    name(&project, &format!("file://{}/missing", project.directory.path().display()));
    elsewhere(&project, &["pull", "rocm"]).code(9);
    for wrong in ["ftp://h.example/x", "https://me:secret@h.example/x", "s3://b/p?secret=x", "file://host/x"] {
        let refused = project.run(&["remote", "add", "x", wrong]).code(2);
        assert!(!refused.stderr.contains("at src/"), "{}", refused.all());
    }
}

#[test]
fn what_other_tools_keep_in_the_layout_stays() {
    let (project, directory) = with_directory(FIRST);
    project.run(&["push", "rocm"]).code(0);
    // An image for two platforms, as skopeo writes it: index, manifest, layer.
    let put = |bytes: &[u8]| {
        let digest = Sha256Digest::of(bytes);
        std::fs::write(directory.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        serde_json::json!({ "mediaType": "x", "digest": digest, "size": bytes.len() })
    };
    let layer = put(b"a layer of somebody else");
    let manifest =
        put(serde_json::json!({ "schemaVersion": 2, "config": &layer, "layers": [] }).to_string().as_bytes());
    let mut image = put(serde_json::json!({ "schemaVersion": 2, "manifests": [manifest] }).to_string().as_bytes());
    image["mediaType"] = "application/vnd.oci.image.index.v1+json".into();
    let index = directory.join("index.json");
    let mut listed: serde_json::Value = serde_json::from_slice(&std::fs::read(&index).unwrap()).unwrap();
    listed["manifests"].as_array_mut().unwrap().push(image);
    std::fs::write(&index, listed.to_string()).unwrap();
    let before = blobs(&directory).len();
    project.run(&["remote", "gc", "--keep", "1"]).code(0);
    assert_eq!(blobs(&directory).len(), before);
}

#[test]
fn a_remote_that_is_written_to_is_not_swept() {
    let (project, directory) = with_directory(FIRST);
    project.run(&["push", "rocm"]).code(0);
    project.realize_rocm(SECOND);
    project.run(&["push", "rocm"]).code(0);
    let marker = std::fs::File::open(directory.join("oci-layout")).unwrap();
    rustix::fs::flock(&marker, rustix::fs::FlockOperation::LockShared).unwrap();
    let before = files(&directory).len();
    let ran = project.run(&["remote", "gc", "--keep", "1"]).code(11);
    assert!(ran.stderr.contains("another process writes to this remote"), "{}", ran.all());
    // Nothing was removed, also not from the index.
    let listed = project.run(&["remote", "ls", "--json"]).code(0).json();
    assert_eq!((files(&directory).len(), listed["outputs"].as_array().unwrap().len()), (before, 2));
}

#[test]
fn a_place_without_a_remote_is_told_as_such() {
    let project = Project::new();
    let place = project.directory.path().join("unmounted");
    let address = format!("file://{}", place.display());
    for arguments in [["remote", "verify", &address].as_slice(), &["remote", "gc", "--keep", "1", &address]] {
        let ran = project.run(arguments).code(9);
        assert!(ran.stderr.contains("nothing was pushed to this remote"), "{}", ran.all());
    }
    assert!(!place.exists());
}

#[test]
fn what_arrived_before_an_error_is_not_received_again() {
    let (project, directory) = with_directory(FIRST);
    project.run(&["push", "rocm"]).code(0);
    let received = |store: &str| {
        let pulled = project.run_in_store(store, &["pull", "rocm", "--json"]).code(0).json();
        pulled["taken"][0]["bytes"].as_u64().unwrap()
    };
    let whole = received("other");
    let pack = blobs(&directory).into_iter().max_by_key(|blob| std::fs::metadata(blob).unwrap().len()).unwrap();
    let bytes = std::fs::read(&pack).unwrap();
    let mut damaged = bytes.clone();
    let end = damaged.len() - 8;
    damaged[end] ^= 1;
    std::fs::write(&pack, damaged).unwrap();
    project.run_in_store("third", &["pull", "rocm"]).code(5);
    std::fs::write(&pack, bytes).unwrap();
    let rest = received("third");
    assert!(rest < whole, "{rest} of {whole}");
}
