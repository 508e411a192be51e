//! Seals: for which request they hold, and that they outlive a change of the program's recipes.

use serde_json::{Value, json};
use strixlock_ground::digest::Sha256Digest;

use crate::golden::{commit, small_build};
use crate::lock::seal;
use crate::support::Project;

const NOTE: &str = "sealed by a version of strixlock with another recipe for it";

fn text(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).unwrap())
}

fn parsed(project: &Project) -> Value {
    serde_json::from_str(&project.lock()).unwrap()
}

/// A project with a sealed build.
fn sealed() -> Project {
    let project = Project::empty();
    small_build(&project);
    project.run(&["update"]).code(0);
    project.run(&["realize", "--seal"]).code(0);
    project
}

/// Gives the build the seal that strixlock 0.1.0 wrote before recipes were hashed.
fn seal_as_before(project: &Project, change: impl Fn(&mut Value)) {
    let mut lock = parsed(project);
    let pin = &lock["inputs"]["llama-cpp"]["locked"];
    let input = json!({
        "content": pin["content"]["digest"], "commit": pin["commit"], "number": pin["number"], "time": pin["time"],
    });
    let derivation = json!({
        "format": "strix-derivation-1", "recipe": lock["outputs"]["llama"]["recipe"], "revision": 2,
        "inputs": { "llama-cpp": input }, "outputs": {},
    });
    let block = &mut lock["outputs"]["llama"];
    let tree = block["sealed"]["tree"].clone();
    block["sealed"] = json!({ "derivation": Sha256Digest::of(text(&derivation).as_bytes()).to_string(), "tree": tree });
    change(&mut block["sealed"]);
    seal(block);
    project.write("lock/strix.lock", &text(&lock));
}

#[test]
fn a_seal_of_an_earlier_recipe_holds() {
    let project = sealed();
    let first = project.lock();
    seal_as_before(&project, |_| {});
    let earlier = project.lock();
    assert_ne!(earlier, first);

    let ran = project.run(&["status"]).code(0);
    assert!(
        ran.stdout.contains(&format!("llama: {NOTE}; the seal is still valid, and `strixlock realize llama --seal`")),
        "{}",
        ran.all()
    );
    assert_eq!(project.run(&["status", "--json"]).code(0).json()["earlier_seals"], json!(["llama"]));
    project.run(&["update"]).code(0);
    assert_eq!(project.lock(), earlier, "an update that finds nothing new leaves the seal");

    // The store of the earlier version: it has the tree, under another id.
    let id = project.run(&["lock", "digest", "llama"]).code(0).stdout.trim().replace("sha256:", "");
    let outputs = project.store("main").join("outputs");
    let sealed = parsed(&project)["outputs"]["llama"]["sealed"]["derivation"].as_str().unwrap().replace("sha256:", "");
    std::fs::rename(outputs.join(&id), outputs.join(&sealed)).unwrap();
    project.run(&["gc"]).code(0);
    let ran = project.run(&["--offline", "realize"]).code(0);
    assert!(ran.stderr.contains("llama: used as sealed by a version of strixlock"), "{}", ran.all());
    let ran = project.run(&["realize"]).code(0);
    assert!(!ran.stderr.contains("used as sealed"), "it is told once: {}", ran.all());
    project.run(&["check", "llama"]).code(0);

    // A tree that only the lock calls this output is not believed: it is made, and compared.
    std::fs::remove_dir_all(outputs.join(&id)).unwrap();
    std::fs::remove_dir_all(outputs.join(&sealed)).unwrap();
    let ran = project.run(&["realize"]).code(0);
    assert!(ran.stderr.contains("building it with the current recipe and comparing"), "{}", ran.all());

    // Elsewhere it is made, and must be what was sealed.
    let ran = project.run_in_store("other", &["realize"]).code(0);
    assert!(
        ran.stderr.contains(&format!("llama: {NOTE}; building it with the current recipe and comparing")),
        "{}",
        ran.all()
    );
    project.run(&["realize", "--seal"]).code(0);
    assert_eq!(project.lock(), first);
}

#[test]
fn what_todays_recipe_makes_is_compared_with_the_earlier_seal() {
    let project = sealed();
    let wrong = format!("sha256:{}", "0".repeat(64));
    seal_as_before(&project, |seal| seal["tree"] = wrong.clone().into());
    let ran = project.run_in_store("other", &["realize"]).code(6);
    assert!(ran.stderr.contains(NOTE) && ran.stderr.contains(&wrong), "{}", ran.all());
}

#[test]
fn a_seal_for_other_pins_is_refused_until_an_update_takes_it_out() {
    let project = Project::empty();
    let made = small_build(&project);
    project.run(&["update"]).code(0);
    project.run(&["realize", "--seal"]).code(0);
    for earlier in [false, true] {
        let sealed = parsed(&project);
        if earlier {
            seal_as_before(&project, |_| {});
        }
        let outputs = parsed(&project)["outputs"].clone();
        commit(&made, if earlier { b"#!/bin/sh -e\n" } else { b"#!/bin/sh -u\n" });
        project.run(&["update"]).code(0);
        // As a merge of two branches leaves it: the pins of one and the seal of the other.
        let mut merged = parsed(&project);
        assert_ne!(merged["inputs"], sealed["inputs"]);
        assert!(merged["outputs"]["llama"].get("sealed").is_none());
        merged["outputs"] = outputs;
        project.write("lock/strix.lock", &text(&merged));
        for command in ["status", "realize", "audit"] {
            let ran = project.run(&[command]).code(3);
            assert!(
                ran.stderr
                    .contains("the output `llama` was sealed for other pins or another recipe than the lock has\n"),
                "{}",
                ran.all()
            );
        }
        let ran = project.run(&["update"]).code(0);
        assert!(ran.stderr.contains("warning: llama: removed the seal, which was for other pins"), "{}", ran.all());
        project.run(&["realize", "--seal"]).code(0);
    }
}
