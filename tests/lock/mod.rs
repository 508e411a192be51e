//! Locks that cannot be used, and what is said of them.

use crate::support::Project;

fn with_lock() -> Project {
    let project = Project::new();
    project.rocm_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    project
}

#[test]
fn every_broken_lock_has_one_clear_message() {
    let project = with_lock();
    let good = project.lock();
    let cases = [
        (
            "conflict marker",
            good.replacen("  \"outputs\"", "<<<<<<< HEAD\n  \"outputs\"", 1),
            "line 44 is a conflict marker",
        ),
        (
            "newer format",
            good.replace("\"version\": 1\n", "\"version\": 2\n"),
            "the lock has format 2, and this strixlock",
        ),
        ("no format", good.replace("\"version\": 1\n", "\"version\": \"x\"\n"), "does not say which format it has"),
        (
            "edited pin",
            good.replace("10.1.0a20260901.tar.gz\"", "10.1.0a20260902.tar.gz\""),
            "the block of input `rocm` was edited by hand",
        ),
        ("edited recipe", good.replace("/opt/rocm", "/opt/other"), "the block of output `rocm` was edited by hand"),
        ("truncated", good[..good.len() / 2].to_owned(), "the lock is not valid at line"),
        ("unknown field", good.replacen("\"inputs\"", "\"colour\": 1,\n  \"inputs\"", 1), "unknown field `colour`"),
        ("bad digest", good.replacen("sha256:", "sha1:", 1), "is not a digest"),
        ("other requirement", good.replace(">=0.1", ">=9"), "this lock requires strixlock >=9"),
        ("empty", String::new(), "the lock is not valid at line 1"),
    ];
    for (what, text, message) in cases {
        assert_ne!(text, good, "{what}: the case changes nothing");
        project.write("lock/strix.lock", &text);
        for command in ["realize", "status", "update", "audit"] {
            let ran = project.run(&[command]);
            assert_eq!(ran.code, 3, "{what}, {command}: {}", ran.all());
            let flat = ran.stderr.replace(|c: char| c.is_ascii_digit(), "0");
            let message = message.replace(|c: char| c.is_ascii_digit(), "0");
            assert!(flat.contains(&message), "{what}, {command}: {}", ran.all());
            assert!(
                ran.stderr.starts_with("error: lock/strix.lock: ") && ran.stderr.contains("\nhint: "),
                "{what}: {}",
                ran.all()
            );
        }
    }
}

#[test]
fn a_missing_lock_says_how_to_get_one() {
    let project = Project::new();
    project.rocm_manifest("latest");
    insta::assert_snapshot!(project.run(&["realize"]).all(), @r"
    exit code 9
    --- stderr
    error: there is no lock
      path  lock/strix.lock
    hint: `strixlock update` writes one
    ");
}

#[test]
fn staleness_is_seen_without_a_network() {
    let mut project = with_lock();
    drop(project.upstream.take());
    project.run(&["status", "--check"]).code(0);
    let manifest = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &manifest.replace("version = \"10.1.0a20260901\"", "version = \"latest\""));
    let ran = project.run(&["status"]).code(0);
    assert!(ran.stdout.contains("stale: input `rocm`: the manifest asks for something else"), "{}", ran.all());
    project.run(&["status", "--check"]).code(4);
}

#[test]
fn the_digests_are_those_of_standard_tools() {
    let project = with_lock();
    let digest = project.run(&["lock", "digest"]).code(0).stdout;
    let expected = strixlock::digest::Sha256Digest::of(project.lock().as_bytes());
    assert_eq!(digest.trim(), expected.to_string());
    // What `jq -S '.inputs.rocm | del(.entry)'` prints is what `entry` is the digest of.
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    let mut block = lock["inputs"]["rocm"].clone();
    let entry = block.as_object_mut().unwrap().remove("entry").unwrap();
    let text = format!("{}\n", serde_json::to_string_pretty(&block).unwrap());
    assert_eq!(entry, strixlock::digest::Sha256Digest::of(text.as_bytes()).to_string());
    let derivation = project.run(&["lock", "digest", "rocm"]).code(0).stdout;
    assert_eq!(derivation.trim(), lock["outputs"]["rocm"]["derivation"]);
}
