//! Versions that are known to be bad: warnings, `--skip-bad`, decisions of the manifest, and documents with more of them.

use strixlock_demo::debs::Key;
use strixlock_demo::http::Resource;

use crate::support::{FIRST, Project, SECOND};

/// A document about the nightlies from one day until another.
fn document(id: &str, from: &str, until: &str) -> String {
    format!(
        "format = 1\n\n[[advisory]]\nid = \"{id}\"\nabout = \"rocm\"\nwhat = \"every program crashes\"\n\
         targets = [\"gfx1151\"]\nfrom = \"{from}\"\nuntil = \"{until}\"\nsource = \"https://host/reports/1\"\n"
    )
}

/// Adds an input with a document to the manifest.
fn add(project: &Project, bytes: impl Into<Vec<u8>>, fields: &str) {
    project.upstream().server().put("/advisories.toml", Resource::bytes(bytes.into()));
    let manifest = project.read("manifests/strix.toml");
    let url = format!("{}advisories.toml", project.base());
    project.write(
        "manifests/strix.toml",
        &format!("{manifest}\n[inputs.advisories]\ntype = \"advisories\"\nurl = \"{url}\"\n{fields}\n"),
    );
}

/// A project whose locked ROCm build is known to be bad.
pub fn bad() -> Project {
    let project = Project::new();
    project.rocm_manifest(SECOND);
    add(&project, document("crash", "2026-09-02", "2026-09-03"), "");
    project
}

const LINE: &str = "rocm: 10.1.0a20260902 is known to be bad: every program crashes (from 2026-09-02 until 2026-09-03); \
                    crash; https://host/reports/1";

#[test]
fn every_command_names_a_locked_version_that_is_known_to_be_bad() {
    let project = bad();
    let updated = project.run(&["update"]).code(0);
    assert!(updated.stderr.contains(&format!("warning: {LINE}\n")), "{}", updated.all());
    for command in [["realize"].as_slice(), &["outdated"]] {
        let ran = project.run(command).code(0);
        assert!(ran.stderr.contains(&format!("warning: {LINE}\n")), "{command:?}: {}", ran.all());
    }
    let status = project.run(&["--offline", "status"]).code(0);
    assert!(status.stdout.contains(&format!("{LINE}\n")), "{}", status.all());
    let doctor = project.run(&["doctor"]);
    assert!(doctor.stdout.contains("rocm 10.1.0a20260902 is known to be bad"), "{}", doctor.all());
    assert!(doctor.stdout.contains("strixlock update rocm --skip-bad"), "{}", doctor.all());
    for command in [["update"].as_slice(), &["realize"], &["outdated"], &["status"]] {
        let json = project.run(&[command, &["--json"]].concat()).code(0).json();
        assert_eq!(json["advisories"][0]["advisory"]["id"], "crash", "{command:?}");
    }
    let list = project.run(&["advisory", "list"]).code(0).stdout;
    let marked: Vec<&str> = list.lines().filter(|line| line.starts_with('*')).collect();
    assert!(marked.len() == 1 && marked[0].contains("crash"), "{list}");
    let shown = project.run(&["advisory", "show", "crash"]).code(0).stdout;
    assert!(shown.contains("in use by rocm"), "{shown}");
    let near = project.run(&["advisory", "show", "crush"]).code(9);
    assert!(near.stderr.contains("did you mean `crash`?"), "{}", near.all());
}

#[test]
fn a_good_version_is_not_named() {
    let project = bad();
    project.rocm_manifest(FIRST);
    add(&project, document("crash", "2026-09-02", "2026-09-03"), "");
    let ran = project.run(&["update"]).code(0);
    assert!(!ran.all().contains("known to be bad"), "{}", ran.all());
    assert_eq!(project.run(&["status", "--json"]).code(0).json()["advisories"], serde_json::json!([]));
}

#[test]
fn skip_bad_takes_the_newest_that_is_not_known_to_be_bad() {
    let project = Project::new();
    project.rocm_manifest("latest");
    add(&project, document("crash", "2026-11-01", "2026-12-01"), "");
    let plain = project.run(&["update"]).code(0);
    assert!(plain.stdout.contains("rocm 10.2.0a20261120\n"), "{}", plain.all());
    let skipped = project.run(&["update", "--skip-bad"]).code(0);
    assert!(
        skipped.stderr.contains("such as 10.2.0a20261120: known to be bad")
            || skipped.stderr.contains("passed over 10.2.0a20261120: known to be bad"),
        "{}",
        skipped.all()
    );
    let version = |project: &Project| {
        let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
        lock["inputs"]["rocm"]["locked"]["version"].as_str().unwrap().to_owned()
    };
    let taken = version(&project);
    let listed = project.run(&["list", "rocm", "--source", &project.index(), "--json"]).code(0).json();
    let versions: Vec<&str> =
        listed["tarballs"].as_array().unwrap().iter().map(|one| one["version"].as_str().unwrap()).collect();
    let good = versions.iter().find(|version| !version.contains("a202611")).unwrap();
    assert_eq!(taken, *good, "{versions:?}");
    assert!(!skipped.stderr.contains("is known to be bad"), "{}", skipped.all());

    // The manifest can ask for it always.
    let manifest = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &format!("{manifest}\n[advisories]\nskip-bad = true\n"));
    let again = project.run(&["update"]).code(0);
    assert!(again.stdout.contains("is up to date"), "{}", again.all());
    assert_eq!(version(&project), taken);
}

