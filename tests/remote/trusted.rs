//! Outputs that no lock has the digest of: taken on the signed word of somebody who is trusted, and on no other.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use serde_json::{Value, json};
use strixlock_ground::digest::Sha256Digest;

use super::registry::{Registry, name_remote};
use crate::golden::{commit, small_build};
use crate::support::{Project, Ran, files};

/// Makes a key of somebody in the project's directory.
fn make_key(project: &Project, name: &str) {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(project.path(name));
    assert!(keygen.status().unwrap().success());
}

/// A project with an output that is not sealed, pushed with the signature of `ann`.
fn pushed() -> (Project, Registry) {
    let (project, registry, _) = pushed_from();
    (project, registry)
}

/// A project like that, with the repository of its sources.
fn pushed_from() -> (Project, Registry, crate::git::repository::Made) {
    let project = Project::empty();
    let source = small_build(&project);
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let registry = Registry::start(project.directory.path());
    name_remote(&project, &registry.address);
    for name in ["ann", "eve"] {
        make_key(&project, name);
    }
    let pushed = project.run(&["push", "--key", "ann", "--json"]).code(0).json();
    assert_eq!(pushed["signed"], json!(["llama"]));
    (project, registry, source)
}

/// Realizes in a new store. Returns who signed what was received, if anything was.
fn signer(project: &Project, store: &str, arguments: &[&str]) -> (Value, Ran) {
    let ran = project.run_in_store(store, &[&["realize", "--json"], arguments].concat()).code(0);
    (ran.json()["received"][0]["signer"].clone(), ran)
}

#[test]
fn a_trusted_word_is_believed() {
    let (project, _registry) = pushed();
    let (by, ran) = signer(&project, "a", &[]);
    assert_eq!(by, Value::Null, "nobody is trusted: {}", ran.stderr);
    assert!(!ran.stderr.contains("team"), "a remote is not asked in vain: {}", ran.stderr);
    project.run(&["trust", "add", "ann", "ann.pub"]).code(0);
    let (by, received) = signer(&project, "b", &[]);
    assert_eq!(by, "ann");
    assert!(received.stderr.contains("from team, as ann signed"), "{}", received.stderr);
    assert_eq!(received.tree("llama"), ran.tree("llama"));
    project.run_in_store("b", &["verify"]).code(0);
    assert!(project.run(&["remote", "ls"]).code(0).stdout.contains("ann"));
    // With the word gone, trust is gone.
    project.run(&["trust", "remove", "ann"]).code(0);
    assert_eq!(signer(&project, "c", &[]).0, Value::Null);
}

#[test]
fn the_log_of_a_build_comes_along_as_the_words_of_whoever_pushed_it() {
    let (project, registry) = pushed();
    project.run(&["trust", "add", "ann", "ann.pub"]).code(0);
    let read = |store: &str, arguments: &[&str]| {
        project.run_in_store(store, &[&["log", "llama", "--json"], arguments].concat()).code(0).json()
    };
    let own = (read("main", &[]), read("main", &["--about"]));
    assert_eq!((&own.0["received"], &own.1["received"]), (&Value::Null, &Value::Null));
    project.run_in_store("b", &["pull", "llama"]).code(0);
    let theirs = (read("b", &[]), read("b", &["--about"]));
    assert_eq!((&theirs.0["log"], &theirs.1["about"]), (&own.0["log"], &own.1["about"]));
    assert_eq!((&theirs.0["received"], &theirs.0["failed"]), (&json!("team, signed by ann"), &json!(false)));
    let shown = project.run_in_store("b", &["log", "llama", "--about"]).code(0).stderr;
    assert!(
        shown.contains("llama: received from team, signed by ann; these are the words of whoever pushed it"),
        "{shown}"
    );
    project.run_in_store("b", &["verify"]).code(0);
    // What is pushed again is the same, and somebody else's words are not pushed as one's own.
    let before = registry.blobs();
    project.run(&["push", "--key", "ann"]).code(0);
    project.run_in_store("b", &["push", "--key", "eve"]).code(0);
    assert_eq!(registry.blobs(), before);
}

#[test]
fn a_stranger_s_word_is_not_believed() {
    let (project, _registry) = pushed();
    project.run(&["trust", "add", "eve", "eve.pub"]).code(0);
    let (by, ran) = signer(&project, "a", &[]);
    assert_eq!(by, Value::Null);
    assert!(
        ran.stderr
            .contains("passed over the remote team for llama: the statement is signed by a key that is not trusted"),
        "{}",
        ran.stderr
    );
    let ran = project.run_in_store("b", &["pull"]).code(5);
    assert!(ran.stderr.contains("strixlock trust add NAME KEY"), "{}", ran.stderr);
    // Unsigned, there is nothing to believe either.
    let project = Project::empty();
    small_build(&project);
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let registry = Registry::start(project.directory.path());
    name_remote(&project, &registry.address);
    let ran = project.run(&["push"]).code(0);
    assert!(ran.stderr.contains("nothing is signed"), "{}", ran.stderr);
    make_key(&project, "ann");
    project.run(&["trust", "add", "ann", "ann.pub"]).code(0);
    project.run_in_store("b", &["pull"]).code(5);
}

