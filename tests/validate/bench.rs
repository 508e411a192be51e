//! `strixlock bench`: the result is told and written, and what does not compute the same is refused.
//!
//! The speeds of the stand-ins are constants, and every run here has --busy-ok, so nothing depends on this machine. The
//! rule itself is tested where it is.

use serde_json::{Value, json};

use crate::support::Project;

/// Options of every run here.
const HERE: [&str; 4] = ["bench", "--device", "cpu", "--busy-ok"];

/// Benchmarks two generations, the second of which is wrong; `mend` makes it right and 10 % slower.
pub fn compare(project: &Project, mend: impl FnOnce()) {
    let both = ["-g", "1", "-g", "2"];
    let ran = project.run(&[&HERE[..], &both, &["--runs", "1"]].concat()).code(10);
    for words in
        ["g1, token by token", "error: not all compute what g1 does", "found  g2, token by token: they part at token 1"]
    {
        let told = !words.starts_with("g1,");
        assert_eq!(ran.all().contains(words), told, "{words}: {}", ran.all());
    }
    assert!(ran.stdout.contains("g2, perplexity: passed: "), "{}", ran.all());
    assert!(ran.stdout.contains("g2, tg128: undecided: too few rounds"), "{}", ran.all());

    mend();
    let value = project.run(&[&HERE[..], &both, &["--runs", "10", "--json"]].concat()).code(0).json();
    assert_eq!((&value["rounds"], &value["left_out"], &value["agree"]), (&json!(10), &json!(0), &json!(true)));
    let first = &value["contenders"][0];
    assert_eq!((&first["name"], &first["generation"], &first["output"]), (&json!("g1"), &json!(1), &json!("runtime")));
    assert_eq!((&first["rocm"], &first["backend"]), (&json!("10.1.0a20260901"), &json!("hip")));
    assert_eq!(first["device"], "cpu");
    assert!(first["llama"].as_str().unwrap().starts_with('b'), "{first}");
    assert_eq!(
        first["speeds"][0],
        json!({ "test": "pp512", "median": 1000.0, "noise": 0.0, "rounds": vec![1000.0; 10] })
    );
    let found: Vec<(&str, &str)> = value["comparisons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["test"].as_str().unwrap(), one["verdict"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [("pp512", "no-difference"), ("tg128", "slower")]);
    assert!((value["comparisons"][1]["percent"].as_f64().unwrap() + 10.0).abs() < 1e-6, "{value:#}");
    assert_eq!(value["comparisons"][0]["detectable"], 2.0);
    let page = value["markdown"].as_str().unwrap();
    assert!(
        page.contains("| g2 | ") && page.contains(" | tg128 | 90.00 ± 0.00 | -10.0 % (-10.0 to -10.0): slower |"),
        "{page}"
    );
    written(project, &value);
}

/// Runs a llama-bench that prints something else.
pub fn meet_garbage(project: &Project) {
    let ran = project.run(&[&HERE[..], &["-g", "1", "-g", "2"]].concat()).code(10);
    let told = "error: g2: llama-bench failed\n  found  its output is not the expected JSON\n";
    assert!(ran.stderr.contains(told), "{}", ran.all());
}

/// Compares record, page and index with what was printed.
fn written(project: &Project, value: &Value) {
    let file = value["file"].as_str().unwrap();
    let name = file.strip_prefix("bench/").and_then(|name| name.strip_suffix(".json")).unwrap();
    assert!(name.len() == "2026-11-30-2".len() && name.ends_with("-2"), "{name}");
    let record: Value = serde_json::from_str(&project.read(file)).unwrap();
    assert_eq!(record["contenders"], value["contenders"]);
    assert_eq!(project.read(&format!("bench/{name}.md")), value["markdown"].as_str().unwrap());
    let index: Value = serde_json::from_str(&project.read("bench/index.json")).unwrap();
    assert_eq!(index["records"].as_object().unwrap().len(), 2);
    assert_eq!(index["records"][name]["verdicts"], json!({ "g2 pp512": "no-difference", "g2 tg128": "slower" }));
    assert!(project.path(&format!("bench/{name}/g2/round-10.out")).is_file());
}

/// Asks for a variant that is pinned, and not made.
pub fn name_a_variant(project: &Project) {
    let manifest = project.read("manifests/strix.toml");
    let variant = "\n[variants.other]\noutputs.llama = { cmake = { DEMO_FAULT = \"seed\" } }\n";
    project.write("manifests/strix.toml", &format!("{manifest}{variant}"));
    project.run(&["update"]).code(0);
    for words in [&["other"][..], &[], &["default", "other"]] {
        let ran = project.run(&[&HERE[..], words].concat()).code(9);
        assert!(
            ran.stderr.contains("error: other: output `runtime.other` is not realized\nhint: run `strixlock realize`"),
            "{}",
            ran.all()
        );
    }
    let validate = |words: &[&str]| project.run(&[&["validate", "--device", "cpu"], words].concat());
    let unknown = [project.run(&[&HERE[..], &["othr"]].concat()), validate(&["--variant", "othr"])];
    for ran in unknown.map(|ran| ran.code(9)) {
        assert!(ran.stderr.contains("the lock has no output or variant `othr`"), "{}", ran.all());
    }
    let ran = validate(&["--variant", "other"]).code(9);
    assert!(ran.stderr.contains("error: output `runtime.other` is not realized"), "{}", ran.all());

    // Its record is its own: it says nothing of the generation.
    project.run(&["realize"]).code(0);
    let history = || project.run(&["validate", "--history", "--json"]).code(0).json()["history"].clone();
    let before = history();
    let value = validate(&["--variant", "other", "--quick", "--json"]).code(0).json();
    assert_eq!(value["variant"], "other");
    assert_eq!(history(), before);
    let ran = validate(&["--variant", "other"]).code(10);
    assert!(ran.stdout.contains("validated `other` alone: "), "{}", ran.all());
    assert!(ran.stderr.contains("error: the validation failed: seed\n"), "{}", ran.all());
    assert!(validate(&["--variant", "default", "--quick", "--json"]).json().get("variant").is_none());
}

/// Asks for what cannot be compared.
pub fn refuse(project: &Project) {
    for (words, code, told) in [
        (&["--prompt", "0", "--generate", "0"][..], 2, "nothing to measure"),
        (&["-g", "7"], 9, "there is no generation 7"),
        (&["-g", "1", "-g", "1"], 2, "`g1` is named twice"),
        (&["rocm"], 2, "`rocm` is an output of type rocm, which runs no llama-bench"),
        (&["runtmie"], 9, "the lock has no output or variant `runtmie`\nhint: did you mean `runtime`?"),
        (&["--model", "three"], 9, "the lock has no model `three`"),
    ] {
        let ran = project.run(&[&HERE[..], words].concat()).code(code);
        assert!(ran.stderr.contains(told), "{words:?}: {}", ran.all());
    }
    project.run(&["bench", "--runs", "0"]).code(2);
}
