//! Archives that lie, are old, or have not what is wanted.

use strixlock_demo::Fault;
use strixlock_demo::debs::{DebArchive, Key};

use super::{manifest, now, with_archive};
use crate::support::Project;

const IN_RELEASE: &str = "/debian/dists/demo/InRelease";

fn served(change: impl Fn(&mut DebArchive)) -> (Project, DebArchive) {
    let (project, mut archive) = with_archive();
    change(&mut archive);
    archive.serve(project.upstream().server(), "/debian").unwrap();
    manifest(&project, &["hello"], "");
    (project, archive)
}

/// Dates and fingerprints are not the same in every run.
fn told(project: &Project, code: i32) -> String {
    let ran = project.run(&["update"]).code(code);
    assert!(!project.path("lock").exists(), "{}", ran.all());
    ran.all()
}

#[test]
fn a_tampered_release_file_is_refused() {
    let (project, archive) = served(|_| {});
    project.upstream().server().fault(IN_RELEASE, Fault::FlipByteAt(80));
    let told = told(&project, 5).replace(&archive.key.fingerprint().unwrap(), "[KEY]");
    insta::assert_snapshot!(told, @r"
    exit code 5
    --- stderr
    error: sysroot: the signature does not match the Release file
      key      [KEY]
      keyring  demo.gpg
      file     [UPSTREAM]/debian/dists/demo/InRelease
    hint: it was changed on its way: use another mirror, over https
    ");
}

#[test]
fn another_key_is_refused_and_named() {
    let (project, archive) = served(|archive| archive.key = Key::new(7));
    let told = told(&project, 5).replace(&archive.key.fingerprint().unwrap(), "[KEY]");
    insta::assert_snapshot!(told, @r"
    exit code 5
    --- stderr
    error: sysroot: the Release file is not signed by a trusted key
      signed by  [KEY]: the keyring does not contain this key
      keyring    demo.gpg
      file       [UPSTREAM]/debian/dists/demo/InRelease
    hint: if you trust one of these keys, put it into a keyring file beside the manifest and set `keyring`; a newer package of the distribution's keyring may have it too
    ");
    std::fs::write(project.path("manifests/demo.gpg"), archive.key.keyring().unwrap()).unwrap();
    project.run(&["update"]).code(0);
}

#[test]
fn only_the_fingerprints_of_the_manifest_may_sign() {
    let (project, archive) = served(|_| {});
    let right = archive.key.fingerprint().unwrap();
    let wrong = Key::new(9).fingerprint().unwrap();
    manifest(&project, &["hello"], &format!("keyring = \"demo.gpg\"\nkeys = [\"{wrong}\"]"));
    assert!(told(&project, 9).contains("no keyring has a key with one of the fingerprints under `keys`"));
    manifest(&project, &["hello"], &format!("keyring = \"demo.gpg\"\nkeys = [\"{}\"]", right.to_lowercase()));
    project.run(&["update"]).code(0);
}

#[test]
fn an_expired_release_file_is_refused_unless_it_is_meant() {
    let old = |archive: &mut DebArchive| {
        archive.date = now() - 900_000;
        archive.valid_until = Some(now() - 300_000);
    };
    let (project, archive) = served(old);
    let told = told(&project, 5);
    assert!(told.contains("error: sysroot: the Release file has expired\n"), "{told}");
    assert!(told.contains("hint: the mirror is no longer kept up to date"), "{told}");
    manifest(&project, &["hello"], "accept-expired = true");
    project.run(&["update"]).code(0);
    let snapshot = "/debian/20261101T000000Z";
    archive.serve(project.upstream().server(), snapshot).unwrap();
    let url = project.upstream().server().url(snapshot);
    manifest(&project, &["hello"], &format!("archive = \"{url}\""));
    project.run(&["update"]).code(0);
}

#[test]
fn another_suite_and_the_future_are_refused() {
    let (project, _) = served(|archive| archive.date = now() + 100_000);
    assert!(told(&project, 5).contains("the Release file is dated in the future"));
    let (project, archive) = served(|archive| archive.suite = "other".to_owned());
    let server = project.upstream().server();
    // The other suite's file, soundly signed, in the wanted one's place.
    let text = "Suite: other\nDate: Tue, 01 Sep 2026 00:00:00 UTC\nSHA256:\n";
    let signed = archive.key.sign(text, archive.date).unwrap();
    server.put(IN_RELEASE, strixlock_demo::http::Resource::bytes(signed));
    let told = told(&project, 5);
    assert!(told.contains("the Release file is for another suite than requested"), "{told}");
}

#[test]
fn a_tampered_package_list_is_refused() {
    let (project, _) = served(|_| {});
    project.upstream().server().fault("/debian/dists/demo/main/*", Fault::FlipByteAt(100));
    let told = told(&project, 5);
    assert!(told.contains("the archive's list differs from its Release file"), "{told}");
    assert!(told.contains("list      main/binary-amd64/Packages.xz of demo"), "{told}");
    assert!(told.contains("promised") && told.contains("received") && !told.contains("--accept-replaced"), "{told}");
    // By its digest it is not to be had, by its name it is.
    let server = project.upstream().server();
    server.heal_all();
    server.fault("/debian/dists/demo/main/binary-amd64/by-hash/*", Fault::status(404, usize::MAX));
    project.run(&["update"]).code(0);
}

#[test]
fn what_the_archive_has_not_is_named() {
    let (project, _) = served(|_| {});
    manifest(&project, &["top"], "");
    insta::assert_snapshot!(told(&project, 9), @r"
    exit code 9
    --- stderr
    error: sysroot: `top` cannot be installed
      since  top 1.0 depends on middle
      needs  middle 1.5 depends on bottom (>= 3)
      but    the archive has bottom 2.0-1
    hint: the package may be in a suite or component that is not named, or the mirror is in the middle of an update
    ");
    manifest(&project, &["hello"], "components = [\"universe\"]");
    insta::assert_snapshot!(told(&project, 9), @r"
    exit code 9
    --- stderr
    error: sysroot: the suite `demo` has no component `universe` for amd64
      it has  main amd64
    ");
    manifest(&project, &["hello"], "");
    let text = project.read("manifests/strix.toml").replace("suite = \"demo\"", "suite = \"gone\"");
    project.write("manifests/strix.toml", &text);
    insta::assert_snapshot!(told(&project, 9), @r"
    exit code 9
    --- stderr
    error: sysroot: the archive has no such suite
      url  [UPSTREAM]/debian/dists/gone/InRelease
      url  [UPSTREAM]/debian/dists/gone/Release
    hint: name suites as in sources.list, such as `noble-updates`; a snapshot must not be older than its suite
    ");
}

#[test]
fn a_mirror_that_fails_is_passed_over_and_told() {
    let (project, archive) = served(|_| {});
    let server = project.upstream().server();
    archive.serve(server, "/mirror-b").unwrap();
    server.fault(IN_RELEASE, Fault::status(404, usize::MAX));
    let mirror = server.url("/mirror-b");
    manifest(&project, &["hello"], &format!("archives = [\"{mirror}\"]"));
    let ran = project.run(&["update"]).code(0);
    assert!(
        ran.stderr.contains("warning: sysroot: an archive is skipped: the archive has no such suite"),
        "{}",
        ran.all()
    );
    assert!(project.lock().contains("mirror-b"), "{}", project.lock());
}
