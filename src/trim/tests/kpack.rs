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
fn archives_for_features_and_for_generic_processors_are_kept_as_the_loader_may_look_for_them() {
    for (reference, there, kept) in [
        (
            "../.kpack/a_@GFXARCH@.kpack",
            vec!["a_gfx11-generic.kpack", "a_gfx12-generic.kpack"],
            vec!["a_gfx11-generic.kpack"],
        ),
        (
            "../.kpack/a_@GFXARCH@.kpack",
            vec!["a_gfx1151:xnack-.kpack", "a_gfx1100:xnack-.kpack"],
            vec!["a_gfx1151:xnack-.kpack"],
        ),
        (
            "../.kpack/a_@GFXARCH@.kpack",
            vec![
                "a_gfx1151.kpack",
                "a_gfx1151:xnack-.kpack",
                "a_gfx11-generic.kpack",
                "b_gfx1151.kpack",
                "a_gfx1151_old.kpack",
            ],
            vec!["a_gfx11-generic.kpack", "a_gfx1151.kpack", "a_gfx1151:xnack-.kpack"],
        ),
        (
            "../.kpack/@GFXARCH@/a.kpack",
            vec!["gfx11-generic/a.kpack", "gfx1100/a.kpack"],
            vec!["gfx11-generic/a.kpack"],
        ),
        (
            "../.kpack/@GFXARCH@/a_@GFXARCH@.kpack",
            vec!["gfx11-generic/a_gfx11-generic.kpack"],
            vec!["gfx11-generic/a_gfx11-generic.kpack"],
        ),
        (
            "../.kpack/@GFXARCH@-@GFXARCH@",
            vec!["gfx1151-gfx1151", "gfx1151:xnack--gfx1151:xnack-"],
            vec!["gfx1151-gfx1151", "gfx1151:xnack--gfx1151:xnack-"],
        ),
        ("../.kpack/all.kpack", vec!["all.kpack"], vec!["all.kpack"]),
    ] {
        let fixture = with_references(&[reference]);
        for name in there {
            fixture.file(&format!("rocm/.kpack/{name}"));
        }
        let archives: Vec<String> =
            fixture.kept().into_iter().filter_map(|path| path.strip_prefix(".kpack/").map(str::to_owned)).collect();
        assert_eq!(archives, kept, "{reference}");
    }
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
      families  gfx1151, gfx115X-all, gfx115X-igpu, multiarch
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
