//! Layers as old and odd tools write them, from the registry to the tree.

use std::path::Path;

use strixlock_demo::deb_maker::compress;
use strixlock_formats::tree::Compression;
use strixlock_ground::digest::Sha256Digest;
use tar::EntryType;

use super::registry::{Image, MANIFEST, serve};
use super::{SYSROOT, manifest};
use crate::support::Project;

/// A layer of entries: kind, name, and target or contents.
fn layer(entries: &[(EntryType, &str, &str)]) -> (Vec<u8>, Sha256Digest) {
    let mut archive = tar::Builder::new(Vec::new());
    for (kind, name, text) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        let is_file = *kind == EntryType::Regular;
        header.set_size(if is_file { text.len() as u64 } else { 0 });
        // Names as no library of today would write them.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        if !is_file {
            header.as_old_mut().linkname[..text.len()].copy_from_slice(text.as_bytes());
        }
        header.set_cksum();
        archive.append(&header, if is_file { text.as_bytes() } else { b"" }).unwrap();
    }
    let archive = archive.into_inner().unwrap();
    (compress(&archive, Compression::Gzip), Sha256Digest::of(&archive))
}

fn served(layers: Vec<(Vec<u8>, Sha256Digest)>) -> Project {
    let project = Project::empty();
    let (_, text) = Image { layers, ..Image::new(&[]) }.push(&project, "team/base");
    serve(&project, "team/base", "24.04", text.as_bytes(), MANIFEST);
    manifest(&project, "team/base:24.04", SYSROOT);
    project.run(&["update"]).code(0);
    project
}

#[test]
fn official_images_of_older_days_are_taken_and_what_is_left_out_is_told() {
    use EntryType::{Char, Directory, Fifo, Link, Regular, Symlink};
    let project = served(vec![
        layer(&[
            (Directory, "/", ""),
            (Directory, "/usr/lib/", ""),
            (Symlink, "/lib", "/usr/lib"),
            (Regular, "/etc/passwd", "root"),
            (Link, "/etc/passwd-", "/etc/passwd"),
            (Char, "dev/agpgart", ""),
            (Fifo, "dev/initctl", ""),
        ]),
        layer(&[(Regular, "lib/new", "2"), (Link, "etc/linked", "etc/passwd"), (Regular, "etc/.wh.passwd", "")]),
    ]);
    let ran = project.run(&["realize", "root"]).code(0);
    for part in ["a character device, `dev/agpgart`", "1 more devices and named pipes"] {
        assert!(ran.all().contains(part), "{part}: {}", ran.all());
    }
    let log = project.run(&["log", "root"]).code(0).all();
    assert!(log.contains("left out a named pipe, `dev/initctl`"), "{log}");
    let root = project.store("main").join("current/root");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    assert_eq!(
        (read("usr/lib/new"), read("etc/passwd-"), read("etc/linked")),
        ("2".into(), "root".into(), "root".into())
    );
    assert!(!root.join("etc/passwd").exists() && root.join("dev").is_dir());
    assert_eq!(std::fs::read_dir(root.join("dev")).unwrap().count(), 0);
    assert_eq!(std::fs::read_link(root.join("lib")).unwrap(), Path::new("/usr/lib"));
}

#[test]
fn entries_behind_links_of_lower_layers_touch_nothing_outside() {
    use EntryType::{Regular, Symlink};
    let canary = tempfile::tempdir().unwrap();
    let outside = canary.path().to_str().unwrap().to_owned();
    std::fs::write(canary.path().join("file"), "untouched").unwrap();
    let climbing = format!("/../../../../../../../../..{outside}");
    let long = outside.len() > 70;
    for target in [outside.as_str(), if long { "/tmp" } else { &climbing }] {
        for upper in ["way/file", "way/new", "way/.wh.file", "way/.wh..wh..opq"] {
            let project = served(vec![layer(&[(Symlink, "way", target)]), layer(&[(Regular, upper, "2")])]);
            // The image has no such directory, whatever this machine has.
            let ran = project.run(&["realize", "root"]);
            assert!(ran.code == 0 || (ran.code == 3 && ran.stderr.contains("`way`")), "{upper}: {}", ran.all());
            assert_eq!(std::fs::read_to_string(canary.path().join("file")).unwrap(), "untouched");
            assert_eq!(std::fs::read_dir(canary.path()).unwrap().count(), 1);
        }
    }
}
