//! Search rules that depend on the machine: subdirectories for processors, `$PLATFORM`, `$LIB`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use super::fixture::{Fixture, Made};
use crate::tree::show;
use crate::trim::{Processor, Rule};

const V2: &str = "glibc-hwcaps/x86-64-v2";
const V3: &str = "glibc-hwcaps/x86-64-v3";
const V4: &str = "glibc-hwcaps/x86-64-v4";

fn server(needs: &[&str], runpath: &str) -> Fixture {
    let fixture = Fixture::new();
    fixture.make("llama/bin/llama-server", &Made { program: true, needs, runpath, ..Made::default() });
    fixture
}

#[test]
fn every_variant_of_a_library_is_kept_with_what_it_needs_and_its_reason() {
    let fixture = server(&["librocblas.so.5"], "/opt/rocm/lib");
    fixture
        .library("rocm/lib/librocblas.so.5", &[], "")
        .library(&format!("rocm/lib/{V2}/librocblas.so.5"), &[], "")
        // Its `$ORIGIN` is the directory in which it was found, not `lib`.
        .library(&format!("rocm/lib/{V4}/librocblas.so.5.1"), &["librocroller.so.1"], "$ORIGIN")
        .link(&format!("rocm/lib/{V4}/librocblas.so.5"), "librocblas.so.5.1")
        .library(&format!("rocm/lib/{V4}/librocroller.so.1"), &[], "")
        .library(&format!("rocm/lib/{V4}/librocfft.so.0"), &[], "");
    let trimmed = fixture.trim().unwrap();
    let newer = [
        format!("/opt/rocm/lib/{V2}/librocblas.so.5"),
        format!("/opt/rocm/lib/{V4}/librocblas.so.5.1"),
        format!("/opt/rocm/lib/{V4}/librocroller.so.1"),
    ];
    assert_eq!(trimmed.newer.iter().map(|path| show(path)).collect::<Vec<_>>(), newer);
    assert_eq!(trimmed.kept.len(), 5);
    assert_eq!(trimmed.kept[b"lib/librocblas.so.5".as_slice()].rule, Rule::Needed);
    assert_eq!(trimmed.kept[format!("lib/{V2}/librocblas.so.5").as_bytes()].rule, Rule::Needed);
    let chain = trimmed.why(newer[2].as_bytes()).unwrap();
    let rules: Vec<Rule> = chain.iter().map(|(_, rule)| *rule).collect();
    assert_eq!(rules, [Rule::Root, Rule::Needed, Rule::LinkTarget, Rule::Needed]);
    // Level 3 has no files of its own, so it loads those of level 2.
    let linked = &trimmed.linked[b"/opt/llama/bin/llama-server".as_slice()];
    let kinds: Vec<String> = linked.keys().map(Processor::to_string).collect();
    assert_eq!(kinds, ["x86-64", "x86-64-v2", "x86-64-v4"]);
    assert_eq!(linked.values().map(BTreeSet::len).collect::<Vec<_>>(), [2, 2, 3]);
}

#[test]
fn what_is_opened_is_kept_in_every_variant_too() {
    let fixture = server(&["libamdhip64.so.7"], "/opt/rocm/lib");
    fixture
        .make(
            "rocm/lib/libamdhip64.so.7",
            &Made { soname: "libamdhip64.so.7", names: &["libmine.so.1"], ..Made::default() },
        )
        .library("rocm/lib/libmine.so.1", &[], "")
        .library(&format!("rocm/lib/{V3}/libmine.so.1"), &[], "");
    assert_eq!(
        fixture.kept(),
        [&format!("lib/{V3}/libmine.so.1"), "lib/libamdhip64.so.7", "lib/libmine.so.1"].map(String::from)
    );
}

#[test]
fn a_variant_that_cannot_be_loaded_is_an_error_that_names_the_processor() {
    let fixture = server(&["librocblas.so.5"], "/opt/rocm/lib");
    fixture
        .library("rocm/lib/librocblas.so.5", &[], "")
        .library(&format!("rocm/lib/{V3}/librocblas.so.5"), &["librocroller.so.1"], "$ORIGIN")
        .library("rocm/lib/librocroller.so.1", &[], "");
    let text = fixture.refusal();
    assert!(text.contains("in the trees, but not where the loader looks for it"), "{text}");
    assert!(text.contains(&format!("needs      /opt/rocm/lib/{V3}/librocblas.so.5\n")), "{text}");
    assert!(text.contains("processor  x86-64-v3\n"), "{text}");
}

#[test]
fn the_platform_is_each_name_that_the_trees_have_something_for() {
    let fixture = server(&["librocblas.so.5"], "/opt/rocm/lib/$PLATFORM:/opt/rocm/lib");
    fixture
        .library("rocm/lib/librocblas.so.5", &["librocroller-$PLATFORM.so"], "$ORIGIN")
        .library("rocm/lib/librocroller-x86_64.so", &[], "")
        .library("rocm/lib/librocroller-haswell.so", &[], "")
        .library("rocm/lib/haswell/librocblas.so.5", &[], "");
    let trimmed = fixture.trim().unwrap();
    let linked = &trimmed.linked[b"/opt/llama/bin/llama-server".as_slice()];
    let kinds: Vec<String> = linked.keys().map(Processor::to_string).collect();
    assert_eq!(kinds, ["x86-64", "x86-64-v3 (haswell)"]);
    assert_eq!(fixture.kept(), ["lib/haswell/librocblas.so.5", "lib/librocblas.so.5", "lib/librocroller-x86_64.so"]);
}

