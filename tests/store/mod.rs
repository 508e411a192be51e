//! `strixlock store`, `gc` and `diff`; several processes and several projects in one store.

mod busy;
mod durable;
mod migrate;
mod order;
mod owners;
mod pack;
mod profiles;
mod reading;

use crate::support::{FIRST, Project, SECOND};

/// Returns the listed generations of a project, without their dates.
pub fn listed(project: &Project) -> Vec<String> {
    let ran = project.run(&["generations"]).code(0);
    let words = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (mark, words) = if words[0] == "*" { ("*", &words[1..]) } else { (" ", &words[..]) };
        // Behind the number: day, time, size with its unit, and `not run`.
        assert_eq!(words[5..7], ["not", "run"], "{line}");
        format!("{mark} {} {}", words[0], words[7..].join(" "))
    };
    ran.stdout.lines().skip(1).map(words).collect()
}

#[test]
fn the_second_nightly_adds_only_what_changed() {
    let project = Project::realized(&[FIRST, SECOND]);
    let usage = &project.run(&["store", "--json"]).code(0).json()["usage"];
    let trees = usage["trees"].as_array().unwrap();
    assert_eq!(trees.len(), 2);
    assert_eq!(trees[0]["what"], format!("rocm {FIRST}"));
    let (size, adds) = (trees[1]["size"].as_u64().unwrap(), trees[1]["adds"].as_u64().unwrap());
    assert!(adds > 0 && adds < size, "{usage}");
    let difference = &project.run(&["diff", "--json"]).code(0).json()["outputs"][0];
    let bytes: u64 = ["added", "changed"]
        .iter()
        .flat_map(|kind| difference[*kind].as_array().unwrap().clone())
        .filter_map(|path| {
            std::fs::symlink_metadata(project.store("main").join("current/rocm").join(path.as_str().unwrap())).ok()
        })
        .filter(std::fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum();
    assert!(adds <= bytes, "{adds} bytes added, {bytes} changed");
    let ran = project.run(&["store"]).code(0);
    assert!(ran.stdout.contains("downloads "), "{}", ran.all());
}

#[test]
fn diff_tells_versions_sizes_and_files() {
    let project = Project::realized(&[FIRST, SECOND]);
    let ran = project.run(&["diff"]).code(0);
    assert!(
        ran.stdout.starts_with(
            "generation 1 -> 2\noutputs different: rocm\ninput rocm 10.1.0a20260901 -> 10.1.0a20260902\n  made       2026-09-01 -> 2026-09-02\n"
        ),
        "{}",
        ran.all()
    );
    assert!(ran.stdout.contains("\n  TheRock    ") && ran.stdout.contains("\n  ~  "), "{}", ran.all());
    assert!(ran.stdout.contains("\noutput rocm 629 kB -> 629 kB\n  through  rocm\n  +  lib/"), "{}", ran.all());
    let ran = project.run(&["diff", "--stat"]).code(0);
    assert!(
        ran.stdout.ends_with("  added  removed  changed\nrocm    629 kB  629 kB      1        1       20\n"),
        "{}",
        ran.all()
    );
    assert_eq!(project.run(&["diff", "1", "1"]).code(0).stdout, "generations 1 and 1 hold the same trees\n");
    project.run(&["diff", "1", "9"]).code(9);
}

#[test]
fn diff_compares_with_another_generation_also_from_the_oldest_one() {
    let project = Project::new();
    let ran = project.run(&["diff"]).code(9);
    assert!(ran.stderr.contains("there is no generation yet"), "{}", ran.all());
    let project = Project::realized(&[FIRST, SECOND]);
    let pair = |arguments: &[&str]| {
        let value = project.run(&[&["--json", "diff"], arguments].concat()).code(0).json();
        (value["from"].as_u64().unwrap(), value["to"].as_u64().unwrap())
    };
    // Current: 2.
    assert_eq!((pair(&[]), pair(&["1"]), pair(&["2"]), pair(&["2", "1"])), ((1, 2), (1, 2), (1, 2), (2, 1)));
    project.run(&["rollback"]).code(0);
    // Current: 1, the oldest.
    assert_eq!((pair(&[]), pair(&["1"]), pair(&["2"]), pair(&["1", "1"])), ((1, 2), (1, 2), (2, 1), (1, 1)));
    let ran = project.run(&["diff"]).code(0);
    assert!(
        ran.stdout
            .starts_with("generation 1 -> 2\noutputs different: rocm\ninput rocm 10.1.0a20260901 -> 10.1.0a20260902\n"),
        "{}",
        ran.all()
    );
    project.run(&["gc", "--keep", "1"]).code(0);
    project.run(&["switch", "2"]).code(0);
    project.run(&["gc", "--keep", "1"]).code(0);
    let ran = project.run(&["diff"]).code(9);
    assert!(ran.stderr.contains("nothing to compare generation 2 with: it is the only one"), "{}", ran.all());
}

#[test]
fn what_roots_lead_to_stays_and_the_rest_goes() {
    let project = Project::realized(&[FIRST, SECOND]);
    let trees = || std::fs::read_dir(project.store("main").join("trees")).unwrap().count();
    // Both generations and the lock's input are roots.
    let ran = project.run(&["gc"]).code(0);
    assert!(ran.stdout.starts_with("removed 1 download: "), "{}", ran.all());
    assert_eq!(project.run(&["gc"]).code(0).stdout, "nothing to remove\n");
    project.run(&["realize"]).code(0);
    let would = project.run(&["gc", "--keep", "1", "--dry-run", "--json"]).code(0).json();
    let profile = project.profile().file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(would["collected"]["generations"], serde_json::json!([{ "profile": profile, "number": 1 }]));
    assert_eq!(trees(), 2);
    let did = project.run(&["gc", "--keep", "1", "--json"]).code(0).json();
    assert_eq!(did["collected"]["trees"], would["collected"]["trees"]);
    assert_eq!(did["collected"]["bytes"], would["collected"]["bytes"]);
    assert_eq!(trees(), 1);
    project.run(&["verify"]).code(0);
    project.run(&["--offline", "realize"]).code(0);
    assert_eq!(listed(&project), ["* 2 rocm 10.1.0a20260902"]);
    // Without the lock, and if everything is old, only the current generation stays.
    std::fs::remove_file(project.path("lock/strix.lock")).unwrap();
    project.run(&["gc", "--older-than", "0s", "--max-size", "1k"]).code(0);
    project.run(&["verify"]).code(0);
    assert_eq!(trees(), 1);
    assert!(std::fs::read_dir(project.store("main").join("downloads/sha256")).unwrap().next().is_none());
}

#[test]
fn a_registered_lock_that_cannot_be_read_stops_the_collector() {
    let project = Project::realized(&[FIRST, SECOND]);
    project.write("lock/strix.lock", "<<<<<<< HEAD\n");
    let ran = project.run(&["gc"]).code(3);
    assert!(ran.stderr.contains("strix.lock: line 1 is a conflict marker"), "{}", ran.all());
    project.run(&["verify"]).code(0);
}

#[test]
fn a_lock_whose_directory_is_gone_is_forgotten_only_when_told() {
    let project = Project::realized(&[FIRST, SECOND]);
    std::fs::remove_dir_all(project.path("lock")).unwrap();
    let ran = project.run(&["gc"]).code(9);
    assert!(ran.stderr.contains("lock/strix.lock") && ran.stderr.contains("--forget-missing"), "{}", ran.all());
    let known = || std::fs::read_dir(project.store("main").join("locks")).unwrap().count();
    project.run(&["gc", "--forget-missing", "--dry-run"]).code(0);
    assert_eq!(known(), 1);
    project.run(&["gc", "--forget-missing"]).code(0);
    assert_eq!(known(), 0);
    project.run(&["gc"]).code(0);
}

#[test]
fn many_processes_make_one_download_and_equal_results() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    project.run_in_store("first", &["update"]).code(0);
    project.upstream().server().clear_log();
    let children: Vec<_> = (0..16)
        .map(|_| {
            project
                .command(&["realize", "--json"])
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let trees: std::collections::BTreeSet<String> = children
        .into_iter()
        .map(|child| project.finish(child.wait_with_output().unwrap()).code(0).tree("rocm"))
        .collect();
    assert_eq!(trees.len(), 1);
    let gets = project
        .upstream()
        .server()
        .log()
        .into_iter()
        .filter(|request| request.method == "GET" && request.path.ends_with(".tar.gz"));
    assert_eq!(gets.count(), 1);
    assert_eq!(listed(&project), ["* 1 rocm 10.1.0a20260901"]);
}
