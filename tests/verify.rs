//! `strixlock verify`: every kind of damage is reported, and only that is repaired.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{FIRST, Project, SECOND, files};

fn realized() -> (Project, std::path::PathBuf) {
    let project = Project::realized(&[FIRST]);
    let tree = std::fs::canonicalize(project.store("main").join("current/rocm")).unwrap();
    (project, tree)
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A flipped byte, a deleted, an added and a mode-changed file, a changed link.
fn damage(tree: &Path) {
    for directory in ["", "bin", ".info", "share/therock", "lib"] {
        mode(&tree.join(directory), 0o755);
    }
    let flipped = tree.join("bin/rocminfo");
    mode(&flipped, 0o755);
    let mut bytes = std::fs::read(&flipped).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&flipped, bytes).unwrap();
    mode(&flipped, 0o555);
    std::fs::remove_file(tree.join(".info/version")).unwrap();
    std::fs::write(tree.join("lib/mine.so"), "x").unwrap();
    mode(&tree.join("share/therock/dist_info.json"), 0o666);
    std::fs::remove_file(tree.join("llvm")).unwrap();
    std::os::unix::fs::symlink("elsewhere", tree.join("llvm")).unwrap();
    for directory in ["bin", ".info", "share/therock", "lib", ""] {
        mode(&tree.join(directory), 0o555);
    }
}

const FOUND: &str = "\
rocm: missing .info/version
rocm: damaged bin/rocminfo
rocm: extra lib/mine.so
rocm: damaged llvm
rocm: wrong mode share/therock/dist_info.json
";

#[test]
fn all_damage_is_named_and_exactly_that_is_repaired() {
    let (project, tree) = realized();
    let ran = project.run(&["verify", "rocm"]).code(0);
    assert!(ran.stdout.starts_with("rocm: ok (") && ran.stdout.ends_with(" entries)\n"), "{}", ran.all());
    let untouched = std::fs::metadata(tree.join("bin/hipconfig")).unwrap();
    damage(&tree);
    let ran = project.run(&["verify", "rocm"]).code(7);
    assert_eq!(ran.stdout, FOUND, "{}", ran.all());
    assert!(ran.stderr.contains("hint: `strixlock verify --repair`"), "{}", ran.all());
    assert_eq!(project.run(&["verify", "--json"]).code(7).json()["trees"][0]["damages"].as_array().unwrap().len(), 5);
    let ran = project.run(&["verify", "rocm", "--repair"]).code(0);
    assert_eq!(ran.stdout, FOUND.replace("rocm: ", "rocm: repaired: "), "{}", ran.all());
    project.run(&["verify"]).code(0);
    // Intact files were not touched.
    let after = std::fs::metadata(tree.join("bin/hipconfig")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::ino(&untouched), std::os::unix::fs::MetadataExt::ino(&after));
}

#[test]
fn contents_that_no_copy_has_are_fetched_again() {
    let (project, tree) = realized();
    damage(&tree);
    for entry in std::fs::read_dir(project.store("main").join("downloads/sha256")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let ran = project.run(&["--offline", "verify", "rocm", "--repair"]).code(8);
    assert!(ran.stderr.contains("--offline forbids the network"), "{}", ran.all());
    project.run(&["verify", "rocm", "--repair"]).code(0);
    project.run(&["verify"]).code(0);
}

#[test]
fn a_write_through_a_hard_link_is_caught() {
    let (project, _) = realized();
    project.run(&["realize", "--to", "out", "--link-mode", "hardlink"]).code(0);
    let path = project.path("out/rocm/.info/version");
    mode(&path, 0o644);
    std::fs::write(&path, "oops\n").unwrap();
    let ran = project.run(&["verify"]).code(7);
    assert!(ran.stdout.contains("damaged .info/version"), "{}", ran.all());
    project.run(&["verify", "--repair"]).code(0);
    let ran = project.run(&["verify", "out/rocm"]).code(7);
    assert_eq!(ran.stdout, "out/rocm: damaged .info/version\n", "{}", ran.all());
}

#[test]
fn what_cannot_be_verified_is_said() {
    let (project, _) = realized();
    std::fs::create_dir(project.path("other")).unwrap();
    project.run(&["verify", "other"]).code(9);
    project.run(&["verify", "nothing"]).code(9);
    project.run(&["verify", &format!("sha256:{}", "0".repeat(64))]).code(9);
}

#[test]
fn a_blob_that_was_written_to_does_not_win_over_fresh_bytes() {
    let (project, tree) = realized();
    let path = tree.join(".info/version");
    mode(&path, 0o644);
    std::fs::write(&path, "oops\n").unwrap();
    mode(&path, 0o444);
    // The tree is lost, but its blobs are not. One of them is damaged.
    let gone = tree.parent().unwrap();
    std::process::Command::new("chmod").args(["-R", "u+w"]).arg(gone.join("tree")).status().unwrap();
    mode(&tree, 0o755);
    std::fs::remove_dir_all(gone).unwrap();
    let blobs = std::process::Command::new("find")
        .arg(project.store("main").join("blobs"))
        .args(["-type", "f", "-exec", "chmod", "a-w", "{}", "+"])
        .status();
    assert!(blobs.unwrap().success());
    project.run(&["realize"]).code(0);
    project.run(&["verify"]).code(0);
}

/// Writes into a file of a tree in the store, as a write through a hard link does. The rest of the tree stays intact.
pub fn spoil(path: &Path) {
    let before = std::fs::metadata(path).unwrap().permissions();
    mode(path, 0o644);
    std::fs::write(path, "spoilt\n").unwrap();
    std::fs::set_permissions(path, before).unwrap();
}

/// Returns the directories below `tree` that are not read-only.
fn open_directories(tree: &Path) -> String {
    let found = std::process::Command::new("find").arg(tree).args(["-type", "d", "-perm", "/222"]).output().unwrap();
    String::from_utf8(found.stdout).unwrap()
}

/// Files that no download has are restored by making their output again.
#[test]
fn what_only_a_build_has_is_built_once_more() {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    project.run(&["realize", "llama"]).code(0);
    let tree = std::fs::canonicalize(project.store("main").join("current/llama")).unwrap();
    spoil(&tree.join("bin/llama-cli"));
    project.run(&["verify", "llama"]).code(7);
    let ran = project.run(&["verify", "llama", "--repair"]).code(0);
    assert_eq!(ran.stdout, "llama: repaired: damaged bin/llama-cli\n", "{}", ran.all());
    project.run(&["verify"]).code(0);
    assert_eq!(open_directories(&tree), "");
}

/// If contents cannot be restored, their blob stays, and everything else is repaired and read-only again.
#[test]
fn what_nobody_has_leaves_the_rest_repaired() {
    let (project, tree) = realized();
    damage(&tree);
    let damaged = std::fs::read(tree.join("bin/rocminfo")).unwrap();
    std::fs::remove_file(project.path("lock/strix.lock")).unwrap();
    let digest = tree.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let ran = project.run(&["verify", digest, "--repair"]).code(7);
    assert!(ran.stderr.contains("the contents of `bin/rocminfo` are lost"), "{}", ran.all());
    assert_eq!(std::fs::read(tree.join("bin/rocminfo")).unwrap(), damaged);
    assert!(!tree.join("lib/mine.so").exists());
    assert_eq!(open_directories(&tree), "");
    let ran = project.run(&["verify", digest]).code(7);
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.all());
}

