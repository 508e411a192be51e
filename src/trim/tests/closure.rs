use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use super::fixture::{Fixture, Made};
use crate::tree::show;
use crate::trim::Rule;

/// llama-server, which needs the HIP backend, which needs `needs`.
fn with_hip(needs: &[&str]) -> Fixture {
    let fixture = Fixture::new();
    fixture.server(&["libggml-hip.so"]).library("llama/lib/libggml-hip.so", needs, "$ORIGIN:$ORIGIN/../../rocm/lib");
    fixture
}

fn chain(fixture: &Fixture, path: &str) -> Vec<String> {
    let chain = fixture.trim().unwrap().why(path.as_bytes()).unwrap();
    chain.iter().map(|(path, rule)| format!("{} {}", rule.label(), show(path))).collect()
}

#[test]
fn libraries_are_found_by_origin_two_levels_deep() {
    let fixture = with_hip(&["libamdhip64.so.7"]);
    fixture
        .library("rocm/lib/libamdhip64.so.7", &["libhsa-runtime64.so.1"], "$ORIGIN:${ORIGIN}/rocm_sysdeps/lib")
        .library("rocm/lib/libhsa-runtime64.so.1", &["librocm_sysdeps_drm.so.2"], "$ORIGIN/rocm_sysdeps/lib")
        .library("rocm/lib/rocm_sysdeps/lib/librocm_sysdeps_drm.so.2", &["libc.so.6"], "$ORIGIN")
        .library("rocm/lib/libunrelated.so.1", &[], "$ORIGIN");
    assert_eq!(
        fixture.kept(),
        ["lib/libamdhip64.so.7", "lib/libhsa-runtime64.so.1", "lib/rocm_sysdeps/lib/librocm_sysdeps_drm.so.2"]
    );
    assert_eq!(
        chain(&fixture, "lib/rocm_sysdeps/lib/librocm_sysdeps_drm.so.2"),
        [
            "root /opt/llama/bin/llama-server",
            "needs /opt/llama/lib/libggml-hip.so",
            "needs /opt/rocm/lib/libamdhip64.so.7",
            "needs /opt/rocm/lib/libhsa-runtime64.so.1",
            "needs /opt/rocm/lib/rocm_sysdeps/lib/librocm_sysdeps_drm.so.2",
        ]
    );
    assert!(fixture.trim().unwrap().why(b"lib/libunrelated.so.1").is_none());
}

#[test]
fn the_base_system_is_what_neither_tree_has() {
    let fixture = with_hip(&["libamdhip64.so.7", "libgomp.so.1"]);
    fixture
        .library("rocm/lib/libamdhip64.so.7", &["libz.so.1"], "$ORIGIN:$ORIGIN/rocm_sysdeps/lib")
        .library("rocm/lib/rocm_sysdeps/lib/librocm_sysdeps_z.so.1", &[], "")
        // Links for building, under the names that the base system's libraries have there as well.
        .link("rocm/lib/rocm_sysdeps/lib/libz.so", "librocm_sysdeps_z.so.1")
        .link("rocm/lib/llvm/lib/libgomp.so", "libomp.so")
        .library("rocm/lib/llvm/lib/libomp.so", &[], "");
    let trimmed = fixture.trim().unwrap();
    assert_eq!(
        trimmed.host.keys().collect::<Vec<_>>(),
        ["ld-linux-x86-64.so.2", "libc.so.6", "libgomp.so.1", "libz.so.1"]
    );
    assert_eq!(trimmed.host["libz.so.1"], BTreeSet::from([b"/opt/rocm/lib/libamdhip64.so.7".to_vec()]));
}

#[test]
fn a_chain_of_links_is_kept_whole_where_it_was() {
    let fixture = with_hip(&["librocblas.so.5"]);
    fixture
        .make("rocm/lib/math/librocblas.so.5.1.2", &Made { soname: "librocblas.so.5", ..Made::default() })
        .link("rocm/lib/math/librocblas.so.5.1", "librocblas.so.5.1.2")
        .link("rocm/lib/librocblas.so.5", "/opt/rocm/lib64/math/librocblas.so.5.1")
        .link("rocm/lib64", "lib")
        .link("rocm/lib/librocblas.so", "librocblas.so.5");
    let trimmed = fixture.trim().unwrap();
    let listing = trimmed.listing();
    assert_eq!(
        listing.entries().iter().map(|entry| show(&entry.path)).collect::<Vec<_>>(),
        [
            "lib",
            "lib/librocblas.so.5",
            "lib/math",
            "lib/math/librocblas.so.5.1",
            "lib/math/librocblas.so.5.1.2",
            "lib64"
        ]
    );
    let whole = super::fixture::listing(&fixture.path("rocm"));
    assert!(listing.entries().iter().all(|entry| whole.get(&entry.path) == Some(entry)));
    assert_eq!(trimmed.kept[b"lib/math/librocblas.so.5.1.2".as_slice()].rule, Rule::LinkTarget);
}

