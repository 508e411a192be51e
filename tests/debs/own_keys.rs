//! Keys that the archive brings, where no keyring of the machine has them.

use strixlock_demo::Fault;
use strixlock_demo::deb_maker::{Compression, Deb};
use strixlock_demo::debs::{DebArchive, Key, Package};

use super::{manifest, now};
use crate::support::{Project, Ran};

const PLACE: &str = "usr/share/keyrings/demo.gpg";

fn fingerprint(key: Key) -> String {
    key.fingerprint().unwrap()
}

/// Files of a keyring package.
fn files() -> Deb {
    Deb::new("debian-archive-keyring", "2025.1")
}

/// Serves the usual archive, which key 1 signs, with a keyring package that has these files.
fn served(files: Option<Deb>, change: impl Fn(&mut DebArchive)) -> Project {
    let project = Project::empty();
    let mut archive = DebArchive::new(now() - 3600);
    let package = |files| Package::new("debian-archive-keyring", "2025.1", &[]).holding(files);
    archive.packages.extend(files.map(package));
    change(&mut archive);
    archive.serve(project.upstream().server(), "/debian").unwrap();
    manifest(&project, &["hello"], &format!("keys = [\"{}\"]", fingerprint(Key::new(1))));
    project
}

/// The usual archive, which brings its key.
fn with_own_key() -> Project {
    served(Some(files().file(PLACE, &Key::new(1).keyring().unwrap())), |_| {})
}

#[test]
fn an_archive_brings_the_key_whose_fingerprint_the_manifest_has() {
    let project = with_own_key();
    let ran = project.run(&["update"]).code(0);
    let key = fingerprint(Key::new(1));
    let told =
        format!("  keys     {key} from debian-archive-keyring 2025.1 of demo; the fingerprint is the manifest's\n");
    assert!(ran.stdout.contains(&told), "{}", ran.all());
    assert!(ran.stdout.contains("release  demo of ") && ran.stdout.contains(&format!("signed by {key}\n")));
    let lock = project.lock();
    for arguments in [&["update"][..], &["update", "--locked"], &["--offline", "update"], &["outdated"]] {
        project.run(arguments).code(0);
        assert_eq!(project.lock(), lock, "{arguments:?}");
    }
    // A machine that has the key pins the same.
    let locked =
        |lock: &str| serde_json::from_str::<serde_json::Value>(lock).unwrap()["inputs"]["sysroot"]["locked"].clone();
    std::fs::write(project.path("manifests/demo.gpg"), Key::new(1).keyring().unwrap()).unwrap();
    manifest(&project, &["hello"], "keyring = \"demo.gpg\"");
    project.run(&["update"]).code(0);
    assert_eq!(locked(&project.lock()), locked(&lock));
    let doctor = project.run(&["doctor"]).stdout;
    assert!(doctor.contains("keys        sysroot: demo.gpg\n"), "{doctor}");
}

#[test]
fn suites_without_a_keyring_package_share_the_key() {
    for suites in ["\"other\", \"demo\"", "\"demo\", \"other\""] {
        let project = with_own_key();
        let packages = vec![Package::new("hello", "9.0-1", &[])];
        let other = DebArchive { suite: "other".to_owned(), packages, ..DebArchive::new(now() - 3600) };
        other.serve(project.upstream().server(), "/debian").unwrap();
        let text = project.read("manifests/strix.toml").replace("suite = \"demo\"", &format!("suites = [{suites}]"));
        project.write("manifests/strix.toml", &text);
        let ran = project.run(&["update"]).code(0);
        assert!(ran.stdout.contains("release  other of "), "{}", ran.all());
    }
}

/// Without a lock, and without anything beside the store.
#[track_caller]
fn refused(project: &Project, code: i32) -> Ran {
    let ran = project.run(&["update"]).code(code);
    assert!(!project.path("lock").exists(), "{}", ran.all());
    ran
}

#[test]
fn a_key_without_the_fingerprint_of_the_manifest_is_refused() {
    let (one, two) = (Key::new(1).keyring().unwrap(), Key::new(2).keyring().unwrap());
    let none = "has no key with a fingerprint under `keys`";
    for (files, code, message, fact) in [
        (None, 9, "no keyring has a key with one of the fingerprints", "demo has no package ubuntu-keyring or"),
        (Some(files()), 5, none, "it has   no key at all"),
        (Some(files().file(PLACE, b"not a key")), 5, none, "it has   no key at all"),
        (Some(files().file(PLACE, &two)), 5, none, &fingerprint(Key::new(2))),
        (Some(files().file("etc/demo.gpg", &one)), 5, none, "it has   no key at all"),
        (Some(files().file("usr/share/keyrings/demo-removed-keys.gpg", &one)), 5, none, "no key at all"),
        (Some(files().link(PLACE, "/etc/hostname")), 5, none, "it has   no key at all"),
    ] {
        let ran = refused(&served(files, |_| {}), code);
        assert!(ran.stderr.contains(message) && ran.stderr.contains(fact), "{fact}: {}", ran.all());
        assert!(ran.stderr.contains("hint: compare `keys` with the fingerprints"), "{}", ran.all());
    }
}

