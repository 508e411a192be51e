use super::fixture::{Fixture, Made};
use crate::recipe::{Edge, Target};
use crate::tree::show;
use crate::trim::Processor;

/// llama-server, which needs these libraries of ROCm's `lib`, none of which names another.
fn with(libraries: &[&str]) -> Fixture {
    let fixture = Fixture::new();
    fixture.server(libraries);
    for library in libraries {
        fixture.library(&format!("rocm/lib/{library}"), &[], "$ORIGIN");
    }
    fixture
}

fn edge(from: &str, to: Target) -> Edge {
    let (from, reason) = (from.to_owned(), "tests need it".to_owned());
    Edge { from, to, tables: Vec::new(), reason, seen: Vec::new(), required: false }
}

fn steps(fixture: &Fixture, path: &str) -> Vec<String> {
    let trimmed = fixture.trim().unwrap();
    let chain = trimmed.why(path.as_bytes()).unwrap();
    chain.iter().map(|(path, rule)| format!("{} {}: {}", rule.label(), show(path), trimmed.because(*rule))).collect()
}

#[test]
fn a_known_edge_is_followed_with_its_reason() {
    let fixture = with(&["libamdhip64.so.7"]);
    fixture
        .library("rocm/lib/libhiprtc.so.7.0", &["libelf_own.so.1"], "$ORIGIN")
        .link("rocm/lib/libhiprtc.so.7", "libhiprtc.so.7.0")
        .link("rocm/lib/libhiprtc.so", "libhiprtc.so.7")
        .library("rocm/lib/libelf_own.so.1", &[], "")
        .library("rocm/lib/libhiprtc-builtins.so.7", &[], "")
        .library("rocm/lib/libhiprtcother.so.7", &[], "");
    assert_eq!(
        fixture.kept(),
        [
            "lib/libamdhip64.so.7",
            "lib/libelf_own.so.1",
            "lib/libhiprtc-builtins.so.7",
            "lib/libhiprtc.so",
            "lib/libhiprtc.so.7",
            "lib/libhiprtc.so.7.0",
        ]
    );
    assert_eq!(
        steps(&fixture, "lib/libelf_own.so.1")[1..],
        [
            "needs /opt/rocm/lib/libamdhip64.so.7: is needed by it (DT_NEEDED)",
            "edge /opt/rocm/lib/libhiprtc.so: compiles kernels from source at run time (edge of libamdhip64.so)",
            "links to /opt/rocm/lib/libhiprtc.so.7: is the target of the link",
            "links to /opt/rocm/lib/libhiprtc.so.7.0: is the target of the link",
            "needs /opt/rocm/lib/libelf_own.so.1: is needed by it (DT_NEEDED)",
        ]
    );
}

#[test]
fn what_is_linked_already_gets_no_other_names_by_an_edge() {
    let fixture = with(&["libamdhip64.so.7", "libamd_comgr.so.3"]);
    fixture.link("rocm/lib/libamd_comgr.so", "libamd_comgr.so.3");
    assert_eq!(fixture.kept(), ["lib/libamd_comgr.so.3", "lib/libamdhip64.so.7"]);
}

