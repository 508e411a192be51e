//! `strixlock validate`, with llama.cpp and the trimmed runtime of the embedded upstream in the sandbox.

mod bench;
mod wrong;

use strixlock_demo::gguf_maker::{Shape, model};

use serde_json::Value;

use crate::support::{Project, Ran};

/// Returns a project with all outputs realized and a model in a local file.
fn project() -> Project {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    add_model(&project, "model", Shape { context: 8192, ..Shape::default() });
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
        ("processor", "passed"),
        ("device", "not-run"),
        ("rocminfo", "passed"),
        ("hipcc", "passed"),
        ("clang", "passed"),
        ("llama-cli --version", "passed"),
        ("llama-cli --list-devices", "passed"),
        ("generation", "passed"),
        ("libraries", "passed"),
        ("llama-bench", "passed"),
        ("agreement", "passed"),
        ("server", "passed"),
        ("repeat", "passed"),
        ("slots", "passed"),
        ("cached prefix", "passed"),
        ("seed", "passed"),
        ("tools", "passed"),
        ("token by token", "passed"),
        ("micro-batches", "passed"),
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

    let libraries = generation["libraries"].as_array().unwrap();
    for library in ["/opt/llama/lib/libggml-cpu.so.0", "/opt/rocm/lib/librocblas.so.5", "/opt/rocm/lib/libhiprtc.so.7"]
    {
        assert!(libraries.iter().any(|path| path == library), "{library} in {libraries:?}");
    }
    let figures = |name: &str| check(&value, name)["figures"].clone();
    assert_eq!(figures("agreement")["context"], 4096);
    assert_eq!(figures("agreement")["perplexity"], figures("agreement")["reference-perplexity"]);
    assert_eq!(figures("token by token")["equal-tokens"], 48);

    // Records and pages have the day and the generation in their names; nothing is replaced.
    let again = project.run(&["--offline", "validate", "--device", "cpu", "--quick"]).code(0);
    assert!(again.stdout.contains("validated on the CPU only; the GPU was not tested\n"), "{}", again.all());
    assert!(again.stdout.contains("no change beyond noise since the last validation\n"), "{}", again.all());
    let left_out = again.stdout.lines().find(|line| line.starts_with("not run  agreement "));
    assert!(left_out.is_some_and(|line| line.ends_with("  left out by --quick")), "{}", again.all());
    let names = names(&project);
    let [first, second] = names.as_slice() else { panic!("{names:?}") };
    assert!(first.len() == "2026-11-30-g1".len() && first.ends_with("-g1"), "{first}");
    assert_eq!(*second, format!("{first}-2"));
    assert_eq!(value["file"], format!("validation/{first}.json"));
    let page = project.read(&format!("validation/{first}.md"));
    assert!(
        page.contains("# Validation on the CPU: passed") && page.contains("| agreement | context | `4096` |"),
        "{page}"
    );
    for log in ["generate.log", "generate.out", "llama-bench.err", "server.err", "agreement.out"] {
        assert!(project.path(&format!("validation/{first}/{log}")).is_file(), "{log}");
    }
    let record: Value = serde_json::from_str(&project.read(&format!("validation/{first}.json"))).unwrap();
    assert_eq!(record["profile_generation"], 1);
    assert_eq!(record["extent"], "usual");
    assert_eq!(record["machine"]["rocm"], "10.1.0a20260901");
    assert!(record["derivations"]["llama"].as_str().unwrap().starts_with("sha256:"), "{record:#}");
    let status = project.run(&["status"]).code(0);
    assert!(status.stdout.contains("validation passed on the CPU"), "{}", status.all());
}

/// Returns the names of the records, sorted.
fn names(project: &Project) -> Vec<String> {
    let entries = std::fs::read_dir(project.path("validation")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect();
    names.retain(|name| name != "index");
    names.sort();
    names
}

/// Returns a check of a record by its name.
fn check<'v>(record: &'v Value, name: &str) -> &'v Value {
    let checks = record["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name} in {record:#}"))
}

/// Removes all times and speeds from a record, and its memory, which a program has more or less of.
fn without_measurements(mut record: Value) -> Value {
    record["time"].take();
    for name in ["load", "prompt_speed", "speed", "memory"] {
        record["generation"][name].take();
    }
    for one in record["bench"].as_array_mut().unwrap() {
        (one["speed"], one["deviation"]) = (Value::Null, Value::Null);
    }
    record
}

#[test]
fn records_of_the_same_trees_are_equal_but_for_times_and_speeds() {
    let project = project();
    let mut all: Vec<Value> = (0..3)
        .map(|_| {
            let file = project.run(&["validate", "--device", "cpu", "--json"]).code(0).json()["file"].clone();
            let file = file.as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
            without_measurements(serde_json::from_str(&project.read(&format!("validation/{file}"))).unwrap())
        })
        .collect();
    let first = all.remove(0);
    assert!(all.iter().all(|other| *other == first), "{first:#}\n{all:#?}");
    assert_eq!(first["checks"].as_array().unwrap().len(), 20);
}

#[test]
fn a_runtime_that_lost_a_file_fails_with_a_code_of_its_own() {
    let project = project();
    let lost = project.store("main").join("current/runtime/lib/rocblas/library/TensileLibrary_lazy_gfx1151.dat");
    let directory = lost.parent().unwrap();
    std::fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::remove_file(&lost).unwrap();
    let ran = project.run(&["validate", "--device", "cpu", "--quick"]).code(10);
    assert!(ran.stderr.contains("error: the validation failed: generation, llama-bench"), "{}", ran.all());
    assert!(ran.stdout.contains("failed   generation"), "{}", ran.all());
    let ran = project.run(&["validate", "--device", "cpu", "--quick", "--json"]).code(10);
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
