//! Commands in hints: following a hint helps.

mod options;

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use strixlock_demo::gguf_maker::Shape;

use crate::diff::git;
use crate::support::{FIRST, Project, Ran, SECOND};
use crate::validate::add_model;

/// Returns the strixlock commands in the hint of a failed run, as words, with the real directory of the project.
fn hinted(project: &Project, ran: &Ran) -> Vec<Vec<String>> {
    let (_, hint) = ran.stderr.rsplit_once("\nhint: ").unwrap_or_else(|| panic!("no hint: {}", ran.all()));
    let hint = hint.replace("[DIR]", project.directory.path().to_str().unwrap());
    let commands: Vec<Vec<String>> = hint
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|command| command.strip_prefix("strixlock "))
        .map(|arguments| arguments.split_whitespace().map(str::to_owned).collect())
        .collect();
    assert!(!commands.is_empty(), "no command in the hint: {}", ran.all());
    commands
}

/// Runs the commands in the hint of a failed command, one after the other, then the failed one again.
fn follow(project: &Project, failed: &[&str], code: i32) -> Ran {
    let ran = project.run(failed).code(code);
    for command in hinted(project, &ran) {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let next = project.run(&words);
        assert_eq!(next.code, 0, "{failed:?} says `{}`: {}", words.join(" "), next.all());
    }
    project.run(failed)
}

#[test]
fn what_is_missing_is_made_by_what_the_hint_says() {
    let project = Project::new();
    project.full_manifest(FIRST);
    // No lock, no page, no generation, no output.
    follow(&project, &["realize", "--dry-run"], 9).code(0);
    follow(&project, &["audit", "--check"], 4).code(0);
    follow(&project, &["rollback"], 9).code(9);
    follow(&project, &["snapshot", "save", "rocm"], 2).code(2);
    assert!(project.path("rocm.tar.zst").is_file());
    std::fs::remove_dir_all(project.store("main").join("outputs")).unwrap();
    follow(&project, &["snapshot", "save", "llama", "llama.tar.zst"], 9).code(0);
}

#[test]
fn what_is_out_of_date_is_brought_up_to_date_by_what_the_hint_says() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    project.run(&["update"]).code(0);
    project.run(&["audit"]).code(0);
    project.rocm_manifest(SECOND);
    follow(&project, &["realize", "--locked"], 4).code(0);
    follow(&project, &["audit", "--check"], 4).code(0);
    project.rocm_manifest(FIRST);
    follow(&project, &["status", "--check"], 4).code(0);
    project.rocm_manifest(SECOND);
    follow(&project, &["update", "--locked"], 4).code(0);
    // Without a network there is still something to look at.
    follow(&project, &["--offline", "outdated"], 8).code(8);
}

/// The records of realized outputs.
fn outputs(project: &Project) -> Vec<PathBuf> {
    let records = std::fs::read_dir(project.store("main").join("outputs")).unwrap();
    records.map(|record| record.unwrap().path()).collect()
}

#[test]
fn an_older_lock_is_realized_by_what_the_hint_says() {
    let project = Project::new();
    project.full_manifest(FIRST);
    add_model(&project, "model", Shape::default());
    std::fs::create_dir_all(project.path("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_strixlock"), project.path("bin/strixlock")).unwrap();
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    git(&project, &["init", "-q"]);
    git(&project, &["add", "lock"]);
    git(&project, &["commit", "-q", "-m", "one"]);
    std::fs::copy(project.path("lock/strix.lock"), project.path("first.lock")).unwrap();
    let first = outputs(&project);
    let text = project.read("manifests/strix.toml");
    project
        .write("manifests/strix.toml", &text.replace("type = \"llama\"\n", "type = \"llama\"\ncpu = \"x86-64-v3\"\n"));
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let commands: [&[&str]; 4] = [
        &["validate", "--against", "1"],
        &["diff", "1", "now", "--answers"],
        &["diff", "first.lock", "now", "--answers"],
        &["diff", "HEAD", "now", "--answers"],
    ];
    for command in commands {
        // As after a `gc` on a machine that kept the lock alone.
        for output in &first {
            let _ = std::fs::remove_dir_all(output);
        }
        let command = [command, &["--device", "cpu"]].concat();
        let ran = project.run(&command).code(9);
        assert!(ran.stderr.contains("is not realized"), "{}", ran.all());
        let (_, hint) = ran.stderr.rsplit_once("\nhint: `").unwrap();
        let hint = hint.split('`').next().unwrap().replace("[DIR]", project.directory.path().to_str().unwrap());
        let mut sh = Command::new("sh");
        sh.args(["-c", &hint]).current_dir(project.path("")).env_clear().env("PATH", project.search_path());
        sh.env("HOME", project.directory.path()).env("STRIXLOCK_STORE", project.store("main"));
        project.finish(sh.output().unwrap()).code(0);
        let ran = project.run(&command);
        assert!(ran.code == 0 || ran.code == 10, "{}", ran.all());
    }
    let current = project.run(&["generations", "--json"]).code(0).json();
    let current = current["generations"].as_array().unwrap().iter().find(|one| one["current"] == true).cloned();
    assert_eq!(current.unwrap()["number"], 2);
}

#[test]
fn a_wrong_name_leads_to_a_right_one() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    follow(&project, &["update", "llama"], 9).code(9);
    follow(&project, &["verify", "llama"], 9).code(0);
    for (wrong, right) in [("lama", "llama"), ("runtme", "runtime"), ("rcom", "rocm")] {
        let ran = project.run(&["realize", wrong]).code(9);
        assert!(ran.stderr.ends_with(&format!("hint: did you mean `{right}`?\n")), "{}", ran.all());
        project.run(&["realize", right]).code(0);
    }
    let ran = project.run(&["realize", "llama-cpp"]).code(9);
    assert!(ran.stderr.contains("`llama-cpp` is an input, and the output `llama` is made from it"), "{}", ran.all());
}

#[test]
fn damage_is_repaired_by_what_the_hint_says() {
    let project = Project::realized(&[FIRST]);
    let damage = |place: &std::path::Path| {
        use std::os::unix::fs::PermissionsExt;
        let _ = std::fs::set_permissions(place, PermissionsExt::from_mode(0o644));
        std::fs::write(place, "damaged").unwrap();
    };
    let stored = std::fs::canonicalize(project.store("main").join("current/rocm")).unwrap();
    damage(&stored.join(".info/version"));
    follow(&project, &["verify"], 7).code(0);
    // A copy outside of the store is written again, not repaired; in each of the two ways to ask.
    project.run(&["realize", "rocm", "--to", "copies"]).code(0);
    damage(&project.path("copies/rocm/.info/version"));
    follow(&project, &["verify", "copies/rocm"], 7).code(0);
    damage(&project.path("copies/rocm/.info/version"));
    let ran = project.run(&["verify", "--repair", "copies/rocm"]).code(1);
    assert_eq!(hinted(&project, &ran), [["realize", "rocm", "--to", "copies", "--force"].map(str::to_owned)]);
}