#[test]
fn a_seal_is_for_what_was_made_here() {
    let (project, _registry) = pushed();
    project.run(&["trust", "add", "ann", "ann.pub"]).code(0);
    let (by, _) = signer(&project, "a", &[]);
    assert_eq!(by, "ann");
    // The received tree is not sealed, but made, and comes out the same.
    let ran = project.run_in_store("a", &["realize", "--seal", "--json"]).code(0).json();
    assert_eq!((&ran["outputs"]["llama"]["made"], &ran["received"]), (&Value::Bool(true), &json!([])));
    // One that is received is not signed as one's own.
    let project = {
        let (project, registry) = pushed();
        project.run(&["trust", "add", "ann", "ann.pub"]).code(0);
        signer(&project, "a", &[]);
        let push = |store: &str| {
            let pushed = project.run_in_store(store, &["push", "--key", "eve", "--json"]).code(0).json();
            pushed["signed"].clone()
        };
        assert_eq!(push("a"), json!([]));
        project.run_in_store("a", &["check"]).code(0);
        assert_eq!(push("a"), json!(["llama"]), "it was made here since");
        drop(registry);
        project
    };
    drop(project);
}

/// Sends a request to the registry. Returns the body of the answer.
fn request(registry: &Registry, method: &str, below: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(&registry.address).unwrap();
    let head = format!(
        "{method} /v2/team/strix/{below} HTTP/1.0\r\nHost: {}\r\nContent-Type: {kind}\r\nAccept: {kind}\r\nContent-Length: {}\r\n\r\n",
        registry.address,
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let status = String::from_utf8_lossy(&answer[..end]).lines().next().unwrap().to_owned();
    assert!(status.contains(" 20"), "{method} {below}: {status}: {}", String::from_utf8_lossy(&answer[end..]));
    answer[end + 4..].to_vec()
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[test]
fn a_word_about_another_derivation_is_not_believed() {
    let (project, registry, source) = pushed_from();
    let derivation = |project: &Project| format!("derivation-{}", project.derivation("llama"));
    let first = derivation(&project);
    commit(&source, b"#!/bin/sh\necho another\n");
    project.run(&["update", "llama-cpp"]).code(0);
    let second = derivation(&project);
    assert_ne!(first, second);
    // Whoever may push leads the tag of the second derivation to the first tree, about which ann has signed.
    let manifest = request(&registry, "GET", &format!("manifests/{first}"), MANIFEST, b"");
    request(&registry, "PUT", &format!("manifests/{second}"), MANIFEST, &manifest);
    project.run(&["trust", "add", "ann", "ann.pub"]).code(0);
    let (by, ran) = signer(&project, "a", &[]);
    assert_eq!(by, Value::Null);
    assert!(ran.stderr.contains("the statement is about another derivation"), "{}", ran.stderr);
}

#[test]
fn odd_referrers_do_not_hide_a_word() {
    let (project, registry) = pushed();
    project.run(&["trust", "add", "ann", "ann.pub"]).code(0);
    let tag = format!("derivation-{}", project.derivation("llama"));
    let tree = request(&registry, "GET", &format!("manifests/{tag}"), MANIFEST, b"");
    let fallback = format!("manifests/sha256-{}", Sha256Digest::of(&tree).hex());
    let mut index: Value = serde_json::from_slice(&request(&registry, "GET", &fallback, INDEX, b"")).unwrap();
    // A referrer that is the tree itself, and one whose statement is somebody's rubbish.
    let own = index["manifests"][0].clone();
    let digest = own["digest"].as_str().unwrap();
    let mut odd: Value =
        serde_json::from_slice(&request(&registry, "GET", &format!("manifests/{digest}"), MANIFEST, b"")).unwrap();
    odd["layers"].as_array_mut().unwrap().reverse();
    let odd = odd.to_string();
    let odd_digest = Sha256Digest::of(odd.as_bytes());
    request(&registry, "PUT", &format!("manifests/{odd_digest}"), MANIFEST, odd.as_bytes());
    let about = |bytes: &[u8]| json!({ "mediaType": MANIFEST, "digest": Sha256Digest::of(bytes), "size": bytes.len() });
    index["manifests"] = json!([about(&tree), about(odd.as_bytes()), own]);
    request(&registry, "PUT", &fallback, INDEX, index.to_string().as_bytes());
    assert_eq!(signer(&project, "a", &[]).0, "ann");
    // An index that cannot be read is told, and the output is built.
    let broken = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] }).to_string();
    request(&registry, "PUT", &fallback, INDEX, broken.as_bytes());
    let (by, ran) = signer(&project, "b", &[]);
    assert_eq!(by, Value::Null);
    assert!(
        ran.stderr.contains("nobody has signed that the derivation has the tree that is offered"),
        "{}",
        ran.stderr
    );
    // A push puts it right.
    project.run(&["push", "--key", "ann"]).code(0);
    assert_eq!(signer(&project, "c", &[]).0, "ann");
}

