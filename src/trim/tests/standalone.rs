//! Two libraries of one name, libraries that rely on others, and filters.

use std::process::Command;

use super::fixture::{Fixture, Made};
use crate::tree::show;
use crate::trim::Rule;

/// llama-server, which needs two libraries, each with a libdup.so.1 of its own in a private directory.
fn two_of_one_name() -> Fixture {
    let fixture = Fixture::new();
    fixture
        .server(&["liba.so.1", "libb.so.1"])
        .library("rocm/lib/liba.so.1", &["libdup.so.1"], "$ORIGIN/a")
        .library("rocm/lib/libb.so.1", &["libdup.so.1"], "$ORIGIN/b")
        .library("rocm/lib/a/libdup.so.1", &[], "")
        .library("rocm/lib/b/libdup.so.1", &["libonly.so.1"], "$ORIGIN")
        .library("rocm/lib/b/libonly.so.1", &[], "");
    fixture
}

#[test]
fn two_libraries_of_one_name_are_both_kept_with_what_they_need() {
    let fixture = two_of_one_name();
    let all = ["lib/a/libdup.so.1", "lib/b/libdup.so.1", "lib/b/libonly.so.1", "lib/liba.so.1", "lib/libb.so.1"];
    assert_eq!(fixture.kept(), all);
    let trimmed = fixture.trim().unwrap();
    let linked = trimmed.linked.values().next().unwrap().values().next().unwrap();
    assert!(!linked.contains(b"/opt/rocm/lib/b/libdup.so.1".as_slice()), "{linked:?}");
    let chain = trimmed.why(b"lib/b/libonly.so.1").unwrap();
    assert_eq!(show(&chain[1].0), "/opt/rocm/lib/libb.so.1");
    assert!(trimmed.standalone.values().all(|library| library.complete));
}

#[test]
fn what_only_others_find_is_kept_and_known_not_to_load_by_itself() {
    let fixture = Fixture::new();
    let rpath = "/opt/rocm/lib:/opt/rocm/lib/private";
    fixture
        .make("llama/bin/llama-server", &Made { program: true, needs: &["liba.so.1"], rpath, ..Made::default() })
        .library("rocm/lib/liba.so.1", &["libinner.so.1"], "")
        .library("rocm/lib/private/libinner.so.1", &[], "");
    assert_eq!(fixture.kept(), ["lib/liba.so.1", "lib/private/libinner.so.1"]);
    let trimmed = fixture.trim().unwrap();
    let complete = |path: &str| trimmed.standalone[path.as_bytes()].complete;
    assert!(!complete("/opt/rocm/lib/liba.so.1") && complete("/opt/rocm/lib/private/libinner.so.1"));
    let searched = &trimmed.searched[b"/opt/rocm/lib/liba.so.1".as_slice()];
    assert!(searched.contains(b"/opt/rocm/lib/private".as_slice()), "{searched:?}");
}

#[test]
fn an_origin_behind_a_link_stays_the_one_of_the_program() {
    let fixture = Fixture::new();
    fixture
        .server(&["liba.so.1"])
        .make(
            "rocm/lib/math/liba.so.1.2",
            &Made { soname: "liba.so.1", needs: &["libx.so.1"], runpath: "$ORIGIN/x", ..Made::default() },
        )
        .link("rocm/lib/liba.so.1", "math/liba.so.1.2")
        .library("rocm/lib/x/libx.so.1", &[], "")
        .library("rocm/lib/math/x/libx.so.1", &[], "");
    assert_eq!(fixture.kept(), ["lib/liba.so.1", "lib/math/liba.so.1.2", "lib/x/libx.so.1"]);
    let trimmed = fixture.trim().unwrap();
    assert_eq!(show(&trimmed.standalone[b"/opt/rocm/lib/math/liba.so.1.2".as_slice()].path), "/opt/rocm/lib/liba.so.1");
}

/// A library with filters, by the linker's options for them.
fn filtered(filters: &'static [&'static str]) -> Fixture {
    let fixture = Fixture::new();
    fixture.server(&["liba.so.1"]);
    fixture.make(
        "rocm/lib/liba.so.1",
        &Made { soname: "liba.so.1", runpath: "$ORIGIN", linker: filters, ..Made::default() },
    );
    fixture
}

#[test]
fn a_library_that_answers_for_another_is_kept_where_the_tree_has_it() {
    let fixture = filtered(&["-Wl,-f,libfast.so.1", "-Wl,-f,libnowhere.so.1"]);
    assert_eq!(fixture.kept(), ["lib/liba.so.1"]);
    fixture.library("rocm/lib/libfast.so.1", &["libinner.so.1"], "$ORIGIN/deep");
    fixture.library("rocm/lib/deep/libinner.so.1", &[], "");
    assert_eq!(fixture.kept(), ["lib/deep/libinner.so.1", "lib/liba.so.1", "lib/libfast.so.1"]);
    let trimmed = fixture.trim().unwrap();
    assert_eq!(trimmed.kept[b"lib/libfast.so.1".as_slice()].rule, Rule::Filter);
    assert!(!trimmed.host.contains_key("libnowhere.so.1"));
    // A library that the loader does not find is no loss here: ld.so does without it too.
    let fixture = filtered(&["-Wl,-f,libfast.so.1"]);
    fixture.library("rocm/other/libfast.so.1", &[], "");
    assert_eq!(fixture.kept(), ["lib/liba.so.1"]);
}

#[test]
fn a_filter_is_needed() {
    let fixture = filtered(&["-Wl,-F,librocreal.so.1"]);
    assert!(fixture.refusal().contains("missing    librocreal.so.1"), "{}", fixture.refusal());
    fixture.library("rocm/lib/librocreal.so.1", &[], "");
    assert_eq!(fixture.kept(), ["lib/liba.so.1", "lib/librocreal.so.1"]);
}

/// Returns the files of the fixture that ld.so maps for one of them.
fn mapped(fixture: &Fixture, path: &str) -> Vec<String> {
    let mut command = Command::new("/lib64/ld-linux-x86-64.so.2");
    let output = command.env_clear().arg("--list").arg(fixture.path(path)).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let paths = text.lines().filter_map(|line| line.split("=> ").nth(1)?.split(" (").next());
    let root = fs_err::canonicalize(fixture.path("")).unwrap();
    let inner =
        |path: &str| fs_err::canonicalize(path).ok()?.strip_prefix(&root).ok().map(|path| path.display().to_string());
    let mut all: Vec<String> = paths.filter_map(inner).collect();
    all.sort();
    all
}

#[test]
fn the_real_loader_maps_filters_and_the_own_one_of_two() {
    let fixture = two_of_one_name();
    assert_eq!(mapped(&fixture, "rocm/lib/libb.so.1"), ["rocm/lib/b/libdup.so.1", "rocm/lib/b/libonly.so.1"]);
    let fixture = filtered(&["-Wl,-f,libfast.so.1", "-Wl,-f,libnowhere.so.1"]);
    fixture.library("rocm/lib/libfast.so.1", &[], "");
    let runpath = "$ORIGIN/../../rocm/lib";
    fixture.make("llama/bin/llama-server", &Made { program: true, needs: &["liba.so.1"], runpath, ..Made::default() });
    assert_eq!(mapped(&fixture, "llama/bin/llama-server"), ["rocm/lib/liba.so.1", "rocm/lib/libfast.so.1"]);
}
