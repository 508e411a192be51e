//! Libraries named by constants, with all ways to put a path together.

use super::fixture::{Fixture, Made};

/// llama-server, which needs a librocsolver in ROCm's `lib` with these constants.
fn naming(names: &[&str]) -> Fixture {
    let fixture = Fixture::new();
    fixture.server(&["librocsolver.so.0"]);
    let made = Made { soname: "librocsolver.so.0", names, runpath: "$ORIGIN", ..Made::default() };
    fixture.make("rocm/lib/librocsolver.so.0", &made);
    fixture
}

#[test]
fn a_constant_with_a_directory_is_looked_up_by_all_of_it() {
    for (constant, place) in [
        // Appended to the library's own directory, as found by dladdr.
        ("/trapsub/libx.so.1", "lib/trapsub/libx.so.1"),
        ("trapsub/libx.so.1", "lib/trapsub/libx.so.1"),
        ("%s/trapsub/libx.so.1", "lib/trapsub/libx.so.1"),
        ("%.*s/a/b/libx.so.1", "lib/a/b/libx.so.1"),
        ("/../plugins/libx.so.1", "plugins/libx.so.1"),
        ("$ORIGIN/trapsub/libx.so.1", "lib/trapsub/libx.so.1"),
        ("${ORIGIN}/../plugins/libx.so.1", "plugins/libx.so.1"),
        // Appended to the tree's root, as found by a variable.
        ("/plugins/libx.so.1", "plugins/libx.so.1"),
        ("lib/deep/er/libx.so.1", "lib/deep/er/libx.so.1"),
        ("/opt/rocm/plugins/libx.so.1", "plugins/libx.so.1"),
        // The version is appended at run time.
        ("/trapsub/libx.so.", "lib/trapsub/libx.so.1"),
    ] {
        let fixture = naming(&[constant]);
        fixture.library(&format!("rocm/{place}"), &[], "").library("rocm/elsewhere/libx.so.1", &[], "");
        let mut expected = ["lib/librocsolver.so.0", place];
        expected.sort_unstable();
        assert_eq!(fixture.kept(), expected, "{constant}");
    }
}

#[test]
fn where_no_directory_has_the_path_its_last_part_is_a_name() {
    let fixture = naming(&["/usr/lib/rocm/libx.so.1", "/trapsub/liby.so.1"]);
    fixture.library("rocm/lib/libx.so.1", &[], "").library("rocm/other/liby.so.1", &[], "");
    assert_eq!(fixture.kept(), ["lib/librocsolver.so.0", "lib/libx.so.1"]);
}
