//! Release files, signatures and lists in the forms in which archives really have them.

use strixlock::parts::{Documents as _, FetchSettings, Fetcher};
use strixlock_demo::Fault;
use strixlock_demo::debs::{DebArchive, Key, Signed};
use strixlock_demo::http::Resource;
use strixlock_ground::progress::Silent;

use super::{manifest, now, with_archive};
use crate::support::{Project, Ran};

const DISTS: &str = "/debian/dists/demo";
const LISTS: &str = "/debian/dists/demo/main/binary-amd64";

fn served(change: impl Fn(&mut DebArchive)) -> Project {
    let (project, mut archive) = with_archive();
    change(&mut archive);
    project.upstream().server().remove(&format!("{DISTS}/InRelease"));
    archive.serve(project.upstream().server(), "/debian").unwrap();
    manifest(&project, &["hello"], "");
    project
}

fn edited(from: &str, to: &str) -> Project {
    served(|archive| archive.edits.push((from.to_owned(), to.to_owned())))
}

fn locked(project: &Project) -> serde_json::Value {
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    lock["inputs"]["sysroot"]["locked"]["releases"]["demo"].clone()
}

fn update(project: &Project, lines: &str, code: i32) -> Ran {
    manifest(project, &["hello"], lines);
    project.run(&["update"]).code(code)
}

#[test]
fn a_signature_beside_the_release_file_counts_as_one_around_it() {
    let project = served(|archive| archive.signed = Signed::Beside);
    let ran = update(&project, "", 0);
    assert_eq!(ran.stderr, "", "{}", ran.all());
    let release = locked(&project);
    assert_eq!(release["signed_by"], Key::new(1).fingerprint().unwrap());
    assert!(release["release"].is_string() && release["signature"].is_string() && release["inrelease"].is_null());
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    assert!(
        page.contains("gpgv --status-fd 1 --keyring ./archive-keys.gpg Release.gpg Release | grep -E 'VALIDSIG .*"),
        "{page}"
    );
    // Another's signature, one of another text, two of which one counts, and none.
    let server = project.upstream().server();
    let fetcher = Fetcher::new(FetchSettings::default(), std::sync::Arc::new(Silent)).unwrap();
    let text = fetcher.get(&server.url(&format!("{DISTS}/Release")).parse().unwrap(), 1 << 20).unwrap().body;
    let of = |key: Key, text: &[u8]| key.sign_beside(text, now() - 3600).unwrap();
    for (signature, code, told) in [
        (of(Key::new(9), &text), 5, "the keyring does not contain this key"),
        (of(Key::new(1), b"other"), 5, "the signature does not match the Release file"),
        ([of(Key::new(9), &text), of(Key::new(1), &text)].concat(), 0, ""),
        (b"<html>".to_vec(), 5, "invalid Release.gpg file"),
        (Vec::new(), 5, "the Release file is not signed by a trusted key"),
    ] {
        server.put(&format!("{DISTS}/Release.gpg"), Resource::bytes(signature));
        let ran = update(&project, "", code);
        assert!(ran.stderr.contains(told), "{told}: {}", ran.all());
    }
}

