//! `targets` of a `llama` output: one build for two GPUs; and `cpu = "all-variants"`.

use strixlock_demo::{Generation, Nightly};

use crate::support::{FIRST, Project, Ran};

/// Returns a project whose ROCm is that of all GPUs, with code for gfx1151 and gfx1201.
fn project() -> Project {
    let project = Project::new();
    project.upstream().publish(Generation::Streams, &Nightly::new(FIRST).multiarch(&["gfx1201"]));
    write(&project, "multiarch", "targets = [\"gfx1151\", \"gfx1201\"]\n");
    project
}

/// Writes a manifest with everything, with ROCm of a family and more lines of the build.
fn write(project: &Project, family: &str, llama: &str) {
    project.full_manifest(FIRST);
    let text = project.read("manifests/strix.toml");
    let family = format!("target = \"gfx1151\"\nfamily = \"{family}\"\n");
    let text = text.replace("target = \"gfx1151\"\n", &family);
    project.write("manifests/strix.toml", &text.replace("type = \"llama\"\n", &format!("type = \"llama\"\n{llama}")));
}

fn about(project: &Project) -> serde_json::Value {
    project.run(&["log", "llama", "--about", "--json"]).code(0).json()["about"].clone()
}

#[test]
fn a_build_for_two_gpus_keeps_the_kernels_of_both() {
    let project = project();
    let image = "\n[outputs.server]\ntype = \"image\"\nruntime = \"runtime\"\nllama = \"llama\"\n";
    let text = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &format!("{text}{image}"));
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let about = about(&project);
    assert_eq!(about["variables"]["GPU_TARGETS"], "gfx1151;gfx1201");
    assert_eq!(about["variables"]["CMAKE_HIP_ARCHITECTURES"], "gfx1151;gfx1201");
    // Not every GPU of the build stands beside a Zen 5.
    assert_eq!(about["variables"]["GGML_AVX512"], "OFF");
    let runtime = project.profile().join("current/runtime");
    for path in [
        ".kpack/blas_lib_@.kpack",
        "lib/rocblas/library/TensileLibrary_lazy_@.dat",
        "lib/rocblas/library/Kernels.so-000-@.hsaco",
        "lib/hipblaslt/library/@/TensileLibrary_lazy_@.dat",
    ] {
        for (gpu, kept) in [("gfx1151", true), ("gfx1201", true), ("gfx1100", false)] {
            assert_eq!(runtime.join(path.replace('@', gpu)).exists(), kept, "{path} {gpu}");
        }
    }
    let why = project.run(&["why", "lib/rocblas/library/TensileLibrary_lazy_gfx1201.dat"]).code(0).stdout;
    assert!(why.contains("is among the kernels that it loads"), "{why}");
    let why = project.run(&["why", "lib/rocblas/library/TensileLibrary_lazy_gfx1100.dat"]).code(0).stdout;
    assert!(why.contains("is for another GPU"), "{why}");
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    assert!(page.contains("- GPUs: `gfx1151, gfx1201`") && page.contains("- processor: `x86-64-v3`"), "{page}");
    let said = project.run(&["export", "oci", "server", "-o", "image", "--json"]).code(0).json();
    let blob = |digest: &serde_json::Value| -> serde_json::Value {
        let name = digest.as_str().unwrap().replace(':', "/");
        serde_json::from_slice(&std::fs::read(project.path("image/blobs").join(name)).unwrap()).unwrap()
    };
    let config = blob(&blob(&said["digest"])["config"]["digest"]);
    assert_eq!(config["config"]["Labels"]["io.strixlock.rocm.target"], "gfx1151, gfx1201");
}

