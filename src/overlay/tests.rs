use std::os::unix::fs::symlink;

use super::*;
use crate::elf::testing::cc;
use crate::tree::scan::scan;

/// Trees in a temporary directory, by name.
struct Trees(tempfile::TempDir);

impl Trees {
    /// Creates a base: a library with a version in its name, the usual chain of links, and a plain file.
    fn new() -> Self {
        let trees = Self(tempfile::tempdir().unwrap());
        trees.library("rocm", "lib/libhip.so.7.1", "libhip.so.7");
        trees.link("rocm", "lib/libhip.so.7", "libhip.so.7.1").link("rocm", "lib/libhip.so", "libhip.so.7");
        trees
            .link("rocm", "lib/direct.so", "libhip.so.7.1")
            .file("rocm", "share/version", "1")
            .link("rocm", "lib64", "lib");
        trees
    }

    fn place(&self, tree: &str) -> PathBuf {
        self.0.path().join(tree)
    }

    fn library(&self, tree: &str, path: &str, soname: &str) -> &Self {
        let code = format!("const char* of(void) {{ return \"{tree} {path}\"; }}");
        cc(&self.place(tree).join(path), &code, &["-shared", &format!("-Wl,-soname,{soname}")]);
        self
    }

    fn file(&self, tree: &str, path: &str, text: &str) -> &Self {
        let place = self.place(tree).join(path);
        fs_err::create_dir_all(place.parent().unwrap()).unwrap();
        fs_err::write(place, text).unwrap();
        self
    }

    fn link(&self, tree: &str, path: &str, target: &str) -> &Self {
        let place = self.place(tree).join(path);
        fs_err::create_dir_all(place.parent().unwrap()).unwrap();
        symlink(target, place).unwrap();
        self
    }

    /// Lays trees over each other. A name such as `mine at lib` says at which directory.
    fn lay(&self, names: &[&str]) -> Result<(Listing, Record)> {
        let read = |name: &&str| {
            let (tree, at) = name.split_once(" at ").unwrap_or((name, ""));
            let place = self.place(tree);
            (scan(&place).unwrap(), place, tree.to_owned(), at.to_owned())
        };
        let all: Vec<_> = names.iter().map(read).collect();
        let layers: Vec<Layer> =
            all.iter().map(|(listing, directory, name, at)| Layer { name, directory, listing, at }).collect();
        lay("/opt/rocm", &layers)
    }
}

/// Returns the target of a link.
fn target(listing: &Listing, path: &str) -> String {
    match listing.get(path.as_bytes()).map(|entry| &entry.node) {
        Some(Node::Link { target }) => show(target),
        other => panic!("{path}: {other:?}"),
    }
}

#[track_caller]
fn refusal(trees: &Trees, names: &[&str]) -> String {
    let error = trees.lay(names).err().unwrap();
    assert_eq!(error.kind(), Kind::Invalid);
    format!("{error:?}")
}

#[test]
fn the_table_of_the_loader_is_well_formed() {
    let table: LoaderFiles = toml::from_str(include_str!("loader.toml")).unwrap();
    assert!(table.names.len() > 5);
    assert!(is_loader(b"ld-linux-x86-64.so.2") && is_loader(b"libc.so.6") && !is_loader(b"libcrypto.so.3"));
}

#[test]
fn of_two_files_that_of_the_later_layer_counts_and_is_listed() {
    let trees = Trees::new();
    trees.file("one", "share/version", "2").file("one", "share/new", "x").file("two", "version", "3");
    let (listing, record) = trees.lay(&["rocm", "one", "two at share"]).unwrap();
    let replaced: Vec<_> = record.replaced.iter().map(|one| (&*one.path, &*one.from, &*one.by)).collect();
    assert_eq!(replaced, [("share/version", "rocm", "one"), ("share/version", "one", "two")]);
    assert_eq!(record.files["share/version"], "two");
    assert_eq!(record.files["share/new"], "one");
    let version = &listing.get(b"share/version").unwrap().node;
    assert_eq!(*version, scan(&trees.place("two")).unwrap().get(b"version").unwrap().node);
    assert_eq!(record.told("share/version").unwrap(), "is from two, in place of that of rocm and one");
    assert_eq!(record.told("lib/libhip.so.7.1"), None);
    // A layer of the same bytes changes nothing.
    trees.file("same", "share/version", "1");
    let (listing, record) = trees.lay(&["rocm", "same"]).unwrap();
    assert_eq!((listing.digest(), record.files.len()), (scan(&trees.place("rocm")).unwrap().digest(), 0));
}