#[test]
fn an_rpath_is_inherited_and_a_runpath_is_not() {
    let rpath =
        Made { program: true, needs: &["libggml.so"], rpath: "$ORIGIN/../lib:/opt/rocm/lib", ..Made::default() };
    let fixture = Fixture::new();
    fixture
        .make("llama/bin/llama-server", &rpath)
        .library("llama/lib/libggml.so", &["librocblas.so.5"], "")
        .library("rocm/lib/librocblas.so.5", &["libroctx64.so.4"], "")
        .library("rocm/lib/libroctx64.so.4", &[], "");
    assert_eq!(fixture.kept(), ["lib/librocblas.so.5", "lib/libroctx64.so.4"]);

    let runpath = Made { rpath: "", runpath: rpath.rpath, ..rpath.clone() };
    fixture.make("llama/bin/llama-server", &runpath);
    let text = fixture.refusal();
    assert!(text.contains("in the trees, but not where the loader looks"), "{text}");

    // A library with a RUNPATH inherits no RPATH.
    fixture.make("llama/bin/llama-server", &rpath).library("rocm/lib/librocblas.so.5", &["libroctx64.so.4"], "/opt/x");
    assert!(fixture.refusal().contains("libroctx64.so.4"));
}

#[test]
fn what_llama_needs_is_found_by_the_systems_search_path() {
    let fixture = Fixture::new();
    fixture.server(&["libggml-hip.so"]).library("llama/lib/libggml-hip.so", &["libhipblas.so.3"], "$ORIGIN").library(
        "rocm/lib/libhipblas.so.3",
        &[],
        "",
    );
    assert_eq!(fixture.kept(), ["lib/libhipblas.so.3"]);
}

#[test]
fn a_library_that_is_loaded_already_is_not_looked_for() {
    let fixture = with_hip(&["libamdhip64.so.7", "librocblas.so.5"]);
    fixture
        .library("rocm/lib/libamdhip64.so.7", &[], "")
        // It has no search path of its own and relies on libraries that were loaded before.
        .library("rocm/lib/librocblas.so.5", &["libamdhip64.so.7"], "");
    assert_eq!(fixture.kept(), ["lib/libamdhip64.so.7", "lib/librocblas.so.5"]);
}

#[test]
fn backends_are_opened_without_being_needed() {
    let fixture = Fixture::new();
    fixture.server(&[]).library("llama/bin/libggml-hip.so", &["libamdhip64.so.7"], "/opt/rocm/lib").library(
        "rocm/lib/libamdhip64.so.7",
        &[],
        "",
    );
    assert_eq!(
        chain(&fixture, "lib/libamdhip64.so.7"),
        [
            "root /opt/llama/bin/llama-server",
            "backend /opt/llama/bin/libggml-hip.so",
            "needs /opt/rocm/lib/libamdhip64.so.7"
        ]
    );
}

#[test]
fn libraries_that_need_each_other_come_to_an_end() {
    let fixture = with_hip(&["libhipa.so.1"]);
    fixture.library("rocm/lib/libhipa.so.1", &["libhipb.so.1"], "$ORIGIN").library(
        "rocm/lib/libhipb.so.1",
        &["libhipa.so.1"],
        "$ORIGIN",
    );
    assert_eq!(fixture.kept(), ["lib/libhipa.so.1", "lib/libhipb.so.1"]);
}