#[test]
fn the_build_for_one_gpu_is_the_one_without_targets() {
    let project = project();
    let mut trees = Vec::new();
    for llama in ["", "targets = [\"gfx1151\"]\n", "targets = [\"gfx1151\", \"gfx1201\"]\n"] {
        write(&project, "multiarch", llama);
        project.run(&["update"]).code(0);
        let tree = project.run(&["realize", "runtime", "--json"]).code(0).tree("runtime");
        trees.push((tree, about(&project)["variables"].clone()));
    }
    assert_eq!(trees[0], trees[1]);
    assert_ne!(trees[0].0, trees[2].0);
    assert_eq!(trees[0].1["GGML_AVX512"], "ON", "all targets are gfx1151");
    write(&project, "multiarch", "cpu = \"znver5\"\ntargets = [\"gfx1151\", \"gfx1201\"]\n");
    project.run(&["update"]).code(0);
    project.run(&["realize", "llama"]).code(0);
    assert_eq!(about(&project)["variables"]["GGML_AVX512"], "ON", "the manifest decides");
}

#[test]
fn a_tree_without_code_for_a_target_is_refused_with_the_family_that_has_it() {
    let project = project();
    let refused = |family: &str, targets: &str| -> Ran {
        write(&project, family, &format!("targets = [{targets}]\n"));
        let ran = project.run(&["update"]).code(3);
        assert!(!project.path("lock/strix.lock").exists());
        ran
    };
    let ran = refused("gfx1151", "\"gfx1151\", \"gfx1201\"");
    for part in [
        "the pinned ROCm has no code for gfx1201",
        "it has  gfx1151",
        "hint: set family = \"multiarch\" below [inputs.rocm], then run `strixlock update`",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.all());
    }
    let ran = refused("gfx1151", "\"gfx1201\"");
    assert!(ran.stderr.contains("family = \"gfx120X-all\" or family = \"multiarch\""), "{}", ran.all());
    let ran = refused("multiarch", "\"gfx1151\", \"gfx1251\"");
    assert!(ran.stderr.contains("`gfx1251` is in no family that this strixlock knows; did you mean"), "{}", ran.all());
}

#[test]
fn unknown_and_repeated_targets_are_refused() {
    let project = project();
    for (targets, said) in [
        ("targets = [\"gfx1151\", \"gfx1151\"]\n", "repeated GPU `gfx1151`"),
        ("targets = [\"strix-halo\"]\n", "invalid GPU target `strix-halo`"),
        ("targets = [\"GFX1151\"]\n", "did you mean `gfx1151`?"),
        ("targets = []\n", "`targets` names no GPU"),
        ("targets = \"gfx1151\"\n", "must be an array"),
        ("backend = \"cpu\"\ntargets = [\"gfx1151\"]\n", "unknown field `targets`"),
    ] {
        write(&project, "multiarch", targets);
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains(said), "{said}: {}", ran.all());
    }
}

/// The libraries for kinds of processors are opened at run time: nothing links to them.
#[test]
fn a_build_for_all_processors_keeps_and_proves_each_of_its_libraries() {
    let project = Project::new();
    project.full_manifest(FIRST);
    let text = project.read("manifests/strix.toml");
    let text = text.replace("type = \"llama\"\n", "type = \"llama\"\ncpu = \"all-variants\"\n");
    project.write("manifests/strix.toml", &text);
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    for library in ["libggml-cpu-x64.so", "libggml-cpu-haswell.so", "libggml-hip.so"] {
        let why = project.run(&["why", &format!("/opt/llama/bin/{library}")]).code(0).stdout;
        assert!(why.contains("is a backend that llama.cpp opens"), "{library}: {why}");
    }
    let about = project.run(&["log", "runtime", "--about", "--json"]).code(0).json()["about"]["proof"].clone();
    assert_eq!(about["not_run"], serde_json::Value::Null, "the demo's libraries run on any processor");
    assert!(about["opened"]["/opt/llama/bin/llama-bench"].as_u64().unwrap() >= 3, "{about}");
    // What nothing links to is kept: the GPU's half opens ROCm.
    assert!(project.profile().join("current/runtime/lib/librocblas.so.5").exists());
    project.run(&["run", "llama-bench"]).code(0);
}