#[test]
fn of_two_libraries_with_one_soname_links_lead_to_that_of_the_later_layer() {
    let trees = Trees::new();
    trees.library("mine", "lib/libhip.so.7.9", "libhip.so.7");
    let (listing, record) = trees.lay(&["rocm", "mine"]).unwrap();
    for (link, leads) in
        [("lib/libhip.so.7", "libhip.so.7.9"), ("lib/direct.so", "libhip.so.7.9"), ("lib/libhip.so", "libhip.so.7")]
    {
        assert_eq!(target(&listing, link), leads, "{link}");
    }
    assert!(listing.get(b"lib/libhip.so.7.1").is_some(), "it stays under its own name");
    let [one] = record.sonames.as_slice() else { panic!("{record:?}") };
    assert_eq!((&*one.soname, &*one.path, &*one.by), ("libhip.so.7", "lib/libhip.so.7.9", "mine"));
    assert_eq!(one.over, [Hidden { path: "lib/libhip.so.7.1".to_owned(), from: "rocm".to_owned() }]);
    assert_eq!(one.links.len(), 2);
    assert!(record.told("lib/libhip.so.7.1").unwrap().contains("does not count for the soname libhip.so.7"));
    assert!(record.told("lib/libhip.so.7").unwrap().contains("leads to libhip.so.7.9, before to libhip.so.7.1"));
    // The other order.
    let (listing, record) = trees.lay(&["mine", "rocm"]).unwrap();
    assert_eq!(target(&listing, "lib/libhip.so.7"), "libhip.so.7.1");
    assert_eq!(record.sonames[0].over[0].path, "lib/libhip.so.7.9");
}

#[test]
fn a_library_under_its_soname_itself_replaces_the_link_and_the_other_way_round() {
    let trees = Trees::new();
    trees.library("plain", "lib/libhip.so.7", "libhip.so.7");
    let (listing, record) = trees.lay(&["rocm", "plain"]).unwrap();
    assert!(matches!(listing.get(b"lib/libhip.so.7").unwrap().node, Node::File { .. }));
    assert_eq!(target(&listing, "lib/direct.so"), "libhip.so.7");
    assert_eq!(record.sonames[0].path, "lib/libhip.so.7");
    let trees = Trees::new();
    trees.library("base", "lib/libx.so.1", "libx.so.1").library("mine", "lib/libx.so.1.5", "libx.so.1");
    let (listing, record) = trees.lay(&["base", "mine"]).unwrap();
    assert_eq!(target(&listing, "lib/libx.so.1"), "libx.so.1.5");
    assert_eq!(record.replaced[0].path, "lib/libx.so.1");
}

#[test]
fn a_layer_with_two_libraries_of_one_soname_says_by_a_link_which_counts() {
    let trees = Trees::new();
    trees.library("mine", "lib/libhip.so.7.8", "libhip.so.7").library("mine", "lib/libhip.so.7.9", "libhip.so.7");
    let said = refusal(&trees, &["rocm", "mine"]);
    assert!(said.contains("several libraries of one soname") && said.contains("lib/libhip.so.7.9"), "{said}");
    trees.link("mine", "lib/libhip.so.7", "libhip.so.7.8");
    let (listing, record) = trees.lay(&["rocm", "mine"]).unwrap();
    assert_eq!(
        (target(&listing, "lib/libhip.so.7"), target(&listing, "lib/direct.so")),
        ("libhip.so.7.8".into(), "libhip.so.7.8".into())
    );
    assert_eq!(record.sonames[0].path, "lib/libhip.so.7.8");
}

