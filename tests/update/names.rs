//! Tarballs of other names and forms: zstd, families, digests beside them.

use std::io::Read as _;

use strixlock_demo::http::Resource;
use strixlock_demo::{Generation, Nightly};
use strixlock_ground::digest::Sha256Digest;

use crate::support::{Project, REQUIRES, rocm_input};

const OLD: &str = "10.1.0a20260901";
const DIRECTORY: &str = "/rocm/core/tarball/";
/// 2026-11-20
const MADE: i64 = 1_795_132_800;

/// A project with one nightly, and the bytes of the tarball of another version.
fn project(version: &str) -> (Project, Vec<u8>) {
    let project = Project::empty();
    project.upstream().publish(Generation::Streams, &Nightly::new(OLD));
    project.rocm_manifest("latest");
    let bytes = std::fs::read(project.upstream().tarball(&Nightly::new(version)).unwrap()).unwrap();
    (project, bytes)
}

/// Puts a file into the index.
fn publish(project: &Project, name: &str, bytes: Vec<u8>) {
    project.upstream().announce(Generation::Streams, name, MADE);
    project.upstream().server().put(&format!("{DIRECTORY}{name}"), Resource::bytes(bytes));
}

fn zstd(gzip: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(gzip).read_to_end(&mut plain).unwrap();
    zstd::encode_all(&*plain, 1).unwrap()
}

#[test]
fn a_tarball_in_zstd_is_the_same_tree() {
    let tree = |ending: &str, pack: fn(&[u8]) -> Vec<u8>| {
        let (project, gzip) = project("10.1.0a20260902");
        let name = format!("therock-dist-linux-gfx1151-10.1.0a20260902.tar.{ending}");
        publish(&project, &name, pack(&gzip));
        project.run(&["update"]).code(0);
        let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
        assert_eq!(lock["inputs"]["rocm"]["locked"]["file"], name);
        project.run_in_store("other", &["realize"]).code(0);
        lock["inputs"]["rocm"]["locked"]["tree"].clone()
    };
    assert_eq!(tree("gz", <[u8]>::to_vec), tree("zst", zstd));
}

#[test]
fn a_digest_beside_a_tarball_is_compared() {
    let (project, gzip) = project("10.1.0a20260902");
    let name = "therock-dist-linux-gfx1151-10.1.0a20260902.tar.gz";
    let digest = Sha256Digest::of(&gzip).hex();
    publish(&project, name, gzip);
    let beside = format!("{name}.sha256sum");
    publish(&project, &beside, format!("{}  {name}\n", "0".repeat(64)).into_bytes());
    let ran = project.run(&["update"]).code(5);
    assert!(ran.stderr.contains("the tarball does not match the digest file beside it"), "{}", ran.all());
    assert!(ran.stderr.contains(&digest) && ran.stderr.contains(&"0".repeat(64)), "{}", ran.all());
    assert!(!project.path("lock/strix.lock").exists());
    publish(&project, &beside, b"soon\n".to_vec());
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stderr.contains("contains no SHA-256 and is ignored"), "{}", ran.all());
    std::fs::remove_file(project.path("lock/strix.lock")).unwrap();
    publish(&project, &beside, format!("{digest} *{name}\n").into_bytes());
    let ran = project.run(&["update"]).code(0);
    assert!(!ran.stderr.contains("compared"), "{}", ran.all());
}

#[test]
fn a_newer_build_of_a_family_is_told_and_taken_when_asked() {
    let (project, gzip) = project("10.1.0a20260904");
    let name = "therock-dist-linux-gfx115X-all-10.1.0a20260904.tar.gz";
    publish(&project, name, gzip);
    let ran = project.run(&["update"]).code(0);
    assert!(
        ran.stderr.contains(&format!("{name} is 3 days newer, and gfx115X-all may cover this GPU")),
        "{}",
        ran.all()
    );
    assert!(project.lock().contains(OLD));
    let manifest = rocm_input(&project.index(), "latest").replace("target = ", "family = \"gfx115X-all\"\ntarget = ");
    project.write("manifests/strix.toml", &format!("{REQUIRES}{manifest}"));
    project.run(&["update"]).code(0);
    assert!(
        project.lock().contains(name) && project.lock().contains("\"family\": \"gfx115X-all\""),
        "{}",
        project.lock()
    );
    project.run(&["update", "--locked"]).code(0);
    project.run(&["realize"]).code(0);
    let index = project.index();
    let ran = project.run(&["list", "rocm", "--source", &index, "-t", "gfx115X-all"]).code(0);
    assert!(ran.stdout.ends_with(&format!("{name}\n")), "{}", ran.all());
    let ran = project.run(&["list", "rocm", "--source", &index, "-t", "GFX1151"]).code(2);
    assert!(ran.all().contains("did you mean `gfx1151`?"), "{}", ran.all());
    project.write("manifests/strix.toml", &format!("{REQUIRES}{}", rocm_input(&index, "latest")));
    let url = project.upstream().server().url(&format!("{DIRECTORY}{name}"));
    let ran = project.run(&["update", "rocm", "--url", &url]).code(2);
    assert!(ran.stderr.contains("set `family = \"gfx115X-all\"` in the manifest"), "{}", ran.all());
    let manifest = rocm_input(&index, "latest").replace("target = ", "family = \"gfx1151-tests\"\ntarget = ");
    project.write("manifests/strix.toml", &format!("{REQUIRES}{manifest}"));
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("invalid family `gfx1151-tests`"), "{}", ran.all());
}

#[test]
fn a_tree_that_calls_itself_another_version_is_refused_with_both() {
    let (project, gzip) = project(OLD);
    // The bytes of one nightly under the name of another release.
    publish(&project, "therock-dist-linux-gfx1151-10.2.0a20260902.tar.gz", gzip);
    let ran = project.run(&["update"]).code(5);
    assert!(ran.stderr.contains("the tree is of another version than its file name says"), "{}", ran.all());
    assert!(ran.stderr.contains("10.2.0a20260902") && ran.stderr.contains("10.1.0"), "{}", ran.all());
}
