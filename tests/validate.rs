//! `strixlock validate`, with llama.cpp and the trimmed runtime of the embedded upstream in the sandbox.

use strixlock_demo::gguf_maker::{Shape, model};

use crate::support::{Project, Ran};

/// Returns a project with all outputs realized and a model in a local file.
fn project() -> Project {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    add_model(&project, "model", Shape::default());
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    project
}

/// Adds a `file` input with a model to the manifest.
pub fn add_model(project: &Project, name: &str, shape: Shape) {
    let path = project.path(&format!("{name}.gguf"));
    std::fs::write(&path, model(shape)).unwrap();
    let input = format!("\n[inputs.{name}]\ntype = \"file\"\nurl = \"file://{}\"\n", path.display());
    let manifest = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &format!("{manifest}{input}"));
}

/// Returns the name and outcome of each check.
fn outcomes(ran: &Ran) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let checks = ran.json()["checks"].as_array().unwrap().clone();
    checks.iter().map(|check| (text(&check["name"]), text(&check["outcome"]))).collect()
}

#[test]
fn what_was_realized_runs_and_says_the_same_twice() {
    let project = project();
    let status = project.run(&["status"]).code(0);
    assert!(status.stdout.ends_with("\nnext: strixlock validate\n"), "{}", status.all());
    let first = project.run(&["--offline", "validate", "--device", "cpu", "--json"]).code(0);
    let status = project.run(&["status"]).code(0);
    assert!(
        status.stdout.contains("validation passed on the CPU") && !status.stdout.contains("next:"),
        "{}",
        status.all()
    );
    let value = first.json();
    assert_eq!(value["passed"], true);
    assert_eq!(value["moved"], serde_json::Value::Null);
    let expected = [
        ("device nodes", "not-run"),
        ("rocminfo", "passed"),
        ("hipcc", "passed"),
        ("clang", "passed"),
        ("llama-cli --version", "passed"),
        ("llama-cli --list-devices", "passed"),
        ("generation", "passed"),
        ("libraries", "passed"),
        ("llama-bench", "passed"),
    ];
    assert_eq!(
        outcomes(&first),
        expected.map(|(name, outcome)| (name.to_owned(), outcome.to_owned())),
        "{}",
        first.all()
    );
    let generation = &value["generation"];
    assert_eq!(generation["speed"], 200.0);
    assert!(generation["text"].as_str().unwrap().starts_with(" llama llama"), "{generation}");
    assert!(generation["memory"].as_u64().unwrap() > 50_000, "{generation}");
    assert_eq!(value["bench"][1]["test"], "tg32");
    let found = value["checks"].as_array().unwrap().iter().find(|check| check["name"] == "libraries").unwrap();
    let found = found["found"].as_str().unwrap();
    assert!(found.contains("from /opt/llama, ") && found.contains("from /opt/rocm, "), "{found}");

    // The loader itself reports the libraries, so that every run lists the same files.
    let again = project.run(&["--offline", "validate", "--device", "cpu", "--json"]).code(0).json();
    assert!(again["checks"].as_array().unwrap().iter().any(|check| check["found"] == found), "{again}");
    assert_eq!(again["generation"]["libraries"], generation["libraries"]);
    let libraries = generation["libraries"].as_array().unwrap();
    for library in ["/opt/llama/lib/libggml-cpu.so.0", "/opt/rocm/lib/librocblas.so.5", "/opt/rocm/lib/libhiprtc.so.7"]
    {
        assert!(libraries.iter().any(|path| path == library), "{library} in {libraries:?}");
    }

    let second = project.run(&["--offline", "validate", "--device", "cpu"]).code(0);
    assert!(second.stdout.contains("validated on the CPU only; the GPU was not tested\n"), "{}", second.all());
    assert!(!second.stdout.contains("the text differs"), "{}", second.all());
    assert!(!second.stdout.contains("moved: libraries"), "{}", second.all());
    let digest = project.run(&["lock", "digest"]).code(0).stdout.trim().trim_start_matches("sha256:").to_owned();
    let page = project.read(&format!("validation/{digest}.md"));
    assert!(page.contains("# Validation on the CPU: passed"), "{page}");
    for log in ["generate.log", "generate.out", "llama-bench.err"] {
        assert!(project.path(&format!("validation/{digest}/{log}")).is_file(), "{log}");
    }
}

#[test]
fn a_runtime_that_lost_a_file_fails_with_a_code_of_its_own() {
    let project = project();
    let lost = project.store("main").join("current/runtime/lib/rocblas/library/TensileLibrary_lazy_gfx1151.dat");
    let directory = lost.parent().unwrap();
    std::fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::remove_file(&lost).unwrap();
    let ran = project.run(&["validate", "--device", "cpu"]).code(10);
    assert!(ran.stderr.contains("error: the validation failed: generation, llama-bench"), "{}", ran.all());
    assert!(ran.stdout.contains("failed   generation"), "{}", ran.all());
    let ran = project.run(&["validate", "--device", "cpu", "--json"]).code(10);
    assert_eq!(ran.json()["passed"], false);
}

#[test]
fn it_asks_for_what_it_needs() {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    let ran = project.run(&["validate"]).code(9);
    assert!(ran.stderr.contains("is not realized"), "{}", ran.all());
    project.run(&["realize"]).code(0);
    for arguments in [["validate"].as_slice(), &["validate", "--model", "three"]] {
        let ran = project.run(arguments).code(9);
        assert!(ran.stderr.contains("the lock has no model to validate with"), "{}", ran.all());
        assert!(ran.stderr.contains("hint: add an input of type `huggingface`, or `file`"), "{}", ran.all());
    }
    add_model(&project, "one", Shape::default());
    add_model(&project, "two", Shape { seed: 2, ..Shape::default() });
    project.run(&["update"]).code(0);
    let ran = project.run(&["validate"]).code(2);
    assert!(ran.stderr.contains("name one with --model: one, two"), "{}", ran.all());
    let ran = project.run(&["validate", "--model", "three"]).code(9);
    assert!(
        ran.stderr.contains("the lock has no model `three`\nhint: name one with --model: one, two"),
        "{}",
        ran.all()
    );
    let ran = project.run(&["validate", "--model", "rocm"]).code(2);
    assert!(ran.stderr.contains("input `rocm` is not a model"), "{}", ran.all());
    if !std::path::Path::new("/dev/kfd").exists() {
        let ran = project.run(&["validate", "--model", "one", "--device", "gpu"]).code(9);
        assert!(ran.stderr.contains("no usable GPU on this machine"), "{}", ran.all());
    }
}