#[test]
fn a_required_edge_that_leads_nowhere_is_an_error_with_its_chain() {
    let fixture = with(&["libamdhip64.so.7"]);
    fixture.library("rocm/lib/libhiprtc.so.7", &[], "");
    insta::assert_snapshot!(fixture.refusal(), @r"
    a library needs a file at run time that the tree does not have
      root     /opt/llama/bin/llama-server
      needs    /opt/rocm/lib/libamdhip64.so.7
      edge     /opt/rocm/lib/libhiprtc.so.7
      missing  libhiprtc-builtins.so
      because  it has the headers that every program compiled at run time includes
    hint: use the whole tree as it was published; or, if this version does not need it, an edge of your own in the manifest
    ");
    for to in [Target::Path("share/x".to_owned()), Target::Kernels("x/library".to_owned())] {
        let mut fixture = with(&["libroctx64.so.4"]);
        fixture.edges.push(Edge { required: true, ..edge("libroctx64.so", to.clone()) });
        let text = fixture.refusal();
        assert!(text.contains(&format!("missing  {}", to.name())), "{text}");
    }
}

#[test]
fn edges_count_from_what_is_kept_only() {
    let mut fixture = with(&["libroctx64.so.4"]);
    fixture
        .library("rocm/lib/libhiprtc.so.7", &[], "")
        .library("rocm/lib/libplugin.so.1", &[], "")
        .file("rocm/share/x/a.db")
        .file("rocm/share/y/b.db")
        .file("rocm/lib/roctx/library/k_gfx1151.co")
        .file("rocm/lib/roctx/library/k_gfx1100.co");
    fixture.edges = vec![
        edge("libhiprtc.so", Target::Path("share/y".to_owned())),
        edge("libroctx.so", Target::Library("libhiprtc.so".to_owned())),
    ];
    assert_eq!(fixture.kept(), ["lib/libroctx64.so.4"]);
    fixture.edges = vec![
        edge("libroctx64.so", Target::Library("libplugin.so".to_owned())),
        edge("libplugin.so", Target::Path("share/x".to_owned())),
        edge("libroctx64.so", Target::Kernels("roctx/library".to_owned())),
    ];
    assert_eq!(
        fixture.kept(),
        ["lib/libplugin.so.1", "lib/libroctx64.so.4", "lib/roctx/library/k_gfx1151.co", "share/x/a.db"]
    );
    assert_eq!(
        steps(&fixture, "share/x/a.db")[2..],
        [
            "edge /opt/rocm/lib/libplugin.so.1: tests need it (edge of libroctx64.so)",
            "data /opt/rocm/share/x/a.db: tests need it (edge of libplugin.so)",
        ]
    );
}

#[test]
fn an_edge_finds_a_library_wherever_the_tree_has_it() {
    for (library, kept) in [
        // In a directory that the library searches, and only there.
        ("libx.so", vec!["lib/libx.so.1"]),
        ("libx.so.1", vec!["lib/libx.so.1"]),
        // In none of the directories that it searches.
        ("liby.so", vec!["lib/trapsub/liby.so.1"]),
        // With a directory: below the searched directories, and in the tree.
        ("trapsub/liby.so", vec!["lib/trapsub/liby.so.1"]),
        ("trapsub/liby.so.1", vec!["lib/trapsub/liby.so.1"]),
        ("lib/trapsub/liby.so.1", vec!["lib/trapsub/liby.so.1"]),
        ("trapsub/libx.so", vec!["lib/trapsub/libx.so.1"]),
        ("plugin.so", vec!["lib/plugin.so"]),
        ("libnowhere.so", vec![]),
    ] {
        let mut fixture = with(&["libroctx64.so.4"]);
        for path in ["lib/libx.so.1", "lib/trapsub/libx.so.1", "lib/trapsub/liby.so.1", "lib/plugin.so"] {
            fixture.library(&format!("rocm/{path}"), &[], "");
        }
        fixture.edges = vec![edge("libroctx64.so", Target::Library(library.to_owned()))];
        let mut expected = [vec!["lib/libroctx64.so.4"], kept.clone()].concat();
        expected.sort_unstable();
        assert_eq!(fixture.kept(), expected, "{library}");
        assert_eq!(fixture.trim().unwrap().idle.is_empty(), !kept.is_empty(), "{library}");
    }
}

#[test]
fn an_edge_with_a_directory_leads_to_a_second_library_of_one_name() {
    let mut fixture = with(&["libroctx64.so.4", "libdup.so.1"]);
    fixture.library("rocm/lib/second/libdup.so.1", &[], "");
    fixture.edges = vec![edge("libroctx64.so", Target::Library("libdup.so.1".to_owned()))];
    assert_eq!(fixture.kept(), ["lib/libdup.so.1", "lib/libroctx64.so.4"]);
    fixture.edges = vec![edge("libroctx64.so", Target::Library("second/libdup.so.1".to_owned()))];
    assert_eq!(fixture.kept(), ["lib/libdup.so.1", "lib/libroctx64.so.4", "lib/second/libdup.so.1"]);
}

#[test]
fn a_directory_of_plugins_is_kept_with_what_its_libraries_and_programs_need() {
    let mut fixture = with(&["libroctx64.so.4"]);
    let tool = Made { program: true, needs: &["libtool.so.1"], runpath: "$ORIGIN/../../lib", ..Made::default() };
    fixture
        .library("rocm/lib/plugins/libone.so", &["libdeep.so.1"], "$ORIGIN/../deep")
        .library("rocm/lib/deep/libdeep.so.1", &[], "")
        .library("rocm/lib/libtool.so.1", &[], "")
        // This file cannot be loaded, so its needs are not searched.
        .library("rocm/lib/plugins/libbroken.so", &["librocnowhere.so.1"], "")
        .make("rocm/lib/plugins/tool", &tool)
        .file("rocm/lib/plugins/list.txt");
    fixture.edges = vec![edge("libroctx64.so", Target::Path("lib/plugins".to_owned()))];
    assert_eq!(
        fixture.kept(),
        [
            "lib/deep/libdeep.so.1",
            "lib/libroctx64.so.4",
            "lib/libtool.so.1",
            "lib/plugins/libbroken.so",
            "lib/plugins/libone.so",
            "lib/plugins/list.txt",
            "lib/plugins/tool",
        ]
    );
    let trimmed = fixture.trim().unwrap();
    assert!(trimmed.linked.contains_key(b"/opt/rocm/lib/plugins/tool".as_slice()));
    assert!(!trimmed.elf.contains_key(b"/opt/rocm/lib/plugins/libbroken.so".as_slice()));
}

#[test]
fn edges_count_from_the_build_as_well_and_idle_ones_are_told() {
    let mut fixture = with(&["libroctx64.so.4"]);
    fixture.library("rocm/lib/libplugin.so.1", &[], "");
    fixture.edges = vec![
        edge("libgone.so", Target::Library("libplugin.so".to_owned())),
        edge("llama-server", Target::Path("share/nowhere".to_owned())),
    ];
    assert_eq!(fixture.kept(), ["lib/libroctx64.so.4"]);
    assert_eq!(fixture.trim().unwrap().idle.into_iter().collect::<Vec<_>>(), [(0, false), (1, true)]);
    fixture.edges = vec![edge("llama-server", Target::Library("libplugin.so".to_owned()))];
    assert_eq!(fixture.kept(), ["lib/libplugin.so.1", "lib/libroctx64.so.4"]);
}

#[test]
fn tools_are_kept_with_what_they_need_and_scripts_are_not() {
    let fixture = with(&["libroctx64.so.4"]);
    let tool = Made { program: true, needs: &["libhsa-runtime64.so.1"], runpath: "$ORIGIN/../lib", ..Made::default() };
    fixture
        .make("rocm/bin/rocminfo", &tool)
        .library("rocm/lib/libhsa-runtime64.so.1", &[], "")
        .file("rocm/bin/hipconfig");
    assert_eq!(fixture.kept(), ["bin/rocminfo", "lib/libhsa-runtime64.so.1", "lib/libroctx64.so.4"]);
    let trimmed = fixture.trim().unwrap();
    let linked = &trimmed.linked[b"/opt/rocm/bin/rocminfo".as_slice()][&Processor::PLAIN];
    assert_eq!(
        linked.iter().map(|path| show(path)).collect::<Vec<_>>(),
        ["/opt/rocm/bin/rocminfo", "/opt/rocm/lib/libhsa-runtime64.so.1"]
    );
    assert!(trimmed.interpreter.unwrap().ends_with(b"ld-linux-x86-64.so.2"));
}
