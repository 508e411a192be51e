//! `strixlock archive` and `realize --from`: what a lock needs outlives its upstreams.

mod registry;
pub mod serve;

use std::path::{Path, PathBuf};
use std::process::Command;

use strixlock_demo::gguf_maker::Shape;

use crate::git::repository::Made;
use crate::support::{FIRST, Project, Ran, SECOND, files};
use crate::validate::add_model;

const PATCH: &str = "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+two\n";

/// A project with an input of most kinds, and outputs that use them without a build: ROCm, over it a directory and a
/// patched repository with a submodule, and a model.
fn of_all_kinds() -> Project {
    let project = Project::new();
    let sub = Made::new(&project, "/o/sub.git");
    let inner = sub.commit(sub.tree(&[("100644", "inside", sub.blob(b"of the submodule"))]));
    let made = Made::new(&project, "/o/r.git");
    let modules = made.blob(b"[submodule \"sub\"]\npath = sub\nurl = ../sub.git\n");
    let share = made.tree(&[("100644", "b.txt", made.blob(b"deep\n"))]);
    made.commit(made.tree(&[
        ("100644", ".gitmodules", modules),
        ("100644", "a.txt", made.blob(b"one\n")),
        ("40000", "share", share),
        ("160000", "sub", inner),
    ]));
    project.rocm_manifest(FIRST);
    add_model(&project, "model", Shape::default());
    project.write("manifests/own/share/own.txt", "of the project\n").write("manifests/a.patch", PATCH);
    let more = format!(
        "\n[outputs.model]\ntype = \"model\"\n\n[inputs.own]\ntype = \"directory\"\npath = \"own\"\n\n\
         [inputs.source]\ntype = \"git\"\nurl = \"{}\"\npatches = [\"a.patch\"]\n\n\
         [outputs.laid]\ntype = \"overlay\"\nlayers = [{{ input = \"own\" }}, {{ input = \"source\" }}]\n",
        made.url
    );
    let text = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &format!("{text}{more}"));
    project.run(&["update"]).code(0);
    project
}

