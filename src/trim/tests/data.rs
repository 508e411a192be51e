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
    for name in [
        "gfx1151/TensileLibrary_lazy_gfx1151.dat",
        "gfx1150/TensileLibrary_lazy_gfx1150.dat",
        "gfx1151/deep/b.dat",
        "hipblasltTransform.hsaco",
    ] {
        fixture.file(&format!("rocm/lib/hipblaslt/library/{name}"));
    }
    // Not kept, because its library is missing.
    fixture.file("rocm/lib/rocblas/library/TensileLibrary_gfx1151.dat");
    assert_eq!(
        kernels(&fixture),
        [
            "lib/hipblaslt/library/gfx1151/TensileLibrary_lazy_gfx1151.dat",
            "lib/hipblaslt/library/gfx1151/deep/b.dat",
            "lib/hipblaslt/library/hipblasltTransform.hsaco",
        ]
    );
}

#[test]
fn kernels_behind_links_are_kept_with_them() {
    let fixture = with("librocblas.so.5");
    fixture
        .file("rocm/lib/rocblas/shared/TensileLibrary.dat")
        .file("rocm/lib/rocblas/shared/b_gfx90a.dat")
        .link("rocm/lib/rocblas/shared/again", ".")
        .link("rocm/lib/rocblas/library/gfx1151", "../shared")
        .link("rocm/lib/rocblas/library/gfx1100", "../shared");
    assert_eq!(
        kernels(&fixture),
        [
            "lib/rocblas/library/gfx1151",
            "lib/rocblas/shared/TensileLibrary.dat",
            "lib/rocblas/shared/again",
            "lib/rocblas/shared/b_gfx90a.dat"
        ]
    );
}

