//! `strixlock update`, `outdated` and `list`.

mod names;
mod versions;

use strixlock_demo::http::Resource;
use strixlock_demo::{Fault, Generation, Nightly};

use crate::support::{FIRST, Project, REQUIRES, SECOND, rocm_input};

fn tarball(version: &str) -> String {
    format!("/rocm/core/tarball/therock-dist-linux-gfx1151-{version}.tar.gz")
}

#[test]
fn the_second_update_leaves_the_lock_as_it_is() {
    let project = Project::new();
    project.full_manifest(FIRST);
    let first = project.run(&["update"]).code(0);
    assert!(first.stdout.contains("rocm 10.1.0a20260901\n"), "{}", first.all());
    let lock = project.lock();
    for forbidden in
        [project.directory.path().to_str().unwrap(), "strixlock", concat!("\"", env!("CARGO_PKG_VERSION"), "\"")]
    {
        assert!(!lock.contains(forbidden), "the lock holds {forbidden}");
    }
    let second = project.run(&["update"]).code(0);
    assert_eq!(second.all(), "exit code 0\n--- stdout\nlock/strix.lock is up to date\n");
    assert_eq!(project.lock(), lock);
    project.run(&["update", "--locked"]).code(0);
    project.run(&["--offline", "update"]).code(0);
    assert_eq!(project.lock(), lock);
}

#[test]
fn updating_one_input_leaves_the_bytes_of_the_others_alone() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let block = |lock: &str, from: &str, to: &str| lock[lock.find(from).unwrap()..lock.find(to).unwrap()].to_owned();
    let (git, rocm) = (("\"llama-cpp\": {", "\"rocm\": {"), ("\"rocm\": {", "\"outputs\": {"));
    let before = project.lock();
    project.upstream().add_llama_commit().unwrap();
    project.full_manifest(SECOND);
    let ran = project.run(&["update", "rocm"]).code(0);
    assert!(ran.stdout.contains("rocm 10.1.0a20260901 -> 10.1.0a20260902 (1 build)\n"), "{}", ran.all());
    assert!(!ran.stdout.contains("llama-cpp"), "{}", ran.all());
    let after = project.lock();
    assert_eq!(block(&before, git.0, git.1), block(&after, git.0, git.1));
    assert_ne!(block(&before, rocm.0, rocm.1), block(&after, rocm.0, rocm.1));
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stdout.contains("1 new commit\n"), "{}", ran.all());
    assert_eq!(block(&after, rocm.0, rocm.1), block(&project.lock(), rocm.0, rocm.1));
}

#[test]
fn a_failing_input_leaves_the_lock_untouched_and_is_named() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let before = project.lock();
    project.upstream().add_llama_commit().unwrap();
    project.full_manifest(SECOND);
    project.upstream().server().fault(&tarball(SECOND), Fault::status(403, usize::MAX));
    insta::assert_snapshot!(project.run(&["update"]).all(), @r"
    exit code 8
    --- stderr
    error: rocm: the server answered 403 Forbidden
      url  [UPSTREAM]/rocm/core/tarball/therock-dist-linux-gfx1151-10.1.0a20260902.tar.gz
    hint: no server has this file, even if an index lists it: try again later, or ask for another version; `strixlock list rocm` prints what there is
    ");
    assert_eq!(project.lock(), before);
}

#[test]
fn a_dry_run_and_locked_write_nothing() {
    let project = Project::new();
    project.rocm_manifest("latest");
    let ran = project.run(&["update", "--dry-run"]).code(0);
    assert_eq!(ran.stdout, "rocm 10.2.0a20261120\nlock/strix.lock would change\n");
    let ran = project.run(&["update", "--locked"]).code(4);
    assert!(ran.stderr.contains("the lock is stale and would change, which --locked forbids"), "{}", ran.all());
    assert!(!project.path("lock").exists());
    assert!(project.published("main").is_empty());
    assert!(
        project.upstream().server().log().iter().all(|request| !request.path.ends_with(".tar.gz")),
        "nothing is downloaded"
    );
}

#[test]
fn a_new_request_cannot_be_answered_offline() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    let ran = project.run(&["--offline", "update"]).code(8);
    assert!(ran.stderr.contains("--offline forbids the network"), "{}", ran.all());
}

