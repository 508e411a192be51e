//! Patches of a git input: pinned, applied in order, and refused for the right reason.

use super::repository::Made;
use crate::support::Project;

const FIRST: &str = "From: somebody\nSubject: greet\n\n---\n a.txt | 2 +-\n\ndiff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n\
                     @@ -1,3 +1,3 @@\n one\n-two\n+zwei\n three\n-- \n2.47\n";
const SECOND: &str = "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n-zwei\n+deux\n three\n\
                      diff --git a/new b/new\nnew file mode 100755\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+new\n";

/// A project whose only input has a file of three lines, and these patches.
fn patched(patches: &[(&str, &str)]) -> (Project, Made) {
    let project = Project::empty();
    let made = Made::new(&project, "/o/patched.git");
    let file = made.blob(b"one\ntwo\nthree\n");
    made.commit(made.tree(&[("100644", "a.txt", file)]));
    want(&project, &made, patches);
    (project, made)
}

fn want(project: &Project, made: &Made, patches: &[(&str, &str)]) {
    let names: Vec<_> = patches.iter().map(|(name, _)| format!("\"patches/{name}\"")).collect();
    made.wanted(project, &format!("patches = [{}]", names.join(", ")));
    for (name, text) in patches {
        project.write(&format!("manifests/patches/{name}"), text);
    }
}

/// The pinned content, and the derivation of a build of it.
fn ids(project: &Project) -> (String, String) {
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    let content = lock["inputs"]["source"]["locked"]["content"]["digest"].as_str().unwrap().to_owned();
    (content, project.derivation("llama"))
}

const BUILD: &str = "\n[outputs.llama]\ntype = \"llama\"\nsource = \"source\"\nbackend = \"cpu\"\n";

fn update_with_build(project: &Project) -> (String, String) {
    let manifest = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &format!("{manifest}{BUILD}"));
    project.run(&["update"]).code(0);
    ids(project)
}

#[test]
fn patches_are_applied_in_order_and_pinned_by_digest() {
    let (project, made) = patched(&[("one.patch", FIRST), ("two.patch", SECOND)]);
    let both = update_with_build(&project);
    let lock = project.lock();
    assert!(lock.contains("\"path\": \"patches/one.patch\""), "{lock}");
    let tree =
        project.store("main").join("trees").join(both.0.replace(':', "/").trim_start_matches("sha256/")).join("tree");
    assert_eq!(std::fs::read_to_string(tree.join("a.txt")).unwrap(), "one\ndeux\nthree\n");
    assert_eq!(std::fs::read_to_string(tree.join("new")).unwrap(), "new\n");
    // In the other order the second does not fit.
    want(&project, &made, &[("two.patch", SECOND), ("one.patch", FIRST)]);
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("the patch does not apply to the source"), "{}", ran.all());
    for fact in ["file   a.txt", "hunk   @@ -1,3 +1,3 @@", "patch  patches/two.patch"] {
        assert!(ran.stderr.contains(fact), "{fact} {}", ran.all());
    }
}

#[test]
fn every_byte_of_a_patch_is_in_the_derivation() {
    let (project, made) = patched(&[("one.patch", FIRST)]);
    let one = update_with_build(&project);
    want(&project, &made, &[("one.patch", &FIRST.replace("greet", "Greet"))]);
    let other = update_with_build(&project);
    assert_eq!(one.0, other.0);
    assert_ne!(one.1, other.1);
    want(&project, &made, &[]);
    let none = update_with_build(&project);
    assert!(none.0 != one.0 && none.1 != one.1);
}

#[test]
fn a_patch_that_cannot_be_applied_is_refused_for_its_reason() {
    let path = |path: &str| FIRST.replace("b/a.txt", path);
    let binary =
        "diff --git a/b b/b\nnew file mode 100644\nGIT binary patch\nliteral 1\nIcmZPo\n\nliteral 0\nHcmV?d00001\n";
    let reversed = FIRST.replace("-two\n+zwei", "-zwei\n+two");
    for (text, why) in [
        (reversed.as_str(), "the patch is already in the source"),
        (&FIRST.replace("one\n", "eins\n"), "the patch does not apply to the source"),
        (&FIRST.replace("a.txt", "b.txt"), "the patch does not apply to the source"),
        (&FIRST.replace('\n', "\r\n"), "line ends of Windows"),
        (binary, "the patch changes a binary file"),
        (&path("b/../../etc/passwd"), "names a path outside of the source"),
        (&path("b/.git/config"), "names a path outside of the source"),
        ("not a patch\n", "this is not a patch of git"),
        ("", "the patch changes nothing"),
        ("diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,9 +1,9 @@\n one\n", "this is not a patch of git"),
    ] {
        let (project, _) = patched(&[("one.patch", text)]);
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains(why) && ran.stderr.contains("patches/one.patch"), "{why}: {}", ran.all());
        assert!(!project.path("lock/strix.lock").exists());
    }
}

#[test]
fn a_patch_is_a_file_of_the_project() {
    let (project, made) = patched(&[("one.patch", FIRST)]);
    for path in ["/etc/passwd", "", "a//b", "~/x"] {
        made.wanted(&project, &format!("patches = [\"{path}\"]"));
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains("invalid path of a patch"), "{path} {}", ran.all());
    }
    made.wanted(&project, "patches = [\"patches/lost.patch\"]");
    assert!(project.run(&["update"]).code(9).stderr.contains("missing patch"));
}

#[test]
fn another_store_takes_the_patch_from_the_project_and_tells_when_it_changed() {
    let (project, _) = patched(&[("one.patch", FIRST)]);
    update_with_build(&project);
    let realize = |store: &str| project.run_in_store(store, &["realize", "llama"]);
    // The sources have no CMakeLists.txt: what matters is that CMake was reached.
    assert!(realize("other").stderr.contains("`cmake -S /build/source"), "{}", realize("other").all());
    project.write("manifests/patches/one.patch", "changed");
    let ran = realize("other");
    assert!(ran.stderr.contains("is not the file that the lock has"), "{}", ran.all());
    let ran = realize("third").code(9);
    assert!(ran.stderr.contains("neither in the store nor beside the manifest"), "{}", ran.all());
}
