//! Symbol versions.

use std::process::Command;

use super::fixture::{Fixture, Made};

const BLAS: &str = "rocm/lib/librocblas.so.5";

/// llama-server, which wants version `BLAS_2` of librocblas.
fn server() -> Fixture {
    let fixture = Fixture::new();
    let wants = &[("librocblas.so.5", "BLAS_2")];
    let runpath = "$ORIGIN/../../rocm/lib";
    fixture.make("llama/bin/llama-server", &Made { program: true, wants, runpath, ..Made::default() });
    fixture
}

fn blas<'a>(versions: &'a [&'a str]) -> Made<'a> {
    Made { soname: "librocblas.so.5", versions, ..Made::default() }
}

/// Returns whether ld.so resolves everything that llama-server needs.
fn resolves(fixture: &Fixture) -> bool {
    let mut command = Command::new(fixture.path("llama/bin/llama-server"));
    let output = command.env_clear().env("LD_TRACE_LOADED_OBJECTS", "1").output().unwrap();
    !String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).contains("not found")
}

#[test]
fn a_version_that_is_not_there_is_an_error_with_its_chain() {
    let fixture = server();
    fixture.make(BLAS, &blas(&["BLAS_1", "BLAS_3"]));
    insta::assert_snapshot!(fixture.refusal(), @r"
    a library lacks a symbol version that another was linked with
      root       /opt/llama/bin/llama-server
      wants      BLAS_2
      of         /opt/rocm/lib/librocblas.so.5
      which has  BLAS_3, BLAS_1, librocblas.so.5
    hint: libraries fit others of the same build: use the whole tree as it was published, and the build that was made with it
    ");
    assert!(!resolves(&fixture));
}

#[test]
fn a_version_that_is_there_is_found_whatever_else_there_is() {
    let fixture = server();
    fixture.make(BLAS, &blas(&["BLAS_1", "BLAS_2", "BLAS_3"]));
    assert_eq!(fixture.kept(), ["lib/librocblas.so.5"]);
    assert!(resolves(&fixture));
}

#[test]
fn a_library_without_versions_has_all_of_them() {
    let fixture = server();
    fixture.make(BLAS, &blas(&[]));
    assert_eq!(fixture.kept(), ["lib/librocblas.so.5"]);
    assert!(resolves(&fixture));
}

#[test]
fn libraries_that_are_opened_and_variants_for_processors_must_fit_as_well() {
    let fixture = server();
    fixture.make(BLAS, &blas(&["BLAS_2"])).make("rocm/lib/glibc-hwcaps/x86-64-v3/librocblas.so.5", &blas(&["BLAS_1"]));
    let text = fixture.refusal();
    assert!(text.contains("of         /opt/rocm/lib/glibc-hwcaps/x86-64-v3/librocblas.so.5\n"), "{text}");
    assert!(text.contains("processor  x86-64-v3"), "{text}");

    let fixture = server();
    fixture.make(BLAS, &Made { names: &["libplugin.so"], ..blas(&["BLAS_2"]) });
    fixture.make("rocm/lib/libplugin.so", &Made { wants: &[("librocblas.so.5", "BLAS_9")], ..Made::default() });
    let text = fixture.refusal();
    assert!(text.contains("opens      /opt/rocm/lib/libplugin.so\n  wants      BLAS_9\n"), "{text}");
}

#[test]
fn the_base_system_is_asked_where_it_is_known() {
    let fixture = Fixture::new();
    let wants = &[("libbase.so.1", "BASE_2")];
    fixture.make("llama/bin/llama-server", &Made { program: true, wants, ..Made::default() });
    let base = |versions| Made { soname: "libbase.so.1", versions, ..Made::default() };
    // Not there at all, or in a system that is not known: that is for the proof to say.
    fixture.make("base/usr/lib64/libbase.so.1", &base(&["BASE_1"]));
    assert!(fixture.trim().unwrap().host.contains_key("libbase.so.1"));
    let text = fixture.trim_on_base().unwrap_err().to_string();
    assert!(text.contains("wants      BASE_2\n  of         /usr/lib64/libbase.so.1\n"), "{text}");
    assert!(text.contains("hint: the base system is older"), "{text}");
    fixture.make("base/usr/lib64/libbase.so.1", &base(&["BASE_1", "BASE_2"]));
    fixture.trim_on_base().unwrap();
}