#[test]
fn where_every_build_is_bad_the_lock_stays_and_the_reason_is_told() {
    let project = Project::new();
    project.rocm_manifest("latest");
    add(&project, document("crash", "2020-01-01", "2030-01-01"), "");
    project.run(&["update"]).code(0);
    let lock = project.lock();
    let ran = project.run(&["update", "--skip-bad"]).code(9);
    assert!(ran.stderr.contains("every build that the manifest allows is known to be bad"), "{}", ran.all());
    assert!(ran.stderr.contains("https://host/reports/1"), "{}", ran.all());
    assert_eq!(project.lock(), lock);
}

#[test]
fn a_manifest_allows_and_denies() {
    let project = bad();
    let manifest = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &format!("{manifest}\n[advisories]\nallow = [\"crash\", \"cresh\"]\n"));
    let allowed = project.run(&["update"]).code(0);
    assert!(!allowed.stderr.contains("known to be bad"), "{}", allowed.all());
    assert!(allowed.stderr.contains("[advisories] names `cresh`, which is not known"), "{}", allowed.all());
    let lock = project.lock();
    project.write("manifests/strix.toml", &format!("{manifest}\n[advisories]\ndeny = [\"crash\"]\n"));
    for command in ["update", "realize"] {
        let denied = project.run(&[command]).code(3);
        assert!(denied.stderr.contains("the manifest denies `crash`"), "{}", denied.all());
        assert!(denied.stderr.contains("strixlock update rocm --skip-bad"), "{}", denied.all());
    }
    assert_eq!(project.lock(), lock);
    project.write("manifests/strix.toml", &format!("{manifest}\n[advisories]\nallow = [\"a\"]\nskip = 1\n"));
    let unknown = project.run(&["update"]).code(3);
    assert!(unknown.stderr.contains("unknown field `skip`"), "{}", unknown.all());
    project.write("manifests/strix.toml", &format!("{manifest}\n[advisories]\nallow = [\"a\"]\ndeny = [\"a\"]\n"));
    let both = project.run(&["update"]).code(3);
    assert!(both.stderr.contains("cannot be both allowed and denied"), "{}", both.all());
}

#[test]
fn llama_cpp_is_judged_by_backend_gpu_and_day() {
    let project = Project::new();
    project.full_manifest(FIRST);
    let text = document("logits", "2000-01-01", "2100-01-01").replace("\"rocm\"", "\"llama.cpp\"");
    let of = |backend: &str| text.replace("targets", &format!("backends = [\"{backend}\"]\ntargets"));
    add(&project, of("vulkan"), "");
    let ran = project.run(&["update"]).code(0);
    // The demo builds for HIP.
    assert!(!ran.stderr.contains("known to be bad"), "{}", ran.all());
    let put = |text: String| project.upstream().server().put("/advisories.toml", Resource::bytes(text.into_bytes()));
    put(of("hip").replace("gfx1151", "gfx1201"));
    let ran = project.run(&["update"]).code(0);
    assert!(!ran.stderr.contains("known to be bad"), "{}", ran.all());
    put(of("hip"));
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stderr.contains("llama-cpp: b8 is known to be bad: every program crashes"), "{}", ran.all());
}

#[test]
fn a_document_is_pinned_and_its_changes_are_told() {
    let project = bad();
    project.run(&["update"]).code(0);
    let locked = project.run(&["lock", "show", "advisories"]).code(0);
    assert!(locked.stdout.contains("\"id\":\"crash\""), "{}", locked.all());
    let update = || project.run(&["update", "advisories"]).code(0);
    assert!(update().stdout.contains("is up to date"));
    let put = |text: String| project.upstream().server().put("/advisories.toml", Resource::bytes(text.into_bytes()));
    put(document("other", "2026-09-02", "2026-09-03"));
    let ran = update();
    assert!(ran.stderr.contains("advisories: the document no longer has crash"), "{}", ran.all());
    assert!(ran.stdout.contains("other: every program crashes"), "{}", ran.all());
    let lock = project.lock();
    for (text, said) in [
        (document("x", "2026-09-02", "2026-09-02"), "2026-09-02 is not before 2026-09-02"),
        (document("x", "2026-09-02", "2026-09-03").replace("format = 1", "format = 2"), "format 2 is newer than 1"),
        ("<html>".to_owned(), "invalid advisories: line 1"),
        (format!("{}{}", document("x", "2026-09-02", "2026-09-03"), "#".repeat(300 << 10)), "advisories"),
    ] {
        put(text);
        let ran = project.run(&["update", "advisories"]);
        assert!(!ran.all().starts_with("exit code 0"), "{said}: {}", ran.all());
        assert!(ran.stderr.contains(said), "{said}: {}", ran.all());
    }
    assert_eq!(project.lock(), lock);
}

#[test]
fn a_signature_is_demanded_where_a_keyring_is_named() {
    let project = Project::new();
    project.rocm_manifest(SECOND);
    let (key, other) = (Key::new(7), Key::new(8));
    std::fs::write(project.path("manifests/advisories.gpg"), key.keyring().unwrap()).unwrap();
    let text = document("crash", "2026-09-02", "2026-09-03");
    add(&project, text.clone(), "keyring = \"advisories.gpg\"");
    let put = |bytes: Vec<u8>| project.upstream().server().put("/advisories.toml", Resource::bytes(bytes));
    let unsigned = project.run(&["update"]).code(5);
    assert!(unsigned.stderr.contains("the document is not signed, and a signature is demanded"), "{}", unsigned.all());
    put(other.sign(&text, 1_700_000_000).unwrap());
    project.run(&["update"]).code(5);
    let signed = key.sign(&text, 1_700_000_000).unwrap();
    let changed = String::from_utf8(signed.clone()).unwrap().replace("crashes", "works");
    put(changed.into_bytes());
    project.run(&["update"]).code(5);
    put(signed);
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stderr.contains(LINE), "{}", ran.all());
    assert!(project.lock().contains(&key.fingerprint().unwrap()), "{}", project.lock());
}
