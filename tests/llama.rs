//! llama.cpp in several ages: options, programs and CMake variables are those of the pinned source.

use crate::support::{FIRST, Project};

/// Replaces a line of the manifest.
fn edit(project: &Project, from: &str, to: &str) {
    let manifest = project.read("manifests/strix.toml");
    assert!(manifest.contains(from), "{manifest}");
    project.write("manifests/strix.toml", &manifest.replace(from, to));
}

#[test]
fn a_root_that_the_source_does_not_build_is_refused_by_update() {
    let project = Project::new();
    project.full_manifest(FIRST);
    for (root, hint) in [
        ("llama-serve", "did you mean `llama-server`?"),
        ("llama-completion", "this version has `llama-cli` in its place"),
    ] {
        project.full_manifest(FIRST);
        edit(&project, "type = \"runtime\"\n", &format!("type = \"runtime\"\nroots = [\"llama-bench\", \"{root}\"]\n"));
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains(&format!("this llama.cpp does not build `{root}`")), "{}", ran.all());
        assert!(ran.stderr.contains(hint), "{}", ran.all());
        assert!(!project.path("lock/strix.lock").exists());
    }
}

#[test]
fn options_that_nobody_decided_are_named() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    project.run(&["realize", "llama"]).code(0);
    let about = project.run(&["log", "llama", "--about", "--json"]).code(0).json()["about"].clone();
    // GGML_SYCL_GRAPH is ON too, and has no effect.
    assert_eq!(about["left_to_llama_cpp"], serde_json::json!(["GGML_DEMO_EXTRA"]), "{about}");
    // CMake's own, for a language that the demo does not enable.
    let unknown = about["unknown_variables"].as_array().unwrap();
    assert!(unknown.iter().all(|name| name.as_str().unwrap().starts_with("CMAKE_HIP_")), "{about}");
    // The demo declares no such option, and an older name of another.
    assert_eq!(about["variables"]["LLAMA_SUBPROCESS"], serde_json::Value::Null);
    assert_eq!((&about["variables"]["LLAMA_BUILD_UI"], &about["variables"]["GGML_RPC"]), (&"OFF".into(), &"ON".into()));
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    for row in [
        "| left to llama.cpp | `GGML_DEMO_EXTRA` |",
        "| CMake variables ON | `BUILD_SHARED_LIBS`, `CMAKE_BUILD_WITH_INSTALL_RPATH`, ",
        "`CMAKE_BUILD_TYPE=Release`",
    ] {
        assert!(page.contains(row), "{row}\n{page}");
    }
    project.run(&["audit", "--check"]).code(0);
    assert_eq!(project.run_in_store("other", &["audit", "--check"]).code, 0, "what another machine built is believed");
    edit(&project, "[outputs.runtime]", "[outputs.llama.cmake]\nGGML_DEMO_EXTRA = true\n\n[outputs.runtime]");
    project.run(&["update"]).code(0);
    project.run(&["realize", "llama"]).code(0);
    let about = project.run(&["log", "llama", "--about", "--json"]).code(0).json()["about"].clone();
    assert_eq!(about["left_to_llama_cpp"], serde_json::Value::Null, "{about}");
}

#[test]
fn a_variable_of_the_recipe_that_cmake_calls_unused_is_left_out() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    project.run(&["realize", "llama"]).code(0);
    let log = project.run(&["log", "llama"]).code(0).stdout;
    // The demo enables no language HIP.
    let commands: Vec<&str> = log.lines().filter(|line| line.starts_with("$ cmake -S ")).collect();
    let [first, second] = commands[..] else { panic!("{log}") };
    assert!(first.contains("-DCMAKE_HIP_FLAGS=") && !second.contains("-DCMAKE_HIP_FLAGS="), "{log}");
    assert!(second.contains("-DGPU_TARGETS=gfx1151"), "{log}");
    assert!(log.contains("\nleft out, because the source does not use them: CMAKE_HIP_"), "{log}");
    assert_eq!(log.matches("were not used by the project").count(), 1, "{log}");
    let about = project.run(&["log", "llama", "--about", "--json"]).code(0).json()["about"].clone();
    for name in about["unknown_variables"].as_array().unwrap() {
        assert_eq!(about["variables"][name.as_str().unwrap()], serde_json::Value::Null, "{about}");
    }
    // The id is that of the recipe, and is known before the source is read.
    project.run(&["check", "llama"]).code(0);
}

#[test]
fn the_processor_is_that_of_the_gpu_unless_it_is_named() {
    let project = Project::new();
    let features = |cpu: &str| {
        project.full_manifest(FIRST);
        if !cpu.is_empty() {
            edit(&project, "type = \"llama\"\n", &format!("type = \"llama\"\ncpu = \"{cpu}\"\n"));
        }
        project.run(&["update"]).code(0);
        let ran = project.run(&["realize", "--json"]).code(0);
        let about = project.run(&["log", "llama", "--about", "--json"]).code(0).json()["about"]["variables"].clone();
        (project.derivation("llama"), ran.tree("llama"), about)
    };
    let usual = features("");
    assert_eq!((&usual.2["GGML_AVX2"], &usual.2["GGML_AVX512"]), (&"ON".into(), &"ON".into()));
    let plain = features("x86-64-v3");
    assert_eq!((&plain.2["GGML_AVX2"], &plain.2["GGML_AVX512"]), (&"ON".into(), &"OFF".into()));
    let all = features("all-variants");
    assert_eq!((&all.2["GGML_BACKEND_DL"], &all.2["GGML_AVX512"]), (&"ON".into(), &"OFF".into()));
    assert!(usual.0 != plain.0 && usual.1 != plain.1 && plain.1 != all.1);
    project.full_manifest(FIRST);
    edit(&project, "type = \"llama\"\n", "type = \"llama\"\ncpu = \"zenver5\"\n");
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("unknown processor `zenver5`") && ran.stderr.contains("znver5"), "{}", ran.all());
}

#[test]
fn the_page_says_what_the_recipe_decided_and_why() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    for line in [
        "- processor: `znver5`",
        "- environment: `CLICOLOR=0`, `HIP_DEVICE_LIB_PATH=/opt/rocm/lib/llvm/amdgcn/bitcode`, `HIP_PATH=/opt/rocm`, ",
        "- commands: `cmake -S /build/source -B /build/out -G Ninja`, `cmake --build /build/out --parallel 1`, ",
        "| `LLAMA_SUBPROCESS` | ON | llama-server may start programs (`--tools`, router mode), only if its options say so |",
        "| `LLAMA_BUILD_UI or LLAMA_BUILD_WEBUI` | ON with a web UI, else OFF | embeds the files of the input with the web UI; without them it would need npm and the network |",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
}
