//! `strixlock hash` against independent programs: coreutils, Nix, and another NAR library.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::support::Project;

/// A tree with names and targets that are hard to write down.
fn awkward() -> Project {
    let project = Project::empty();
    let tree = project.path("tree");
    for directory in ["a/b/c", "empty", "a.b", "a-b"] {
        std::fs::create_dir_all(tree.join(directory)).unwrap();
    }
    let names: [&[u8]; 12] = [
        b"plain",
        b"a/b/c/deep",
        b"with space",
        b"tab\there",
        b"new\nline",
        b"back\\slash",
        b"-dash",
        b"\xff\xfe",
        b"a !",
        b"a/x",
        b"a.b/y",
        "é".as_bytes(),
    ];
    for (index, name) in names.iter().enumerate() {
        let path = tree.join(std::ffi::OsStr::from_bytes(name));
        std::fs::write(&path, vec![index as u8; index * 1000]).unwrap();
        if index % 3 == 0 {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    symlink("plain", tree.join("link")).unwrap();
    symlink("/nowhere -> \n\\", tree.join("li nk")).unwrap();
    symlink("b", tree.join("a/to b")).unwrap();
    // Names that are equal when followed by an arrow and a target.
    for (directory, links) in
        [("t -> b", &[("t", "b/c")][..]), ("u", &[]), ("v", &[("w", "b -> cdefgh"), ("w -> b", "cdefgh")])]
    {
        std::fs::create_dir_all(tree.join(directory)).unwrap();
        std::fs::write(tree.join(directory).join("c"), "c").unwrap();
        for (link, target) in links {
            symlink(target, tree.join(link)).unwrap();
        }
    }
    project
}

#[test]
fn the_tree_digest_is_what_find_sort_and_sha256sum_give() {
    let project = awkward();
    let ours = project.run(&["hash", "tree"]).code(0).stdout;
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/tree-digest.md");
    let page = std::fs::read_to_string(page).unwrap();
    let script = strixlock::parts::TREE_DIGEST_SCRIPT;
    assert!(page.contains(script), "the book shows another recipe than REPRODUCIBLE.md");
    let digest = |directory: &str| {
        let output = Command::new("bash")
            .arg("-c")
            .arg(format!("{script}\ntree_digest {directory}"))
            .current_dir(project.path(""))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(ours, digest("tree"));
    assert_eq!(project.run(&["hash", "tree/empty"]).code(0).stdout, digest("tree/empty"));
    // The digest is that of the listing's text.
    let listing = project.command(&["hash", "tree", "--listing"]).output().unwrap().stdout;
    assert_eq!(ours.trim(), strixlock_ground::digest::Sha256Digest::of(&listing).to_string());
}

#[test]
fn the_nar_hash_is_what_nix_and_another_library_give() {
    let project = awkward();
    let ours = project.run(&["hash", "--nar", "tree"]).code(0).stdout;
    let nix = |form: &[&str]| {
        let arguments = ["--extra-experimental-features", "nix-command", "hash", "path", "--type", "sha256"];
        let output = Command::new("nix")
            .args(arguments)
            .args(form)
            .arg(project.path("tree"))
            .env("HOME", project.path(""))
            .output();
        let output = output.expect("nix is needed: scripts/test installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(ours, nix(&[]));
    assert_eq!(project.run(&["hash", "--nar", "--base32", "tree"]).code(0).stdout, nix(&["--base32"]));
    // The library only knows names that are UTF-8.
    std::fs::remove_file(project.path("tree").join(std::ffi::OsStr::from_bytes(b"\xff\xfe"))).unwrap();
    let ours = project.run(&["hash", "--nar", "tree"]).code(0).stdout;
    let mut hash = strixlock_ground::digest::HashingWriter::new(std::io::sink());
    std::io::copy(&mut nix_nar::Encoder::new(project.path("tree")).unwrap(), &mut hash).unwrap();
    assert_eq!(ours.trim(), hash.finish().0.sri());
}

#[test]
fn what_is_no_tree_is_refused() {
    let project = Project::empty();
    project.write("file", "x");
    project.run(&["hash", "file"]).code(1);
    project.run(&["hash", "nothing"]).code(9);
    std::fs::create_dir(project.path("tree")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(project.path("tree/socket")).unwrap();
    let ran = project.run(&["hash", "tree"]).code(3);
    assert!(ran.stderr.contains("`socket` is not a directory, file or link"), "{}", ran.all());
}