#[test]
fn what_constants_name_is_opened_and_followed() {
    let mut fixture = with_hip(&["libamdhip64.so.7"]);
    fixture.edges.clear();
    let hip = Made {
        soname: "libamdhip64.so.7",
        names: &[
            "libamdhip64.so.7",
            "libhiprtc.so",
            "libhiprtc-builtins.so.",
            "libnowhere.so",
            "/opt/rocm/x/libaqlprofile.so",
        ],
        runpath: "$ORIGIN/private",
        ..Made::default()
    };
    fixture
        .make("rocm/lib/libamdhip64.so.7", &hip)
        .link("rocm/lib/libhiprtc.so", "libhiprtc.so.7")
        .library("rocm/lib/libhiprtc.so.7", &["libamd_comgr.so.3"], "$ORIGIN")
        .library("rocm/lib/libamd_comgr.so.3", &[], "$ORIGIN")
        .library("rocm/lib/private/libhiprtc-builtins.so.7", &[], "")
        .library("rocm/x/libaqlprofile.so", &[], "")
        .library("rocm/elsewhere/libnowhere.so", &[], "");
    assert_eq!(
        fixture.kept(),
        [
            "lib/libamd_comgr.so.3",
            "lib/libamdhip64.so.7",
            "lib/libhiprtc.so",
            "lib/libhiprtc.so.7",
            "lib/private/libhiprtc-builtins.so.7",
            "x/libaqlprofile.so",
        ]
    );
    assert_eq!(
        chain(&fixture, "lib/libamd_comgr.so.3")[2..],
        [
            "needs /opt/rocm/lib/libamdhip64.so.7",
            "opens /opt/rocm/lib/libhiprtc.so",
            "links to /opt/rocm/lib/libhiprtc.so.7",
            "needs /opt/rocm/lib/libamd_comgr.so.3",
        ]
    );
}