#[test]
fn the_same_soname_in_another_directory_is_told_and_left_alone() {
    let trees = Trees::new();
    trees.library("mine", "lib/own/libhip.so.7", "libhip.so.7");
    let (listing, record) = trees.lay(&["rocm", "mine"]).unwrap();
    assert_eq!(target(&listing, "lib/libhip.so.7"), "libhip.so.7.1");
    let elsewhere = &record.sonames[0].elsewhere;
    assert_eq!((&*elsewhere[0].path, &*elsewhere[0].from), ("lib/libhip.so.7.1", "rocm"));
    assert!(record.told("lib/own/libhip.so.7").unwrap().contains("also in lib/libhip.so.7.1 of rocm"));
}

#[test]
fn what_would_hide_the_loader_is_refused_by_name_and_by_soname() {
    let trees = Trees::new();
    trees.library("loader", "lib/ld-linux-x86-64.so.2", "ld-linux-x86-64.so.2");
    let said = refusal(&trees, &["rocm", "loader"]);
    assert!(said.contains("would hide the dynamic loader") && said.contains("ld-linux-x86-64.so.2"), "{said}");
    trees.library("disguised", "lib/libharmless.so", "libc.so.6");
    let said = refusal(&trees, &["rocm", "disguised"]);
    assert!(said.contains("libharmless.so") && said.contains("libc.so.6"), "{said}");
    trees.link("named", "lib/libm.so.6", "libhip.so.7");
    assert!(refusal(&trees, &["rocm", "named"]).contains("lib/libm.so.6"));
}

#[test]
fn directories_and_files_do_not_take_each_others_place() {
    let trees = Trees::new();
    trees.file("file", "share", "a file").file("directory", "share/version/x", "y").file("through", "lib64/x", "y");
    assert!(refusal(&trees, &["rocm", "file"]).contains("replace a directory with a file"));
    assert!(refusal(&trees, &["rocm", "directory"]).contains("replace a file with a directory"));
    let said = refusal(&trees, &["rocm", "through"]);
    assert!(said.contains("replace a link with a directory") && said.contains("lib64"), "{said}");
    assert!(refusal(&trees, &["rocm", "file at share/version"]).contains("replace a file with a directory"));
    trees.link("link", "lib", "share");
    assert!(refusal(&trees, &["rocm", "link"]).contains("replace a directory with a file"));
}

#[test]
fn links_out_of_the_prefix_are_refused() {
    for (path, target) in [
        ("lib/out", "/etc/passwd"),
        ("lib/out", "/opt/rocm2/lib"),
        ("lib/out", "/opt/rocm/../../etc"),
        ("lib/out", "../../etc"),
        ("out", ".."),
        // By way of the base's link, one higher than the text says.
        ("out", "lib/up/../../x"),
    ] {
        let trees = Trees::new();
        trees.link("rocm", "lib/up", "..").link("mine", path, target);
        let said = refusal(&trees, &["rocm", "mine"]);
        assert!(said.contains("leads out of") && said.contains(path), "{target}: {said}");
    }
    let trees = Trees::new();
    trees.link("mine", "lib/in", "/opt/rocm/lib/libhip.so").link("mine", "lib/up", "../share/version");
    assert!(trees.lay(&["rocm", "mine"]).is_ok());
}

#[test]
fn a_damaged_library_of_a_layer_is_told_and_one_of_the_base_is_left_as_it_was() {
    let trees = Trees::new();
    trees.file("rocm", "lib/libbroken.so", "\x7fELF\x02\x01\x01").file("fine", "share/x", "y");
    assert!(trees.lay(&["rocm", "fine"]).is_ok());
    trees.file("mine", "lib/libmine.so", "\x7fELF\x02\x01\x01");
    let error = format!("{:?}", trees.lay(&["rocm", "mine"]).err().unwrap());
    assert!(error.contains("lib/libmine.so"), "{error}");
}

#[test]
fn an_overlay_over_an_overlay_tells_of_both() {
    let trees = Trees::new();
    trees.file("one", "share/one", "1").library("one", "lib/libhip.so.7.5", "libhip.so.7");
    trees.file("two", "share/two", "2");
    let (_, lower) = trees.lay(&["rocm", "one"]).unwrap();
    let (_, mut record) = trees.lay(&["rocm", "two"]).unwrap();
    record.add_below(lower);
    assert_eq!(record.layers, ["rocm", "one", "two"]);
    assert_eq!((&*record.files["share/one"], &*record.files["share/two"]), ("one", "two"));
    assert_eq!(record.sonames.len(), 1);
}