#[test]
fn kernels_for_other_targets_only_are_an_error() {
    let fixture = with("librocblas.so.5");
    for name in ["TensileLibrary_gfx1100.dat", "TensileLibrary_gfx1201.dat", "TensileLibrary_Type_SS_fallback.dat"] {
        fixture.file(&format!("rocm/lib/rocblas/library/{name}"));
    }
    insta::assert_snapshot!(fixture.refusal(), @r"
    this ROCm build has no kernels of librocblas.so for gfx1151
      root       /opt/llama/bin/llama-server
      needs      /opt/rocm/lib/librocblas.so.5
      looked in  /opt/rocm/lib/rocblas/library
      expected   TensileLibrary_lazy_gfx1151.dat* or TensileLibrary_gfx1151.dat* or TensileLibrary.dat* or TensileLibrary.yaml
      there is   no such table among 3 files, of which 2 are for other GPUs
      families   gfx1151, gfx115X-all, gfx115X-igpu, multiarch
    hint: choose another version or family in the manifest (`strixlock list rocm` lists them); if this one has tables with other names, name them in an edge of your own with `kernels` and `tables`
    ");
}

/// librocblas with an archive of GPU code for the target, and these files beside it.
fn with_archive(files: &[&str], names: &[&str]) -> Fixture {
    let fixture = Fixture::new();
    let kpack = &["../.kpack/blas_@GFXARCH@.kpack"];
    fixture
        .server(&["librocblas.so.5"])
        .make("rocm/lib/librocblas.so.5", &Made { soname: "librocblas.so.5", kpack, names, ..Made::default() })
        .file("rocm/.kpack/blas_gfx1151.kpack");
    for file in files {
        fixture.file(&format!("rocm/lib/rocblas/library/{file}"));
    }
    fixture
}

#[test]
fn an_archive_of_gpu_code_does_not_stand_in_for_tables() {
    let word = "TensileLibrary_lazy_";
    for (files, names, there) in [
        // A broken build has only fallbacks for other GPUs, or code without its table.
        (vec!["TensileLibrary_Type_SS_fallback.dat"], vec![], false),
        (vec!["Kernels.so-000-gfx1151.hsaco", "TensileLibrary_Type_SS_gfx1151.dat"], vec![], false),
        (vec!["TensileLibrary_lazy_gfx1100.dat"], vec![], false),
        // Without the directory, the library's constants tell that it reads tables.
        (vec![], vec![word], false),
        (vec![], vec![], true),
        (vec!["TensileLibrary_lazy_gfx1151.dat", "TensileLibrary_Type_SS_fallback.dat"], vec![word], true),
        (vec!["gfx1151/TensileLibrary_lazy_gfx1151.dat.zlib"], vec![word], true),
        (vec!["TensileLibrary.dat"], vec![word], true),
    ] {
        let fixture = with_archive(&files, &names);
        let trimmed = fixture.trim();
        assert_eq!(trimmed.is_ok(), there, "{files:?} {names:?}");
        if let Err(error) = trimmed {
            assert!(error.to_string().contains("no kernels of librocblas.so for gfx1151"), "{error}");
        }
        // The check before a build gives the same result.
        let (dir, listing) = (fixture.path("rocm"), super::fixture::listing(&fixture.path("rocm")));
        let rocm = crate::trim::Mounted { dir: &dir, listing: &listing, prefix: "/opt/rocm" };
        let demanded = crate::trim::demand_tables(rocm, &["gfx1151".parse().unwrap()], &fixture.edges);
        assert_eq!(demanded.is_ok(), there, "{files:?} {names:?}");
        if let Err(error) = demanded {
            assert!(error.to_string().contains("\n  library    /opt/rocm/lib/librocblas.so.5\n"), "{error}");
        }
    }
}

#[test]
fn each_of_two_targets_has_its_own_tables_and_archives() {
    let both = |fixture: &mut Fixture| fixture.targets.push("gfx1201".parse().unwrap());
    let tables = ["TensileLibrary_lazy_gfx1151.dat", "TensileLibrary_lazy_gfx1201.dat", "Kernels_gfx1100.hsaco"];
    let mut fixture = with_archive(&tables, &[]);
    both(&mut fixture);
    let said = fixture.refusal();
    assert!(said.starts_with("the GPU code of a library is missing for gfx1201"), "{said}");
    assert!(said.contains("families  gfx1201, gfx120X-all, multiarch"), "{said}");
    fixture.file("rocm/.kpack/blas_gfx1201.kpack").file("rocm/.kpack/blas_gfx1100.kpack");
    let kept = fixture.kept();
    for (name, there) in [("blas_gfx1151.kpack", true), ("blas_gfx1201.kpack", true), ("blas_gfx1100.kpack", false)]
        .into_iter()
        .chain(tables.map(|name| (name, !name.contains("gfx1100"))))
    {
        assert_eq!(kept.iter().any(|path| path.ends_with(name)), there, "{name} {kept:?}");
    }
    let mut fixture = with_archive(&tables[..1], &[]);
    both(&mut fixture);
    fixture.file("rocm/.kpack/blas_gfx1201.kpack");
    let said = fixture.refusal();
    assert!(said.starts_with("this ROCm build has no kernels of librocblas.so for gfx1201"), "{said}");
}

#[test]
fn an_edge_of_the_manifest_names_other_tables() {
    let mut fixture = with_archive(&["BlasTables_gfx1151.dat"], &[]);
    let known = fixture.edges.clone();
    let mut own = known.iter().find(|edge| !edge.tables.is_empty() && edge.from == "librocblas.so").unwrap().clone();
    own.tables = vec!["BlasTables_@GFXARCH@.dat".to_owned()];
    let recipe = crate::recipe::RuntimeRecipe {
        rocm: "rocm".to_owned(),
        llama: "llama".to_owned(),
        roots: Vec::new(),
        edges: vec![own],
        own_edges_only: false,
    };
    assert!(fixture.trim().is_err());
    fixture.edges = recipe.all_edges(&known);
    assert_eq!(fixture.edges.len(), known.len());
    assert!(fixture.kept().contains(&"lib/rocblas/library/BlasTables_gfx1151.dat".to_owned()));
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