#[test]
fn a_file_that_upstream_replaced_is_noticed_and_taken_only_when_asked() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    project.run(&["update"]).code(0);
    let before = project.lock();
    let other = Nightly { payload: 100_000, ..Nightly::new(FIRST).variation(1) };
    project.upstream().publish(Generation::Streams, &other);
    let ran = project.run(&["update"]).code(5);
    assert!(ran.stderr.starts_with("error: rocm: upstream has another file under the locked name\n"), "{}", ran.all());
    assert!(ran.stderr.contains("strixlock update rocm --accept-replaced"), "{}", ran.all());
    assert_eq!(project.lock(), before);
    project.run(&["update", "rocm", "--accept-replaced"]).code(0);
    assert_ne!(project.lock(), before);
}

#[test]
fn outdated_asks_and_writes_nothing() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    project.run(&["update"]).code(0);
    let before = project.lock();
    insta::assert_snapshot!(project.run(&["outdated"]).code(0).stdout, @r"
    input  locked           wanted           latest           made        behind
    rocm   10.1.0a20260901  10.1.0a20260901  10.2.0a20261120  2026-11-20  2 builds, 80 days
    ");
    let ran = project.run(&["outdated", "--check"]).code(4);
    assert!(ran.stdout.contains("10.2.0a20261120"), "{}", ran.all());
    assert!(ran.stderr.contains("\nerror: there is something newer than the lock for rocm\n"), "{}", ran.all());
    let json = project.run(&["outdated", "--check", "--json"]).code(4).json();
    assert_eq!(json["outdated"], serde_json::json!(["rocm"]));
    assert_eq!(json["inputs"][0]["behind"], "2 builds, 80 days");
    assert_eq!(json["inputs"][0]["latest"], "10.2.0a20261120");
    assert_eq!(project.lock(), before);
}

#[test]
fn outdated_names_the_newest_of_the_pinned_series() {
    let project = Project::empty();
    for version in ["7.13.0", "7.14.0", "7.14.1", "10.1.0"] {
        project.upstream().publish(Generation::Streams, &Nightly::new(version));
    }
    let manifest = |version: &str| {
        let input = rocm_input(&project.index(), version).replace("target = ", "channel = \"stable\"\ntarget = ");
        project.write("manifests/strix.toml", &format!("{REQUIRES}{input}"));
    };
    manifest("7.14.0");
    project.run(&["update"]).code(0);
    let ran = project.run(&["outdated"]).code(0);
    // The last columns are the day of the index and the distance.
    let cut = |text: &str| -> String {
        let words = |line: &str| line.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
        text.lines().map(|line| if line.starts_with(' ') { line.to_owned() } else { words(line) } + "\n").collect()
    };
    let rows = "input locked wanted latest\nrocm 7.14.0 7.14.0 10.1.0\n";
    assert_eq!(cut(&ran.stdout), format!("{rows}  7.14.1 is the newest of 7.14\n"), "{}", ran.all());
    assert!(ran.stdout.contains(" 2 builds"), "{}", ran.all());
    let json = project.run(&["outdated", "--json"]).code(0).json();
    assert_eq!(json["inputs"][0]["series"], serde_json::json!({ "name": "7.14", "newest": "7.14.1" }));
    assert_eq!(json["inputs"][0]["latest"], "10.1.0");
    // Nothing is said where the pinned one is the newest of its series, of the latest series, and of a range.
    for (version, stdout) in [
        ("7.14.1", rows.replace("7.14.0", "7.14.1")),
        ("10.1.0", "nothing is newer than\n".to_owned()),
        ("==7.14.*", rows.replace("7.14.0", "7.14.1")),
    ] {
        manifest(version);
        project.run(&["update"]).code(0);
        let ran = project.run(&["outdated"]).code(0);
        assert_eq!(cut(&ran.stdout), stdout, "{version}: {}", ran.all());
        let json = project.run(&["outdated", "--json"]).code(0).json();
        assert_eq!(json["inputs"][0]["series"], serde_json::Value::Null, "{version}");
    }
}

