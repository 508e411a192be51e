//! Builds that are wrong in one way each: the check that is meant for it fails.

use serde_json::Value;

use super::{bench, check, project};
use crate::support::{Project, Ran};

/// A way to be wrong (cmake/fault.cmake of the demo's llama.cpp), options of `validate`, the check that finds it, and a
/// piece of its words.
type Wrong = (&'static str, &'static [&'static str], &'static str, &'static str);

const WRONG: [Wrong; 14] = [
    ("long", &[], "agreement", "% apart at 4096 tokens"),
    ("nan", &[], "agreement", "the perplexity is `nan`"),
    ("odd", &[], "micro-batches", " at 37, "),
    ("parallel", &[], "slots", "they part at token 1"),
    ("first", &[], "repeat", "they part at token 1"),
    ("cache", &[], "cached prefix", "they part at token 1"),
    ("seed", &[], "seed", "the same seed gives two texts"),
    ("schema", &[], "tools", "the answer is not JSON, which its schema demands"),
    ("html", &[], "repeat", "the answer is not JSON"),
    ("hang-server", &["--limit", "5"], "repeat", "the server did not answer in time"),
    ("crash-server", &[], "server", "ended by signal 6"),
    ("garbage", &["--quick"], "generation", "the text is the character `@`, again and again"),
    ("hang", &["--quick", "--limit", "5"], "generation", "killed after 5 s, because it had not ended"),
    ("crash", &["--quick"], "generation", "ended by signal 6"),
];

/// Checks that fail, too, since they ask the same program.
const ALSO: [(&str, &str); 2] = [("first", "token by token"), ("nan", "micro-batches")];

/// Ways that a short prompt alone does not find: a quick validation is what `validate` did before it compared numbers.
const SLIPPED_THROUGH: [&str; 3] = ["long", "parallel", "first"];

/// Makes the realized build wrong.
fn make_wrong(project: &Project, way: &str) {
    let place = std::fs::canonicalize(project.store("main").join("current/llama")).unwrap().join("share/llama");
    let script =
        "chmod u+w \"$1\" \"$1/share\" 2> /dev/null; mkdir -p \"$2\"; chmod u+w \"$2\"; echo \"$3\" > \"$2/fault\"";
    let mut sh = std::process::Command::new("sh");
    sh.args(["-c", script, "sh"]).arg(place.ancestors().nth(2).unwrap()).arg(&place).arg(way);
    assert!(sh.status().unwrap().success());
}

fn validate(project: &Project, options: &[&str]) -> Ran {
    project.run(&[&["--offline", "validate", "--device", "cpu", "--json"], options].concat())
}

fn failed(record: &Value) -> Vec<String> {
    let checks = record["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == "failed");
    checks.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_wrong_build_fails_the_check_that_is_meant_for_it() {
    let project = project();
    validate(&project, &[]).code(0);
    for (way, options, name, words) in WRONG {
        make_wrong(&project, way);
        if SLIPPED_THROUGH.contains(&way) {
            validate(&project, &["--quick"]).code(0);
        }
        let ran = validate(&project, options).code(10);
        let record = ran.json();
        let found = check(&record, name)["found"].as_str().unwrap().to_owned();
        assert!(found.contains(words), "{way}: {found}");
        let also = ALSO.iter().filter(|(other, _)| *other == way).map(|(_, also)| *also);
        let expected: Vec<&str> = std::iter::once(name).chain(also).collect();
        assert_eq!(failed(&record), expected, "{way}: {record:#}");
        assert_eq!(record["passed"], false);
    }
}

#[test]
fn a_build_without_the_programs_says_which_checks_did_not_run() {
    let project = project();
    let bin = std::fs::canonicalize(project.store("main").join("current/llama/bin")).unwrap();
    let mut sh = std::process::Command::new("sh");
    sh.args(["-c", "chmod u+w \"$1\" && rm -f \"$1/llama-perplexity\" \"$1/llama-server\"", "sh"]).arg(&bin);
    assert!(sh.status().unwrap().success());
    let record = validate(&project, &[]).code(0).json();
    for (name, why) in [
        ("agreement", "the build has no llama-perplexity"),
        ("micro-batches", "the build has no llama-perplexity"),
        ("server", "the build has no llama-server"),
        ("slots", "the build has no llama-server"),
        ("token by token", "the build has no llama-server"),
    ] {
        let found = check(&record, name);
        assert_eq!((&found["outcome"], &found["found"]), (&"not-run".into(), &why.into()), "{found}");
    }
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let project = Project::new();
    for options in [["--quick", "--deep"].as_slice(), &["--limit", "0"], &["--limit", "x"]] {
        project.run(&[&["validate"], options].concat()).code(2);
    }
}

#[test]
fn two_generations_are_compared_token_by_token_and_then_by_speed() {
    let project = project();
    let against = |number: &str| project.run(&["validate", "--device", "cpu", "--against", number]);
    let ran = against("1").code(0);
    assert!(ran.stdout.contains("equal   long prompt        48 tokens are equal\n"), "{}", ran.all());
    assert!(
        ran.stdout.contains("same    llama-bench tg32   100.00 and 100.00 t/s (+0 %, within noise)\n"),
        "{}",
        ran.all()
    );
    let ran = against("7").code(9);
    assert!(ran.stderr.contains("there is no generation 7"), "{}", ran.all());

    // Another build: its own tree, which is then made wrong.
    let manifest = project.read("manifests/strix.toml");
    let other = manifest.replace("type = \"llama\"\n", "type = \"llama\"\ncmake = { DEMO_FAULT = \"first\" }\n");
    project.write("manifests/strix.toml", &other);
    project.run(&["update"]).code(0);
    let ran = answers(&project, "now", &[]).code(9);
    assert!(ran.stderr.contains("is not realized"), "{}", ran.all());
    project.run(&["realize"]).code(0);
    let ran = against("1").code(10);
    assert!(ran.stderr.contains("the outputs differ from those of generation 1"), "{}", ran.all());
    assert!(ran.stderr.contains("long prompt: they part at token 1"), "{}", ran.all());
    assert!(ran.stderr.contains("hint: `strixlock rollback` switches"), "{}", ran.all());

    the_answers_of_two_sides_are_compared(&project);
    bench::refuse(&project);
    bench::compare(&project, || make_right_and_slower(&project));
    bench_prints(&project, "tokens per second: many");
    bench::meet_garbage(&project);
    bench::name_a_variant(&project);
}

/// Compares the first generation with another side, by their answers.
fn answers(project: &Project, other: &str, options: &[&str]) -> Ran {
    project.run(&[&["diff", "1", other, "--answers", "--device", "cpu"], options].concat())
}

/// Compares the answers of generations 1 and 2, the second of which is wrong.
fn the_answers_of_two_sides_are_compared(project: &Project) {
    let ran = answers(project, "2", &[]).code(10);
    for words in [
        "generation 1 -> 2\n",
        "`, device cpu:\n",
        "wrong   long prompt        they part at token 1",
        "nothing else was run: ",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.all());
    }
    assert!(ran.stderr.contains("the outputs differ from those of generation 1\n"), "{}", ran.all());
    assert!(ran.stderr.contains("found  long prompt: they part at token 1"), "{}", ran.all());
    let value = answers(project, "2", &["--json"]).code(10).json();
    let result = &value["answers"]["result"];
    assert_eq!((&result["agree"], &result["device"]), (&false.into(), &"cpu".into()), "{value:#}");
    assert!(project.path(value["answers"]["logs"].as_str().unwrap()).is_dir(), "{value:#}");

    let ran = answers(project, "1", &[]).code(0);
    assert!(ran.stdout.starts_with("generations 1 and 1 hold the same trees\n"), "{}", ran.all());
    assert!(ran.stdout.contains("equal   long prompt        48 tokens are equal\n"), "{}", ran.all());
    assert!(project.run(&["diff", "--json"]).code(0).json()["answers"].is_null());
    project.run(&["diff", "--device", "cpu"]).code(2);
}

/// Makes the realized build right again, but for speeds that are 10 % lower when it generates.
fn make_right_and_slower(project: &Project) {
    make_wrong(project, "in no way");
    let speed = |(prompt, generated, speed): (u64, u64, u64)| {
        format!("{{\"n_prompt\": {prompt}, \"n_gen\": {generated}, \"avg_ts\": {speed}, \"stddev_ts\": 0}}")
    };
    bench_prints(project, &format!("[{}]", [(512, 0, 1000), (0, 128, 90)].map(speed).join(", ")));
}

/// Puts a program that prints this text in the place of the realized llama-bench.
fn bench_prints(project: &Project, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let bin = std::fs::canonicalize(project.store("main").join("current/llama/bin")).unwrap();
    std::fs::set_permissions(&bin, std::fs::Permissions::from_mode(0o755)).unwrap();
    let bench = bin.join("llama-bench");
    std::fs::remove_file(&bench).unwrap();
    std::fs::write(&bench, format!("#!/bin/sh\necho '{text}'\n")).unwrap();
    std::fs::set_permissions(&bench, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_failed_validation_becomes_a_draft_of_an_advisory() {
    let project = project();
    let none = project.run(&["advisory", "draft"]).code(9);
    assert!(none.stderr.contains("no validation failed"), "{}", none.all());
    make_wrong(&project, "garbage");
    let record = validate(&project, &["--quick"]).code(10).json();
    let drafted = project.run(&["advisory", "draft"]).code(0).stdout;
    for line in [
        "about = \"llama.cpp\"",
        "# generation: the text is the character `@`, again and again",
        "# until = \"\"  # the first good version, once there is one",
        "source = \"\"  # fill in: the https address of the report; refused while it is empty",
    ] {
        assert!(drafted.lines().any(|one| one == line), "{line}: {drafted}");
    }
    assert!(drafted.contains("what = \"these checks of a validation on the CPU fail: generation\""), "{drafted}");
    assert!(!drafted.contains("backends") && !drafted.contains("targets"), "{drafted}");

    // The same failure on the GPU is one of that backend and that GPU.
    let file = record["file"].as_str().unwrap().to_owned();
    let text = project.read(&file);
    project.write(&file, &text.replace("\"device\": \"cpu\"", "\"device\": \"gpu\""));
    let draft = project.run(&["advisory", "draft", "--json"]).code(0).json();
    assert_eq!(draft["advisory"]["backends"], serde_json::json!(["hip"]));
    assert_eq!(draft["advisory"]["targets"], serde_json::json!(["gfx1151"]));
    let of_rocm = project.run(&["advisory", "draft", "rocm", "--json"]).code(0).json();
    assert_eq!((&of_rocm["advisory"]["about"], &of_rocm["advisory"]["from"]), (&"rocm".into(), &"2026-09-01".into()));
    assert_eq!(of_rocm["advisory"]["backends"], Value::Null);
    let wrong = project.run(&["advisory", "draft", "model"]).code(2);
    assert!(wrong.stderr.contains("no advisory can be about input `model`"), "{}", wrong.all());

    // A person fills it in, and it warns of the pin that failed.
    let document = format!("format = 1\n\n{}", draft["text"].as_str().unwrap());
    let serve = |text: String| {
        project.upstream().server().put("/advisories.toml", strixlock_demo::http::Resource::bytes(text.into_bytes()));
    };
    let manifest = project.read("manifests/strix.toml");
    let url = format!("{}advisories.toml", project.base());
    let input = format!("{manifest}\n[inputs.advisories]\ntype = \"advisories\"\nurl = \"{url}\"\n");
    project.write("manifests/strix.toml", &input);
    serve(document.clone());
    let refused = project.run(&["update", "advisories"]).code(3);
    assert!(refused.stderr.contains("a text is empty"), "{}", refused.all());
    serve(document.replace("source = \"\"", "source = \"https://host/reports/1\""));
    let warned = project.run(&["update", "advisories"]).code(0);
    assert!(warned.stderr.contains("known to be bad: these checks of a validation"), "{}", warned.all());
}
