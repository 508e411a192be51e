use super::fixture::{Fixture, Made};

/// llama-server, which needs a rocBLAS with these references.
fn with_references(kpack: &[&str]) -> Fixture {
    let fixture = Fixture::new();
    fixture
        .server(&["librocblas.so.5"])
        .make("rocm/lib/librocblas.so.5.1", &Made { soname: "librocblas.so.5", kpack, ..Made::default() })
        .link("rocm/lib/librocblas.so.5", "librocblas.so.5.1");
    fixture
}

#[test]
fn the_archive_for_the_target_is_kept() {
    let fixture = with_references(&["../.kpack/blas_lib_@GFXARCH@.kpack"]);
    fixture.file("rocm/.kpack/blas_lib_gfx1151.kpack").file("rocm/.kpack/blas_lib_gfx1100.kpack");
    assert_eq!(fixture.kept(), [".kpack/blas_lib_gfx1151.kpack", "lib/librocblas.so.5", "lib/librocblas.so.5.1"]);
}

#[test]
fn one_of_several_references_is_enough() {
    let fixture = with_references(&["../.kpack/old_@GFXARCH@.kpack", "../.kpack/new_@GFXARCH@.kpack"]);
    fixture.file("rocm/.kpack/new_gfx1151.kpack");
    assert!(fixture.kept().contains(&".kpack/new_gfx1151.kpack".to_owned()));
}

#[test]
fn a_missing_archive_is_an_error_with_its_chain() {
    let fixture = with_references(&["../.kpack/blas_lib_@GFXARCH@.kpack"]);
    fixture.file("rocm/.kpack/blas_lib_gfx1100.kpack");
    insta::assert_snapshot!(fixture.refusal(), @r"
    the GPU code of a library is missing for gfx1151
      root      /opt/llama/bin/llama-server
      needs     /opt/rocm/lib/librocblas.so.5
      links to  /opt/rocm/lib/librocblas.so.5.1
      missing   ../.kpack/blas_lib_gfx1151.kpack
    hint: use the whole tree as it was published for this GPU, with its `.kpack` directory
    ");
}

#[test]
fn a_reference_out_of_the_tree_is_an_error() {
    for reference in ["../../../etc/passwd", "/etc/passwd", "../../llama/bin/llama-server"] {
        let text = with_references(&[reference]).refusal();
        assert!(text.contains("leads out of the tree") && text.contains("/opt/llama/bin/llama-server"), "{text}");
    }
    let fixture = with_references(&["../.kpack/x.kpack"]);
    fixture.link("rocm/.kpack/x.kpack", "/etc/passwd");
    assert!(fixture.refusal().contains("leads out of the tree"));
}