#[test]
fn a_key_that_did_not_sign_its_own_archive_is_refused() {
    let one = || Some(files().file(PLACE, &Key::new(1).keyring().unwrap()));
    // Another archive's keyring package, with a key that the manifest names.
    let ran = refused(&served(one(), |archive| archive.key = Key::new(2)), 5);
    assert!(ran.stderr.contains("the Release file is not signed by a trusted key"), "{}", ran.all());
    assert!(ran.stderr.contains("package    debian-archive-keyring 2025.1 of demo"), "{}", ran.all());
    // A tampered Release file names the same package.
    let project = served(one(), |_| {});
    project.upstream().server().fault("/debian/dists/demo/InRelease", Fault::FlipByteAt(80));
    assert!(refused(&project, 5).stderr.contains("the signature does not match the Release file"));
    // An expired key.
    let old = Key { lives: 1000, ..Key::new(1) };
    let project = served(Some(files().file(PLACE, &old.keyring().unwrap())), |archive| archive.key = old);
    assert!(refused(&project, 5).stderr.contains("the key had expired"));
}

#[test]
fn a_hostile_keyring_package_is_refused() {
    let key = Key::new(1).keyring().unwrap();
    let usual = || files().file(PLACE, &key);
    for (files, message) in [
        (usual().file("../../../../outside", b"x"), "outside"),
        (usual().file("usr/share/zeros", &vec![0; 70 << 20]), "package"),
        (usual().file("usr/share/noise", &vec![0; 17 << 20]).compression(Compression::Plain), "is too large"),
    ] {
        let project = served(Some(files), |_| {});
        let ran = project.run(&["update"]);
        assert!([3, 5].contains(&ran.code), "{}", ran.all());
        assert!(ran.stderr.contains(message) && !project.path("lock").exists(), "{message}: {}", ran.all());
        assert!(!project.directory.path().join("outside").exists());
    }
    let project = served(Some(usual()), |_| {});
    project.upstream().server().fault("/debian/pool/main/debian-archive-keyring/*", Fault::FlipByteAt(100));
    assert_eq!(project.run(&["update"]).code, 5);
    assert!(!project.path("lock").exists());
}

#[test]
fn doctor_finds_a_missing_key_before_update_does() {
    let project = with_own_key();
    let keys = |project: &Project| {
        let ran = project.run(&["doctor"]);
        let mut lines = ran.stdout.lines().skip_while(|line| !line.contains("  keys  "));
        let mut found: Vec<String> = lines.by_ref().take(1).map(str::to_owned).collect();
        found.extend(lines.take_while(|line| line.starts_with(' ')).map(|line| line.trim().to_owned()));
        found.join("\n").replace(&fingerprint(Key::new(1)), "[KEY]")
    };
    insta::assert_snapshot!(keys(&project), @"ok       keys        sysroot: [KEY], to be taken from the archive by `strixlock update`: no keyring here has it");
    manifest(&project, &["hello"], "archive = \"https://a.example/packages\"\n#key");
    insta::assert_snapshot!(keys(&project), @r"
    problem  keys        sysroot: the keys that may sign this archive are not known
    why   `strixlock update` takes packages only from archives that a known key has signed
    hint  name a keyring file beside the manifest with `keyring`, or fingerprints with `keys`
    ");
    manifest(&project, &["hello"], "keyring = \"gone.gpg\"");
    insta::assert_snapshot!(keys(&project), @r"
    problem  keys        sysroot: the keyring cannot be read
    why   `strixlock update` takes packages only from archives that a known key has signed
    hint  name a keyring file beside the manifest with `keyring`
    ");
}

/// No keyring of Ubuntu is on this machine if it is none of Ubuntu's; where it is, nothing has to be told.
#[test]
fn the_hint_for_a_missing_keyring_works() {
    if std::path::Path::new("/usr/share/keyrings/ubuntu-archive-keyring.gpg").exists() {
        return;
    }
    let project = served(None, |_| {});
    let url = project.upstream().server().url("/ubuntu");
    DebArchive::new(now() - 3600).serve(project.upstream().server(), "/ubuntu").unwrap();
    manifest(&project, &["hello"], &format!("archive = \"{url}\"\n#key"));
    let ran = refused(&project, 9);
    assert!(ran.stderr.contains("the keys that may sign this archive are not known"), "{}", ran.all());
    let (_, hint) = ran.stderr.split_once("set in the manifest: ").unwrap();
    manifest(&project, &["hello"], &format!("archive = \"{url}\"\n{}", hint.trim()));
    // The demo's archive is not signed by Ubuntu's key, and is asked for it now.
    assert!(refused(&project, 9).stderr.contains("demo has no package ubuntu-keyring"));
}