#[test]
fn lib_is_what_the_base_system_has_it_for() {
    let fixture = server(&["librocblas.so.5"], "$ORIGIN/../../rocm/$LIB");
    for lib in ["lib", "lib64", "lib/x86_64-linux-gnu"] {
        fixture.library(&format!("rocm/{lib}/librocblas.so.5"), &[], "");
    }
    // If the base system is unknown, the first file that is found counts.
    assert_eq!(fixture.kept(), ["lib/x86_64-linux-gnu/librocblas.so.5"]);
    for (libc, link, expected) in [
        ("usr/lib/x86_64-linux-gnu", Some(("lib", "usr/lib")), "lib/x86_64-linux-gnu"),
        ("usr/lib64", Some(("lib64", "usr/lib64")), "lib64"),
        // As on Arch, the directory is a link.
        ("usr/lib", Some(("lib64", "usr/lib")), "lib"),
        ("lib64", None, "lib64"),
        // No libc.
        ("srv", None, "lib/x86_64-linux-gnu"),
    ] {
        if fixture.path("base").exists() {
            fs_err::remove_dir_all(fixture.path("base")).unwrap();
        }
        fixture.library(&format!("base/{libc}/libc.so.6"), &[], "");
        if let Some((path, target)) = link {
            fixture.link(&format!("base/{path}"), target);
        }
        let kept = fixture.trim_on_base().unwrap().kept;
        let kept: Vec<String> = kept.keys().map(|path| show(path)).collect();
        assert_eq!(kept, [format!("{expected}/librocblas.so.5")], "{libc}");
    }
}

#[test]
fn a_search_path_into_the_base_system_counts_where_it_stands() {
    let fixture = server(&["libmine.so.1"], "/usr/lib/own:/opt/rocm/lib");
    fixture.library("rocm/lib/libmine.so.1", &[], "").library("base/usr/lib/libc.so.6", &[], "");
    assert_eq!(fixture.trim_on_base().unwrap().kept.len(), 1);
    fixture.library("base/usr/lib/own/libmine.so.1", &[], "");
    let trimmed = fixture.trim_on_base().unwrap();
    assert_eq!(trimmed.kept.len(), 0);
    assert_eq!(trimmed.host["libmine.so.1"], BTreeSet::from([b"/opt/llama/bin/llama-server".to_vec()]));
}

/// Returns the files of the fixture that ld.so maps if it uses only these subdirectories.
fn mapped(fixture: &Fixture, subdirectories: &str) -> BTreeSet<PathBuf> {
    let program = fixture.path("llama/bin/llama-server");
    let mut command = Command::new("/lib64/ld-linux-x86-64.so.2");
    command.env_clear().args(["--glibc-hwcaps-mask", subdirectories, "--list"]).arg(&program);
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let paths = text.lines().filter_map(|line| line.split("=> ").nth(1)?.split(" (").next());
    let paths = paths.map(|path| fs_err::canonicalize(path).unwrap_or_else(|_| panic!("{text}")));
    paths.filter(|path| path.starts_with(fixture.path(""))).chain([program]).collect()
}

#[test]
fn the_real_loader_maps_what_was_computed_for_one_of_the_processors() {
    let fixture = server(&["liba.so", "libb.so"], "$ORIGIN/../$LIB:$ORIGIN/../p/$PLATFORM:$ORIGIN/../../rocm/lib/");
    fixture
        .library(&format!("rocm/lib/{V2}/liba.so"), &["libb.so"], "$ORIGIN/../..")
        .library(&format!("rocm/lib/{V3}/liba.so"), &["libc1.so"], "$ORIGIN:$ORIGIN/../..")
        .library("rocm/lib/liba.so", &[], "")
        .library("rocm/lib/libb.so", &[], "")
        .library("rocm/lib/libc1.so", &["libd.so"], "$ORIGIN/deep")
        .library(&format!("rocm/lib/deep/{V2}/libd.so"), &[], "")
        .library("rocm/lib/deep/libd.so", &[], "");
    for (directory, lib) in [("lib/x86_64-linux-gnu", "libb.so"), ("p/x86_64", "libb.so"), ("p/haswell", "libb.so")] {
        fixture.library(&format!("llama/{directory}/{lib}"), &[], "");
    }
    let prefix = |tree: &str| fixture.path(tree).display().to_string();
    let trimmed = fixture.trim_at(&prefix("rocm"), &prefix("llama")).unwrap();
    let linked = &trimmed.linked[prefix("llama/bin/llama-server").as_bytes()];
    let computed: Vec<BTreeSet<PathBuf>> =
        linked.values().map(|files| files.iter().map(|path| PathBuf::from(show(path))).collect()).collect();
    assert!(computed.iter().collect::<BTreeSet<_>>().len() >= 3, "{linked:?}");
    for subdirectories in ["none", "x86-64-v2", "x86-64-v3:x86-64-v2", "x86-64-v4:x86-64-v3:x86-64-v2"] {
        let seen = mapped(&fixture, subdirectories);
        assert!(computed.contains(&seen), "{subdirectories}: {seen:?} of {computed:?}");
    }
    let plain = &computed[0];
    assert_eq!(*plain, mapped(&fixture, "none"));
}