#[test]
fn an_archive_that_nobody_signed_needs_a_word_in_the_manifest() {
    let project = served(|archive| archive.signed = Signed::Not);
    insta::assert_snapshot!(update(&project, "", 5).stderr, @r#"
    error: sysroot: the archive is not signed: it has neither InRelease nor Release.gpg
      file  [UPSTREAM]/debian/dists/demo/Release
    hint: anybody could have changed it. To use it anyway, set in the manifest: unsigned = true
    "#);
    let ran = update(&project, "unsigned = true\n#key", 0);
    assert!(ran.stdout.contains(", not signed\n"), "{}", ran.all());
    assert!(ran.stderr.contains("it is not signed, which `unsigned = true` allows"), "{}", ran.all());
    let release = locked(&project);
    assert!(release["release"].is_string() && release["signature"].is_null() && release["signed_by"].is_null());
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    assert!(page.contains("nobody, which the manifest allows (unsigned = true)") && !page.contains("gpgv"), "{page}");
    // Signed by somebody who is not known it is no better.
    std::fs::remove_file(project.path("lock/strix.lock")).unwrap();
    let archive = DebArchive::new(now() - 3600);
    archive.serve(project.upstream().server(), "/debian").unwrap();
    let ran = update(&project, "unsigned = true\n#key", 0);
    assert!(ran.stdout.contains(", not signed\n"), "{}", ran.all());
    assert!(locked(&project)["inrelease"].is_string());
}

#[test]
fn odd_dates_are_told_and_refuse_nothing() {
    let date = "Date: ";
    for (to, told) in [
        ("Date: Sat, 1 Nov 2025 1:02:03 UTC\nOld: ", ""),
        ("Date: Thu., 09 May 2024 10:00:00 UTC\nOld: ", "invalid `Date`: `Thu., 09 May 2024 10:00:00 UTC`"),
        ("Old: ", "it has no `Date`"),
    ] {
        let project = edited(date, to);
        let ran = update(&project, "", 0);
        let expected = if told.is_empty() {
            String::new()
        } else {
            format!("warning: sysroot: the Release file of demo has a fault: {told}\n")
        };
        assert_eq!(ran.stderr, expected, "{to}");
        assert_eq!(locked(&project)["date"].is_null(), !told.is_empty(), "{to}");
        project.run(&["audit"]).code(0);
    }
    let ran = update(&edited("Date: ", "Valid-Until: soon\nDate: "), "", 3);
    assert!(ran.stderr.contains("it says  soon"), "{}", ran.all());
}

#[test]
fn a_release_file_of_another_name_is_taken_where_that_is_meant() {
    let project = edited("Suite: demo\nCodename: demo", "Suite: stable\nCodename: thing");
    insta::assert_snapshot!(update(&project, "", 5).stderr, @r#"
    error: sysroot: the Release file is for another suite than requested
      asked     demo
      received  thing, stable
      file      [UPSTREAM]/debian/dists/demo/InRelease
    hint: if that is what you mean, set in the manifest: accept-names = ["thing"]
    "#);
    for names in ["thing", "stable"] {
        update(&project, &format!("accept-names = [\"{names}\"]"), 0);
    }
    update(&project, "accept-names = [\"other\"]", 5);
    // Empty names are none.
    update(&edited("Suite: demo\nCodename: demo", "Suite:\nCodename:"), "", 0);
}

#[test]
fn another_form_of_a_list_is_taken_where_one_is_not_served_or_differs() {
    let all = vec![".xz", ".gz", ".zst", ".bz2", ""];
    let project = served(|archive| (archive.endings, archive.by_hash) = (all.clone(), false));
    let server = project.upstream().server();
    for fault in [Fault::status(404, usize::MAX), Fault::FlipByteAt(40)] {
        for last in 1..all.len() {
            server.heal_all();
            let _ = std::fs::remove_dir_all(project.store("main"));
            for ending in &all[..last] {
                server.fault(&format!("{LISTS}/Packages{ending}"), fault.clone());
            }
            server.clear_log();
            let ran = update(&project, "", 0);
            let told = ran.stderr.contains("another form of main/binary-amd64/Packages is taken");
            assert_eq!(told, matches!(fault, Fault::FlipByteAt(_)), "{}", ran.all());
        }
    }
    // By its digest it may be there where its name leads to a newer one.
    let project = served(|archive| archive.endings = vec![".gz"]);
    project.upstream().server().put(&format!("{LISTS}/Packages.gz"), Resource::bytes(b"newer".to_vec()));
    assert_eq!(update(&project, "", 0).stderr, "");
}

#[test]
fn a_list_that_is_nowhere_as_promised_is_told_with_both_sizes() {
    let project = served(|archive| (archive.endings, archive.by_hash) = (vec![".gz"], false));
    let server = project.upstream().server();
    server.put(&format!("{LISTS}/Packages.gz"), Resource::bytes(vec![0; 62_798]));
    let told = update(&project, "", 5).stderr;
    assert!(told.starts_with("error: sysroot: the archive's list differs from its Release file\n"), "{told}");
    assert!(
        told.contains("62798 bytes") && !told.contains("strix.lock") && !told.contains("accept-replaced"),
        "{told}"
    );
    server.fault(&format!("{LISTS}/*"), Fault::status(404, usize::MAX));
    insta::assert_snapshot!(update(&project, "", 9).stderr, @r#"
    error: sysroot: the archive lacks a package list that its Release file promises
      url  [UPSTREAM]/debian/dists/demo/main/binary-amd64/Packages.gz
    hint: the archive is in the middle of an update, or broken: try again later, or add a mirror under `archives`
    "#);
    let project = edited("/Packages", "/Packages.lz4");
    insta::assert_snapshot!(update(&project, "", 9).stderr, @r#"
    error: sysroot: the suite `demo` lists `main` in unsupported formats only
      it has    Packages.lz4, Packages.lz4.gz, Packages.lz4.xz
      read are  Packages.xz, Packages.gz, Packages.zst, Packages.bz2, Packages
    "#);
    let project = edited("main/binary", "main/source");
    insta::assert_snapshot!(update(&project, "", 9).stderr, @r#"
    error: sysroot: the suite `demo` has no component `main` for amd64
      it has  main
    "#);
}