/// A build that a person named by its address may be newer than all that an index lists.
#[test]
fn an_older_version_is_never_called_the_latest() {
    let project = Project::new();
    let nightly = Nightly::new("10.3.0a20261129");
    project.upstream().publish(Generation::PerFamily, &nightly);
    let newest = project.upstream().tarball_url(Generation::PerFamily, &nightly);
    project.rocm_manifest("latest");
    project.run(&["update"]).code(0);
    project.run(&["update", "rocm", "--url", &newest]).code(0);
    let ran = project.run(&["outdated"]).code(0);
    insta::assert_snapshot!(ran.stdout, @r"
    input  locked           wanted           latest           made
    rocm   10.3.0a20261129  10.2.0a20261120  10.3.0a20261129  2026-11-20
      10.3.0a20261129 is newer than everything in the index; the newest there is 10.2.0a20261120; `strixlock update rocm --allow-downgrade` goes back to it
    ");
    project.run(&["outdated", "--check"]).code(0);
    let ran = project.run(&["update", "rocm"]).code(5);
    assert!(ran.stderr.contains("error: rocm: the index has gone back: it lists no build as new as"), "{}", ran.all());
    let ran = project.run(&["update", "rocm", "--allow-downgrade"]).code(0);
    assert!(ran.stdout.starts_with("rocm 10.3.0a20261129 -> 10.2.0a20261120 (downgrade)\n"), "{}", ran.all());
    project.run(&["update", "rocm", "--url", &newest]).code(0);
    let json = project.run(&["outdated", "--json"]).code(0).json();
    assert_eq!(json["inputs"][0]["latest"], serde_json::Value::Null);
    assert_eq!(json["inputs"][0]["listed"], "10.2.0a20261120");
}

#[test]
fn list_prints_urls_newest_first_and_fails_when_there_is_none() {
    let project = Project::new();
    let index = project.index();
    let ran = project.run(&["-q", "list", "rocm", "--source", &index, "-c", "2"]).code(0);
    assert_eq!(
        ran.stdout,
        "[UPSTREAM]/rocm/core/tarball/therock-dist-linux-gfx1151-10.2.0a20261120.tar.gz\n\
         [UPSTREAM]/rocm/core/tarball/therock-dist-linux-gfx1151-10.1.0a20260902.tar.gz\n"
    );
    let bucket = format!("{}?list-type=2&prefix=v4/tarball/", project.upstream().bucket_url());
    let ran = project.run(&["-q", "list", "rocm", "--source", &bucket]).code(0);
    assert!(ran.stdout.contains("v4/tarball/therock-dist-linux-gfx1151-7.15.0a20260719.tar.gz"), "{}", ran.all());
    let mirror = project.upstream().mirror_url();
    project.run(&["list", "rocm", "--source", &mirror]).code(0);
    project.run(&["list", "rocm", "--source", &index, "-t", "gfx1201"]).code(9);
    let ran = project.run(&["list", "rocm", "--source", &index, "--channel", "stable"]).code(9);
    for part in [
        "the index has no release of gfx1151 builds, and the channel `stable` has only releases\n",
        "bkc, dev, nightly, rc\n",
    ] {
        assert!(ran.stderr.contains(part), "{}", ran.all());
    }
}

#[test]
fn a_list_has_days_and_a_mark_at_the_locked_build() {
    let project = Project::new();
    project.rocm_manifest(SECOND);
    project.run(&["update"]).code(0);
    let ran = project.run(&["list", "rocm", "--source", &project.index(), "-c", "2"]).code(0);
    let [heads, newest, locked] = ran.stdout.lines().collect::<Vec<_>>()[..] else { panic!("{}", ran.all()) };
    assert_eq!(heads.split_whitespace().collect::<Vec<_>>(), ["version", "made", "age", "url"]);
    assert!(newest.starts_with("   10.2.0a20261120  2026-11-20  "), "{}", ran.all());
    assert!(locked.starts_with("*  10.1.0a20260902  2026-09-02  "), "{}", ran.all());
    assert!(locked.ends_with(" days  [UPSTREAM]/rocm/core/tarball/therock-dist-linux-gfx1151-10.1.0a20260902.tar.gz"));
    let json = project.run(&["list", "rocm", "--source", &project.index(), "--json"]).code(0).json();
    assert_eq!((&json["tarballs"][0]["locked"], &json["tarballs"][1]["locked"]), (&false.into(), &true.into()));
}

#[test]
fn a_source_that_fails_is_told_while_another_answers() {
    let project = Project::new();
    let (index, gone) = (project.index(), format!("{}gone/", project.base()));
    let manifest = rocm_input(&index, FIRST).replace("sources = [", &format!("sources = [\"{gone}\", "));
    project.write("manifests/strix.toml", &format!("{REQUIRES}{manifest}"));
    let ran = project.run(&["update"]).code(0);
    assert!(
        ran.stderr.contains("warning: rocm: [UPSTREAM]/gone/ did not answer and may have newer builds"),
        "{}",
        ran.all()
    );
}

#[test]
fn a_page_that_is_no_index_is_an_error() {
    let project = Project::empty();
    let address = project.upstream().server();
    address.put("/moved/", Resource::html("<html><title>We moved</title></html>"));
    let index = address.url("/moved/");
    project.write("manifests/strix.toml", &format!("{REQUIRES}{}", rocm_input(&index, "latest")));
    insta::assert_snapshot!(project.run(&["update"]).all(), @r"
    exit code 9
    --- stderr
    error: rocm: this page is not an index: it has neither AMD's `const files` nor links to files
      url    [UPSTREAM]/moved/
      title  We moved
    hint: the index may have moved again: look for its new address and name it under `sources` in the manifest
    ");
    project.rocm_manifest("latest");
    let ran = project.run(&["update"]).code(9);
    assert!(ran.stderr.starts_with("error: rocm: the index is empty"), "{}", ran.all());
}

#[test]
fn git_refs_are_resolved_by_name() {
    let project = Project::new();
    let git = project.upstream().git_url();
    let history = project.upstream().llama().unwrap();
    let manifest = |line: &str| format!("{REQUIRES}[inputs.source]\ntype = \"git\"\nurl = \"{git}\"\n{line}\n");
    let old = &history.commits[2];
    project.write("manifests/strix.toml", &manifest(&format!("commit = \"{old}\"")));
    project.run(&["update"]).code(0);
    assert!(project.lock().contains(&format!("\"commit\": \"{old}\"")));
    project.write("manifests/strix.toml", &manifest("branch = \"master\""));
    project.run(&["update"]).code(0);
    assert!(project.lock().contains(&format!("\"commit\": \"{}\"", history.head())));
    for (line, message) in [
        ("branch = \"mastre\"", "the repository has no branch mastre"),
        ("tag = \"b99999\"", "the repository has no tag b99999"),
        ("commit = \"0123456789012345678901234567890123456789\"", "the repository does not have the commit"),
    ] {
        project.write("manifests/strix.toml", &manifest(line));
        let ran = project.run(&["update"]).code(9);
        assert!(ran.stderr.contains(message), "{}", ran.all());
    }
    project.write("manifests/strix.toml", &manifest("").replace(".git\"", "-nothing.git\""));
    let ran = project.run(&["update"]).code(9);
    assert!(ran.stderr.contains("error: source: there is no git repository at this address"), "{}", ran.all());
}

#[test]
fn the_content_of_a_commit_is_its_raw_blobs() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    // The repository's .gitattributes asks for conversions; a checkout without attributes is what was committed.
    let clone = project.path("clone");
    let git = |arguments: &[&str]| {
        let status = std::process::Command::new("git").args(arguments).current_dir(project.path("")).status().unwrap();
        assert!(status.success(), "{arguments:?}");
    };
    let url = project.upstream().git_url();
    git(&["clone", "--quiet", "--no-checkout", &url, "clone"]);
    std::fs::write(clone.join(".git/info/attributes"), "* -text -eol -ident -filter -working-tree-encoding\n").unwrap();
    git(&["-C", "clone", "checkout", "--quiet", "HEAD"]);
    std::fs::remove_dir_all(clone.join(".git")).unwrap();
    let digest = project.run(&["hash", "clone"]).code(0).stdout;
    assert!(project.lock().contains(&format!("\"digest\": \"{}\"", digest.trim())), "{digest} {}", project.lock());
}

#[test]
fn a_file_by_url_is_pinned() {
    let project = Project::empty();
    let server = project.upstream().server();
    server.put("/data.bin", Resource::bytes(*b"some bytes"));
    let url = server.url("/data.bin");
    project.write("manifests/strix.toml", &format!("{REQUIRES}[inputs.data]\ntype = \"file\"\nurl = \"{url}\"\n"));
    project.run(&["update"]).code(0);
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    let pin = &lock["inputs"]["data"]["locked"];
    assert_eq!(pin["size"], 10);
    assert_eq!(pin["sha256"], strixlock_ground::digest::Sha256Digest::of(b"some bytes").to_string());
    let before = project.lock();
    project.run(&["update"]).code(0);
    assert_eq!(project.lock(), before);
    server.put("/data.bin", Resource::bytes(*b"same size!"));
    project.run(&["update", "data"]).code(0);
    assert_ne!(project.lock(), before);
}