#[test]
fn a_missing_rocm_library_is_an_error_with_its_chain() {
    let fixture = with_hip(&["librocblas.so.5"]);
    fixture.library("rocm/lib/librocblas.so.5", &["libhipblaslt.so.1"], "$ORIGIN");
    insta::assert_snapshot!(fixture.refusal(), @r"
    a needed ROCm library is missing from the tree
      root       /opt/llama/bin/llama-server
      needs      /opt/llama/lib/libggml-hip.so
      needs      /opt/rocm/lib/librocblas.so.5
      missing    libhipblaslt.so.1
      looked in  /opt/rocm/lib
    hint: libraries find each other by the layout that they were built with: use the whole tree as it was published, and the build that was made with it
    ");
}

#[test]
fn a_flattened_layout_is_an_error_that_says_where_the_library_is() {
    let fixture = with_hip(&["libhsa-runtime64.so.1"]);
    fixture
        .library(
            "rocm/lib/libhsa-runtime64.so.1",
            &["librocm_sysdeps_elf.so.1", "libnuma_own.so.1"],
            "$ORIGIN/rocm_sysdeps/lib",
        )
        .library("rocm/lib/rocm_sysdeps/lib/librocm_sysdeps_elf.so.1", &[], "")
        .library("rocm/lib/libnuma_own.so.1", &[], "");
    insta::assert_snapshot!(fixture.refusal(), @r"
    a needed library is in the trees, but not where the loader looks for it
      root       /opt/llama/bin/llama-server
      needs      /opt/llama/lib/libggml-hip.so
      needs      /opt/rocm/lib/libhsa-runtime64.so.1
      missing    libnuma_own.so.1
      looked in  /opt/rocm/lib/rocm_sysdeps/lib
      there is   /opt/rocm/lib/libnuma_own.so.1
    hint: libraries find each other by the layout that they were built with: use the whole tree as it was published, and the build that was made with it
    ");
}

#[test]
fn another_version_is_an_error() {
    let fixture = with_hip(&["libtensilelite-host.so.2"]);
    fixture.library("rocm/lib/libtensilelite-host.so.1", &[], "");
    let text = fixture.refusal();
    assert!(
        text.contains("only in another version") && text.contains("/opt/rocm/lib/libtensilelite-host.so.1"),
        "{text}"
    );
}

#[test]
fn what_is_no_library_is_an_error() {
    let fixture = with_hip(&["libamdhip64.so.7"]);
    fixture.file("rocm/lib/libamdhip64.so.7");
    assert!(fixture.refusal().contains("not an ELF file"));
}

/// Changes a byte of a file.
fn patch(fixture: &Fixture, path: &str, at: usize, byte: u8) {
    let mut bytes = fs_err::read(fixture.path(path)).unwrap();
    bytes[at] = byte;
    fs_err::write(fixture.path(path), bytes).unwrap();
}

#[test]
fn files_for_other_machines_are_passed_over_and_told() {
    let fixture = with_hip(&["libamdhip64.so.7"]);
    let (library, root) = ("rocm/lib/libamdhip64.so.7", "llama/bin/llama-server");
    fixture.library(library, &[], "");
    patch(&fixture, library, 4, 1);
    let text = fixture.refusal();
    assert!(text.contains("passed over  /opt/rocm/lib/libamdhip64.so.7 is for 32-bit little-endian x86-64"), "{text}");
    patch(&fixture, library, 4, 2);
    patch(&fixture, root, 5, 2);
    let text = fixture.refusal();
    assert!(text.contains("a root is not an x86-64 program") && text.contains("is for  64-bit big-endian"), "{text}");
}

#[test]
fn a_damaged_library_is_an_error_with_file_and_offset() {
    let fixture = with_hip(&["libamdhip64.so.7"]);
    fixture.library("rocm/lib/libamdhip64.so.7", &[], "");
    let path = fixture.path("rocm/lib/libamdhip64.so.7");
    let bytes = fs_err::read(&path).unwrap();
    fs_err::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let text = fixture.refusal();
    assert!(text.starts_with(&format!("{}: the ELF file is damaged", path.display())), "{text}");
    assert!(text.contains("  offset  "), "{text}");
}

#[test]
fn a_root_must_be_there() {
    let fixture = Fixture::new();
    assert!(fixture.refusal().contains("no program `llama-server`"));
}

#[test]
fn the_closure_is_the_one_of_the_real_loader() {
    let fixture = Fixture::new();
    let prefix = |tree: &str| fixture.path(tree).display().to_string();
    let (rocm, llama) = (prefix("rocm"), prefix("llama"));
    let server =
        Made { program: true, needs: &["libllama.so", "libggml.so"], rpath: "$ORIGIN/../lib", ..Made::default() };
    fixture
        .make("llama/bin/llama-server", &server)
        .library("llama/lib/libllama.so", &["libggml.so", "libggml-base.so"], "")
        .library("llama/lib/libggml-base.so", &[], "")
        .library(
            "llama/lib/libggml.so",
            &["libggml-base.so", "librocblas.so.5", "libamdhip64.so.7"],
            "$ORIGIN:$ORIGIN/../../rocm/lib",
        )
        .link("rocm/lib/librocblas.so.5", "math/librocblas.so.5.1")
        // It was found through the link, so its `$ORIGIN` is `lib`, not `lib/math`.
        .make(
            "rocm/lib/math/librocblas.so.5.1",
            &Made { soname: "librocblas.so.5", needs: &["libroctx64.so.4"], rpath: "$ORIGIN/sub", ..Made::default() },
        )
        .library("rocm/lib/sub/libroctx64.so.4", &["librocm_smi64.so.1", "libamdhip64.so.7"], "")
        .library("rocm/lib/math/sub/libroctx64.so.4", &["libdecoy.so.1"], "")
        .library("rocm/lib/sub/librocm_smi64.so.1", &[], "")
        .library("rocm/lib/libamdhip64.so.7", &["libhsa-runtime64.so.1"], &format!("{rocm}/hsa"))
        .library("rocm/hsa/libhsa-runtime64.so.1", &["librocblas.so.5"], "$ORIGIN");
    let trimmed = fixture.trim_at(&rocm, &llama).unwrap();

    let output = Command::new(fixture.path("llama/bin/llama-server"))
        .env_clear()
        .env("LD_TRACE_LOADED_OBJECTS", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut loaded: BTreeSet<PathBuf> = text
        .lines()
        .filter_map(|line| line.split("=> ").nth(1)?.split(" (").next())
        .map(|path| fs_err::canonicalize(path).unwrap_or_else(|_| panic!("{text}")))
        .filter(|path| path.starts_with(fixture.path("")))
        .collect();
    loaded.insert(fixture.path("llama/bin/llama-server"));

    let kept = trimmed.kept.keys().map(|path| fixture.path("rocm").join(show(path)));
    let kept = kept.chain(trimmed.llama.keys().map(|path| fixture.path("llama").join(show(path))));
    let kept: BTreeSet<PathBuf> = kept.filter(|path| !path.is_symlink()).collect();
    assert_eq!(kept, loaded, "{text}");
    assert_eq!(kept.len(), 9);
}
