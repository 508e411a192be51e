use super::fixture::{Fixture, Made};
use crate::tree::show;
use crate::trim::Rule;

/// llama-server, which needs `library` of ROCm's `lib`.
fn with(library: &str) -> Fixture {
    let fixture = Fixture::new();
    fixture.server(&[library]).library(&format!("rocm/lib/{library}"), &[], "");
    fixture
}

fn kernels(fixture: &Fixture) -> Vec<String> {
    let trimmed = fixture.trim().unwrap();
    let kernels = trimmed.kept.iter().filter(|(_, reason)| reason.rule == Rule::Kernels);
    kernels.map(|(path, _)| show(path)).collect()
}

#[test]
fn kernels_of_the_target_are_kept_from_a_flat_directory() {
    let fixture = with("librocblas.so.5");
    for name in [
        "TensileLibrary_lazy_gfx1151.dat",
        "TensileLibrary_lazy_gfx1100.dat",
        "Kernels.so-000-gfx1151.hsaco",
        "x_fallback.dat",
    ] {
        fixture.file(&format!("rocm/lib/rocblas/library/{name}"));
    }
    assert_eq!(
        kernels(&fixture),
        [
            "lib/rocblas/library/Kernels.so-000-gfx1151.hsaco",
            "lib/rocblas/library/TensileLibrary_lazy_gfx1151.dat",
            "lib/rocblas/library/x_fallback.dat",
        ]
    );
}

#[test]
fn kernels_of_the_target_are_kept_from_its_directory() {
    let fixture = with("libhipblaslt.so.1");
    for name in ["gfx1151/a.dat", "gfx1150/a.dat", "gfx1151/deep/b.dat", "hipblasltTransform.hsaco"] {
        fixture.file(&format!("rocm/lib/hipblaslt/library/{name}"));
    }
    // Not kept: there is no library for it.
    fixture.file("rocm/lib/rocblas/library/TensileLibrary_gfx1151.dat");
    assert_eq!(
        kernels(&fixture),
        [
            "lib/hipblaslt/library/gfx1151/a.dat",
            "lib/hipblaslt/library/gfx1151/deep/b.dat",
            "lib/hipblaslt/library/hipblasltTransform.hsaco",
        ]
    );
}

#[test]
fn kernels_behind_links_are_kept_with_them() {
    let fixture = with("librocblas.so.5");
    fixture
        .file("rocm/lib/rocblas/shared/a.dat")
        .file("rocm/lib/rocblas/shared/b_gfx90a.dat")
        .link("rocm/lib/rocblas/shared/again", ".")
        .link("rocm/lib/rocblas/library/gfx1151", "../shared")
        .link("rocm/lib/rocblas/library/gfx1100", "../shared");
    assert_eq!(
        kernels(&fixture),
        [
            "lib/rocblas/library/gfx1151",
            "lib/rocblas/shared/a.dat",
            "lib/rocblas/shared/again",
            "lib/rocblas/shared/b_gfx90a.dat"
        ]
    );
}

#[test]
fn kernels_for_other_targets_only_are_an_error() {
    let fixture = with("librocblas.so.5");
    fixture.file("rocm/lib/rocblas/library/TensileLibrary_gfx1100.dat");
    insta::assert_snapshot!(fixture.refusal(), @r"
    a library has kernels, but none for gfx1151
      root       /opt/llama/bin/llama-server
      needs      /opt/rocm/lib/librocblas.so.5
      looked in  /opt/rocm/lib/rocblas/library
    hint: use a tree that was built for this GPU
    ");
}

#[test]
fn kernels_for_other_targets_do_not_matter_beside_an_archive_for_ours() {
    let fixture = Fixture::new();
    let kpack = &["../.kpack/blas_@GFXARCH@.kpack"];
    fixture
        .server(&["librocblas.so.5"])
        .make("rocm/lib/librocblas.so.5", &Made { soname: "librocblas.so.5", kpack, ..Made::default() })
        .file("rocm/lib/rocblas/library/TensileLibrary_gfx1100.dat")
        .file("rocm/.kpack/blas_gfx1151.kpack");
    assert_eq!(fixture.kept(), [".kpack/blas_gfx1151.kpack", "lib/librocblas.so.5"]);
}

#[test]
fn bitcode_is_kept_for_what_compiles() {
    let data = |fixture: &Fixture| {
        fixture
            .file("rocm/lib/llvm/amdgcn/bitcode/ockl.bc")
            .file("rocm/lib/llvm/bin/clang")
            .link("rocm/amdgcn", "lib/llvm/amdgcn")
            .link("rocm/llvm", "lib/llvm")
            .link("rocm/lib64", "lib");
    };
    let fixture = with("libamd_comgr.so.3");
    data(&fixture);
    assert_eq!(fixture.kept(), ["amdgcn", "lib/libamd_comgr.so.3", "lib/llvm/amdgcn/bitcode/ockl.bc", "llvm"]);
    let fixture = with("librocfft.so.0");
    data(&fixture);
    assert_eq!(fixture.kept(), ["lib/librocfft.so.0"]);
}

#[test]
fn provenance_is_kept_always() {
    let fixture = Fixture::new();
    fixture.server(&[]);
    for path in
        [".info/version", "share/therock/therock_manifest.json", "share/doc/hip/LICENSE.md", "share/doc/hip/guide.md"]
    {
        fixture.file(&format!("rocm/{path}"));
    }
    assert_eq!(fixture.kept(), [".info/version", "share/doc/hip/LICENSE.md", "share/therock/therock_manifest.json"]);
    let trimmed = fixture.trim().unwrap();
    assert_eq!(trimmed.why(b".info/version").unwrap(), [(b"/opt/rocm/.info/version".to_vec(), Rule::Provenance)]);
}