/// Runs a command in an empty directory, with this store, in a network namespace that has no interface to the outside.
fn alone(project: &Project, store: &str, arguments: &[&str]) -> Ran {
    let elsewhere = project.directory.path().join("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    let mut command = Command::new("bwrap");
    command.args(["--dev-bind", "/", "/", "--unshare-net", "--"]).arg(env!("CARGO_BIN_EXE_strixlock")).args(arguments);
    command.current_dir(&elsewhere).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("HOME", &elsewhere).env("STRIXLOCK_STORE", project.store(store)).env("STRIXLOCK_NO_PROGRESS", "1");
    project.finish(command.output().unwrap())
}

fn blob_of(archive: &Path, name: &str) -> PathBuf {
    archive.join(std::fs::read_link(archive.join(name)).unwrap())
}

fn tarball(version: &str) -> String {
    format!("therock-dist-linux-gfx1151-{version}.tar.gz")
}

/// Changes one byte of a read-only file.
fn alter(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn an_archive_realizes_elsewhere_without_any_network_and_what_is_wrong_with_it_is_named_before() {
    let project = of_all_kinds();
    let here = project.run(&["realize", "--json"]).code(0);
    let ran = project.run(&["archive", "--to", "kept", "--json"]).code(0).json();
    assert_eq!((ran["added"][0]["files"].as_u64(), ran["added"][0]["there"].as_u64()), (Some(6), Some(0)), "{ran:#}");
    let again = project.run(&["archive", "--to", "kept"]).code(0).stdout;
    assert!(again.contains(": nothing new, 6 there\nkept: 1 lock\n"), "{again}");
    let archive = project.path("kept");
    let sums = Command::new("sha256sum").args(["-c", "--quiet", "SHA256SUMS"]).current_dir(&archive).output().unwrap();
    assert!(sums.status.success() && sums.stdout.is_empty(), "{sums:?}");
    let verified = project.run(&["archive", "verify", "kept"]).code(0).stdout;
    assert!(verified.starts_with("ok: ") && verified.ends_with(" for 1 lock\n"), "{verified}");

    // Neither the project nor its upstream is there, and nothing but the archive is.
    let (lock, from) = (archive.join("strix.lock"), archive.to_str().unwrap().to_owned());
    let realize = ["realize", "--lock", lock.to_str().unwrap(), "--from", &from, "--offline", "--json"];
    let there = alone(&project, "other/root", &realize).code(0);
    for output in ["rocm", "model", "laid"] {
        assert_eq!(there.tree(output), here.tree(output));
    }
    assert_eq!(there.json()["from"]["lacking"], serde_json::json!([]));
    assert!(!project.store("other/root").join("git").join("x").exists());

    // A byte that changed, of a tarball and of a pack.
    let fault = |path: &Path, code: i32, named: &str| {
        let ran = alone(&project, "fresh", &realize).code(code);
        assert!(ran.stdout.contains(named), "{named}: {}", ran.all());
        let made = project.published("fresh");
        assert!(!made.iter().any(|name| name.starts_with("trees/") || name.starts_with("outputs/")), "{made:?}");
        let verified = project.run(&["archive", "verify", "kept", "--json"]).code(7).json();
        let faults = verified["verified"]["faults"].as_array().unwrap();
        let shown = path.strip_prefix(&archive).unwrap().to_str().unwrap();
        assert!(faults.iter().any(|fault| fault["path"] == shown), "{shown}: {verified:#}");
        // What is removed is archived again from the store.
        let _ = std::fs::remove_file(path);
        project.run(&["archive", "--to", "kept"]).code(0);
        project.run(&["archive", "verify", "kept"]).code(0);
    };
    let rocm = blob_of(&archive, &tarball(FIRST));
    alter(&rocm);
    fault(&rocm, 5, "a file of the archive is damaged");
    let lock_text = std::fs::read_to_string(&lock).unwrap();
    let lock_value: serde_json::Value = serde_json::from_str(&lock_text).unwrap();
    let patch = lock_value["inputs"]["source"]["locked"]["patches"][0]["sha256"].as_str().unwrap();
    let patch = archive.join("blobs/sha256").join(patch.trim_start_matches("sha256:"));
    std::fs::remove_file(&patch).unwrap();
    fault(&patch, 9, "a.patch");
    let commit = lock_value["inputs"]["source"]["locked"]["commit"].as_str().unwrap();
    let pointer = archive.join("git").join(commit);
    std::fs::remove_file(&pointer).unwrap();
    fault(&pointer, 9, commit);

    // With a network, upstream has what the archive has not.
    std::fs::remove_file(&rocm).unwrap();
    let ran = project.run_in_store("online", &["realize", "--from", "kept"]).code(0);
    assert!(ran.stderr.contains("rocm: the archive does not have all of it"), "{}", ran.all());
}

#[test]
fn nightlies_add_only_what_is_new_and_cold_ones_share_chunks() {
    let project = Project::realized(&[FIRST, SECOND]);
    let ran = project.run(&["archive", "--to", "kept", "--all-generations", "--json"]).code(0).json();
    assert_eq!((ran["added"].as_array().unwrap().len(), ran["locks"].as_u64()), (2, Some(2)), "{ran:#}");
    let list = project.run(&["archive", "list", "kept"]).code(0).stdout;
    assert!(list.contains(FIRST) && list.contains(SECOND), "{list}");

    // Cold: the second adds less than the first, though nearly all of the demo's libraries are noise that differs.
    let add = |version: &str| {
        project.rocm_manifest(version).run(&["update"]).code(0);
        let ran = project.run(&["archive", "--to", "cold", "--cold", "--json"]).code(0).json();
        ran["added"][0]["bytes"].as_u64().unwrap()
    };
    let (first, second) = (add(FIRST), add(SECOND));
    assert!(second > 0 && second < first, "{first} {second}");
    assert!(!project.path("cold").join(tarball(FIRST)).exists());
    let verified = project.run(&["archive", "verify", "cold", "--json"]).code(0).json();
    assert_eq!(verified["verified"]["trees"], 2, "{verified:#}");
    let args = ["realize", "--from", "cold", "--offline", "--json"];
    let (from_cold, here) =
        (project.run_in_store("thawed", &args).code(0), project.run(&["realize", "--json"]).code(0));
    assert_eq!(from_cold.tree("rocm"), here.tree("rocm"));

    // A chunk less: told before anything is taken.
    let chunk = files(&project.path("cold/chunks")).into_iter().next().unwrap();
    std::fs::remove_file(&chunk).unwrap();
    project.run(&["archive", "verify", "cold"]).code(7);
    let ran = project.run(&["archive", "--to", "cold", "--cold", "--all-generations"]).code(0);
    assert!(ran.stdout.contains("lock "), "{}", ran.all());
    project.run(&["archive", "verify", "cold"]).code(0);

    // The lock of the second alone stays.
    let lock = project.run(&["lock", "digest"]).code(0).stdout;
    let other = project.run(&["archive", "list", "kept", "--json"]).code(0).json();
    let other = other["locks"].as_array().unwrap().iter().map(|row| row["lock"].as_str().unwrap().to_owned());
    let other = { other }.find(|digest| *digest != lock.trim()).unwrap();
    let drop = ["archive", "prune", "kept", "--drop", &other[7..15]];
    let would = project.run(&[&drop[..], &["--dry-run"]].concat()).code(0).stdout;
    assert!(would.contains("would remove 1 file: "), "{would}");
    assert!(project.path("kept").join(tarball(FIRST)).exists());
    project.run(&drop).code(0);
    assert!(!project.path("kept").join(tarball(FIRST)).is_symlink());
    project.run(&["archive", "verify", "kept"]).code(0);
    assert_eq!(project.run(&["archive", "prune", "kept"]).code(0).stdout, "nothing to remove\n");
    project.run(&["archive", "prune", "kept", "--drop", "zz"]).code(9);

    // The archive of another lock.
    project.rocm_manifest(FIRST).run(&["update"]).code(0);
    let ran = project.run_in_store("none", &["-q", "realize", "--from", "kept", "--offline"]).code(9);
    let said = format!("  archive  kept\n  missing  rocm: {}  blobs/sha256/", tarball(FIRST));
    assert!(ran.stderr.starts_with("error: the archive has nothing of what this lock needs\n"), "{}", ran.all());
    assert!(ran.stderr.contains(&said) && ran.stderr.contains("`strixlock archive list` lists them"), "{}", ran.all());
}

#[test]
fn one_tar_file_is_an_archive_and_hostile_ones_are_refused() {
    let project = Project::realized(&[FIRST]);
    project.run(&["archive", "--to", "kept.tar"]).code(0);
    let first = std::fs::metadata(project.path("kept.tar")).unwrap().len();
    project.realize_rocm(SECOND);
    let ran = project.run(&["archive", "--to", "kept.tar", "--json"]).code(0).json();
    assert_eq!((ran["added"][0]["there"].as_u64(), ran["locks"].as_u64()), (Some(0), Some(2)), "{ran:#}");
    assert!(std::fs::metadata(project.path("kept.tar")).unwrap().len() > first);
    project.run(&["archive", "verify", "kept.tar"]).code(0);
    project.run_in_store("fresh", &["realize", "--from", "kept.tar", "--offline"]).code(0);
    // It is the directory, as it is.
    std::fs::create_dir(project.path("by-tar")).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(project.path("kept.tar")).arg("-C").arg(project.path("by-tar"));
    assert!(tar.status().unwrap().success());
    project.run(&["archive", "verify", "by-tar"]).code(0);

    let refused = |name: &str, arguments: &[&str], code: i32| {
        let mut tar = Command::new("tar");
        tar.arg("-cf").arg(project.path("bad.tar")).args(arguments).current_dir(project.path("by-tar"));
        assert!(tar.status().unwrap().success());
        let ran = project.run_in_store("bad", &["-q", "realize", "--from", "bad.tar", "--offline"]).code(code);
        assert!(ran.stderr.contains(name), "{}", ran.all());
        assert_eq!(project.published("bad"), Vec::<String>::new());
    };
    std::fs::write(project.path("by-tar/outside"), "x").unwrap();
    refused("outside", &["."], 3);
    refused("../outside", &["-P", "--transform", "s,^\\./outside,../outside,", "."], 3);
    std::fs::remove_file(project.path("by-tar/outside")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", project.path("by-tar/SHA256SUMS.new")).unwrap();
    refused("SHA256SUMS.new", &["."], 3);
    std::fs::remove_file(project.path("by-tar/SHA256SUMS.new")).unwrap();
    refused("not an archive", &["--exclude", "strixlock-archive", "."], 9);
}

#[test]
fn a_layout_has_each_lock_as_an_artifact_of_its_blobs() {
    let project = Project::realized(&[FIRST]);
    project.run(&["archive", "--to", "oci-layout:kept", "--cold"]).code(2);
    project.run(&["archive", "--to", "oci-layout:kept"]).code(0);
    let read = |path: &str| -> serde_json::Value { serde_json::from_str(&project.read(path)).unwrap() };
    assert_eq!(read("kept/oci-layout")["imageLayoutVersion"], "1.0.0");
    let blob = |descriptor: &serde_json::Value| {
        let path = format!("kept/blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"));
        assert_eq!(descriptor["size"], std::fs::metadata(project.path(&path)).unwrap().len(), "{descriptor}");
        path
    };
    let index = read("kept/index.json");
    let manifest = read(&blob(&index["manifests"][0]));
    let titles = manifest["layers"].as_array().unwrap().iter().map(|layer| {
        blob(layer);
        layer["annotations"]["org.opencontainers.image.title"].as_str().unwrap().to_owned()
    });
    assert_eq!(titles.collect::<Vec<_>>(), ["strix.lock".to_owned(), format!("rocm/{}", tarball(FIRST))]);
    blob(&manifest["config"]);
    project.run(&["archive", "verify", "kept"]).code(0);
    assert_eq!(project.run(&["archive", "prune", "kept"]).code(0).stdout, "nothing to remove\n");
    project.run_in_store("fresh", &["realize", "--from", "kept", "--offline"]).code(0);
}

#[test]
fn what_is_no_archive_is_told_and_left_alone() {
    let project = Project::realized(&[FIRST]);
    project.write("full/x", "");
    assert!(project.run(&["archive", "--to", "full"]).code(2).stderr.contains("is not empty, and is not an archive"));
    for arguments in [
        &["realize", "--from", "full"][..],
        &["realize", "--from", "nowhere"],
        &["archive", "verify", "full"],
        &["archive", "prune", "nowhere"],
        &["serve", "full"],
    ] {
        let ran = project.run(arguments).code(9);
        assert!(ran.stderr.contains("`strixlock archive --to DIR` makes one"), "{}", ran.all());
    }
    assert!(!project.path("nowhere").exists() && !project.path("full/strixlock-archive").exists());
    project.run(&["archive", "--to", "kept"]).code(0);
    project.write("kept/strixlock-archive", "strixlock-archive 2\n");
    let ran = project.run(&["realize", "--from", "kept"]).code(3);
    assert!(ran.stderr.contains("found     strixlock-archive 2"), "{}", ran.all());
    project.run(&["realize", "--from", "oci://registry/name"]).code(2);
}
