//! `strixlock up`: what passes its validation becomes current, and nothing else does.

use serde_json::Value;
use strixlock_demo::gguf_maker::Shape;

use crate::support::{FIRST, Project, Ran, SECOND};
use crate::validate::add_model;

/// Writes the manifest with a model, and the build wrong in this way (cmake/fault.cmake of the demo's llama.cpp).
fn manifest(project: &Project, version: &str, fault: Option<&str>) {
    project.full_manifest(version);
    add_model(project, "model", Shape::default());
    if let Some(fault) = fault {
        let text = project.read("manifests/strix.toml");
        project.write("manifests/strix.toml", &format!("{text}\n[outputs.llama.cmake]\nDEMO_FAULT = \"{fault}\"\n"));
    }
}

fn up(project: &Project, options: &[&str]) -> Ran {
    project.run(&[&["up", "--device", "cpu"], options].concat())
}

/// Returns the numbers of the generations with their verdicts, and the current one.
fn generations(project: &Project) -> (Vec<(u64, Option<bool>)>, u64) {
    let value = project.run(&["generations", "--json"]).code(0).json();
    let all = value["generations"].as_array().unwrap().clone();
    let number = |one: &Value| one["number"].as_u64().unwrap();
    let current = all.iter().find(|one| one["current"] == true).map(number).unwrap();
    (all.iter().map(|one| (number(one), one["validation"]["passed"].as_bool())).collect(), current)
}

#[test]
fn one_version_is_taken_once_and_a_downgrade_must_be_allowed() {
    let project = Project::new();
    manifest(&project, "latest", None);
    let usage = up(&project, &["--validate", "none", "--to", FIRST]).code(2);
    assert!(usage.stderr.contains("INPUT"), "{}", usage.all());
    let many = up(&project, &["rocm", "llama-cpp", "--to", FIRST]).code(2);
    assert!(many.stderr.contains("hint: such as `strixlock up rocm --to VERSION`"), "{}", many.all());
    up(&project, &["--validate", "none"]).code(0);
    let locked = format!("\"version\": \"{FIRST}\"");
    assert!(!project.read("lock/strix.lock").contains(&locked));
    let ran = up(&project, &["rocm", "--to", FIRST, "--validate", "none"]).code(0);
    assert!(ran.stdout.contains("downgrade"), "{}", ran.all());
    assert!(project.read("lock/strix.lock").contains(&locked), "{}", ran.all());
}

#[test]
fn only_what_passes_its_validation_becomes_current() {
    let project = Project::new();
    manifest(&project, FIRST, None);
    let first = up(&project, &[]).code(0);
    assert!(first.stdout.contains("generation 1 passed its validation\nswitched to generation 1\n"), "{}", first.all());
    let lock = project.lock();
    let again = up(&project, &[]).code(0);
    assert_eq!(again.stdout, "nothing is new: generation 1 is current\n");

    // A new nightly, with which the programs write garbage.
    manifest(&project, SECOND, Some("garbage"));
    let failed = up(&project, &[]).code(10);
    assert!(
        failed.stderr.contains(
            "error: generation 2 failed its validation: generation\n  found    generation: the text is the character `@`"
        ),
        "{}",
        failed.all()
    );
    assert!(failed.stderr.contains("\n  lock     lock/strix.lock  unchanged\n"), "{}", failed.all());
    assert!(
        failed.stderr.contains("\n  current  generation 1, as before\nhint: `strixlock diff 1 2` "),
        "{}",
        failed.all()
    );
    assert_eq!(project.lock(), lock);
    assert_eq!(generations(&project), (vec![(1, Some(true)), (2, Some(false))], 1));
    // The same again on the next day, without a build.
    let value = up(&project, &["--json"]).code(10).json();
    assert_eq!((&value["generation"], &value["current"], &value["switched"]), (&2.into(), &1.into(), &false.into()));
    assert_eq!((&value["written"], &value["validation"]["failed"][0]), (&false.into(), &"generation".into()));
    // Both hints work when they are followed.
    project.run(&["diff", "1", "2"]).code(0);
    project.run(&["switch", "2"]).code(0);
    project.run(&["rollback"]).code(0);

    manifest(&project, SECOND, None);
    let passed = up(&project, &[]).code(0);
    assert!(passed.stdout.contains("\nswitched from generation 1 to 3\n  rocm "), "{}", passed.all());
    assert_eq!(generations(&project), (vec![(1, Some(true)), (2, Some(false)), (3, Some(true))], 3));
    assert_ne!(project.lock(), lock);
    project.run(&["status", "--check"]).code(0);
}

#[test]
fn without_a_model_nothing_is_built_that_could_not_be_judged() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    let ran = up(&project, &[]).code(9);
    assert!(ran.stderr.contains("error: the lock has no model to validate with\nhint: "), "{}", ran.all());
    assert!(!project.path("lock/strix.lock").exists());
    let ran = up(&project, &["--validate", "none"]).code(0);
    assert!(ran.stdout.contains("generation 1 was not validated\nswitched to generation 1\n"), "{}", ran.all());
    up(&project, &["--validate", "much"]).code(2);
}