/// Removes directories in place of a link and a file, and a link in place of a directory, but nothing that the link
/// leads to.
#[test]
fn what_is_of_another_kind_is_replaced_and_no_link_is_followed() {
    let (project, tree) = realized();
    for directory in ["", ".info", "share"] {
        mode(&tree.join(directory), 0o755);
    }
    let toolchain = std::fs::canonicalize(tree.join("llvm")).unwrap();
    let whole = files(&toolchain);
    assert!(toolchain.starts_with(&tree) && !whole.is_empty());
    std::fs::remove_file(tree.join("llvm")).unwrap();
    std::fs::create_dir(tree.join("llvm")).unwrap();
    // The link's target has the same names, and one more.
    for name in whole.iter().map(|file| file.strip_prefix(&toolchain).unwrap()).chain([Path::new("mine/file")]) {
        let file = tree.join("llvm").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "mine").unwrap();
    }
    std::fs::remove_file(tree.join(".info/version")).unwrap();
    std::fs::create_dir(tree.join(".info/version")).unwrap();
    std::fs::write(tree.join(".info/version/inner"), "x").unwrap();
    let moved = project.path("moved");
    std::fs::rename(tree.join("share"), &moved).unwrap();
    std::os::unix::fs::symlink(&moved, tree.join("share")).unwrap();
    let outside = files(&moved);
    assert!(!outside.is_empty());

    let ran = project.run(&["verify", "rocm"]).code(7);
    for line in ["wrong kind llvm\n", "wrong kind .info/version\n", "wrong kind share\n", "missing share/therock\n"] {
        assert!(ran.stdout.contains(line), "{}", ran.all());
    }
    assert!(!ran.stdout.contains("extra"), "{}", ran.all());
    project.run(&["verify", "rocm", "--repair"]).code(0);
    project.run(&["verify"]).code(0);
    assert_eq!(files(&toolchain), whole);
    assert_eq!(files(&moved), outside);
    assert_eq!(open_directories(&tree), "");
}

/// A tree with a damaged listing does not hide another one, and `realize` replaces it.
#[test]
fn a_tree_without_its_listing_does_not_hide_what_else_is_wrong() {
    let (project, tree) = realized();
    project.realize_rocm(SECOND);
    let other = std::fs::canonicalize(project.store("main").join("current/rocm")).unwrap();
    for broken in [&tree, &other] {
        let listing = broken.parent().unwrap().join("listing");
        let whole = std::fs::read(&listing).unwrap();
        std::fs::write(&listing, "x").unwrap();
        let ran = project.run(&["verify"]).code(7);
        assert!(ran.stderr.contains("a listing in the store is damaged"), "{}", ran.all());
        assert!(ran.stdout.contains(": ok (") && ran.stdout.contains(" entries)\n"), "{}", ran.all());
        let json = project.run(&["verify", "--json"]).code(7).json();
        assert_eq!(json["error"]["message"], "a listing in the store is damaged");
        assert_eq!((json["trees"].as_array().unwrap().len(), &json["damaged"]), (1, &0.into()));
        std::fs::write(&listing, whole).unwrap();
    }
    project.run(&["verify"]).code(0);
    // Neither form of the tree is left.
    let open = ["-type", "d", "-exec", "chmod", "u+w", "{}", "+"];
    std::process::Command::new("find").arg(&other).args(open).status().unwrap();
    std::fs::remove_dir_all(&other).unwrap();
    let ran = project.run(&["verify"]).code(7);
    assert!(ran.stderr.contains("incomplete tree in the store"), "{}", ran.all());
    assert!(ran.stdout.contains(": ok (") && ran.stdout.contains(" entries)\n"), "{}", ran.all());
    project.run(&["realize"]).code(0);
    project.run(&["verify"]).code(0);
}