#[test]
fn a_statement_or_log_that_is_damaged_is_named_and_sent_again() {
    let (project, _registry) = pushed();
    let directory = project.directory.path().join("remote");
    let address = format!("file://{}", directory.display());
    project.write("strixlock.toml", &format!("[[remotes]]\nname = \"team\"\naddress = \"{address}\"\n"));
    let push = || project.run(&["push", "--key", "ann"]).code(0);
    push();
    let mut named = String::new();
    for blob in files(&directory.join("blobs/sha256")) {
        let whole = std::fs::read(&blob).unwrap();
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 1;
        std::fs::write(&blob, &damaged).unwrap();
        let ran = project.run(&["remote", "verify", "--remove-damaged"]);
        named += &ran.stdout;
        match ran.code {
            // The lock and the empty configuration are for people and for other tools, and of the lists of what is said
            // about the tree, only the last is read.
            0 => {
                let text = String::from_utf8_lossy(&whole);
                let index = std::fs::read_to_string(directory.join("index.json")).unwrap();
                let listed = index.contains(blob.file_name().unwrap().to_str().unwrap());
                let is_old_list = !listed && text.contains("image.index.v1");
                assert!(text == "{}" || *text == project.lock() || is_old_list, "{text}");
                std::fs::write(&blob, &whole).unwrap();
            }
            7 => assert!(ran.stdout.contains("\nremoved "), "{}", ran.all()),
            // A manifest that leads to the others: the hint names its file.
            code => {
                let file = format!("hint: remove the file `blobs/sha256/{}`", blob.file_name().unwrap().display());
                assert!(code == 5 && ran.stderr.contains(&file), "{}", ran.all());
                std::fs::remove_file(&blob).unwrap();
            }
        }
        push();
        project.run(&["remote", "verify"]).code(0);
    }
    for part in ["llama: a signed statement", "llama: the log of its build", "llama: a statement or log"] {
        assert!(named.contains(part), "{part}: {named}");
    }
    project.run(&["trust", "add", "ann", "ann.pub"]).code(0);
    assert_eq!(signer(&project, "a", &[]).0, "ann");
}

#[test]
fn a_statement_that_names_a_whole_pack_does_not_have_it_removed() {
    let (project, registry) = pushed();
    let tag = format!("derivation-{}", project.derivation("llama"));
    let tree = request(&registry, "GET", &format!("manifests/{tag}"), MANIFEST, b"");
    let manifest: Value = serde_json::from_slice(&tree).unwrap();
    let fallback = format!("manifests/sha256-{}", Sha256Digest::of(&tree).hex());
    let mut index: Value = serde_json::from_slice(&request(&registry, "GET", &fallback, INDEX, b"")).unwrap();
    let own = index["manifests"].as_array().unwrap().clone();
    let statement = own
        .iter()
        .map(|one| format!("manifests/{}", one["digest"].as_str().unwrap()))
        .map(|path| serde_json::from_slice::<Value>(&request(&registry, "GET", &path, MANIFEST, b"")).unwrap())
        .find(|one| one["artifactType"].as_str().unwrap().contains("statement"))
        .unwrap();
    // Somebody who may push says that the pack is a statement of another size, and of more than a statement may have.
    let pack = manifest["layers"][2].clone();
    for size in [pack["size"].as_u64().unwrap() - 1, 1 << 30] {
        let mut hostile = statement.clone();
        hostile["layers"][0]["digest"] = pack["digest"].clone();
        hostile["layers"][0]["size"] = size.into();
        let hostile = hostile.to_string();
        let digest = Sha256Digest::of(hostile.as_bytes());
        request(&registry, "PUT", &format!("manifests/{digest}"), MANIFEST, hostile.as_bytes());
        let added = json!({ "mediaType": MANIFEST, "digest": digest, "size": hostile.len() });
        index["manifests"] = [own.clone(), vec![added]].concat().into();
        request(&registry, "PUT", &fallback, INDEX, index.to_string().as_bytes());
        let ran = project.run(&["remote", "verify", "--remove-damaged"]).code(7);
        assert!(ran.stdout.contains(&format!("removed {digest}")), "{}", ran.all());
        assert!(!ran.stdout.contains(&format!("removed {}", pack["digest"].as_str().unwrap())), "{}", ran.all());
        project.run(&["remote", "verify"]).code(0);
    }
    project.run(&["trust", "add", "ann", "ann.pub"]).code(0);
    assert_eq!(signer(&project, "a", &[]).0, "ann");
}
