//! `strixlock audit`.

use std::process::Command;

use crate::support::Project;

#[test]
fn the_page_is_made_from_the_lock_and_checked_against_it() {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    let ran = project.run(&["audit", "--check"]).code(4);
    assert!(ran.stderr.contains("found  no such file"), "{}", ran.all());
    project.run(&["audit"]).code(0);
    project.run(&["audit", "--check"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    let rocm = &lock["inputs"]["rocm"]["locked"];
    let git = &lock["inputs"]["llama-cpp"]["locked"];
    for fact in [
        &rocm["version"],
        &rocm["sha256"],
        &rocm["tree"]["digest"],
        &rocm["therock"]["commit"],
        &git["commit"],
        &git["tree"],
        &git["content"]["digest"],
    ] {
        assert!(page.contains(fact.as_str().unwrap()), "{fact} is not on the page");
    }
    project.write("REPRODUCIBLE.md", &page.replace("gfx1151", "gfx1150"));
    let ran = project.run(&["audit", "--check"]).code(4);
    assert!(ran.stderr.contains("differs  from line "), "{}", ran.all());
}

/// The commands of the page, run unchanged by a shell, confirm the lock.
#[test]
fn a_stranger_can_run_the_commands() {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    // The function, and the commands of both inputs; scripts/test installs Nix.
    let script = format!("set -e\n{}", blocks(&page)[..3].join("\n"));
    std::fs::create_dir(project.path("stranger")).unwrap();
    let said = run_by_bash(&script, &project.path("stranger"));
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    assert!(said.contains(": OK\n"), "{said}");
    let (rocm, git) = (&lock["inputs"]["rocm"]["locked"], &lock["inputs"]["llama-cpp"]["locked"]);
    for proof in [&rocm["tree"]["digest"], &git["content"]["digest"], &git["tree"]] {
        assert!(said.contains(proof.as_str().unwrap()), "{proof}: {said}");
    }
    // The expected output stands behind each command.
    for line in script.lines().filter(|line| line.starts_with("nix ") || line.starts_with("tree_digest ")) {
        let (_, expected) = line.split_once("   # ").unwrap();
        assert!(said.lines().any(|said| said == expected), "{line}: {said}");
    }
    assert_eq!(script.matches("nix --extra-experimental-features nix-command hash path").count(), 2);
}

/// Returns the blocks of shell commands of a page.
pub fn blocks(page: &str) -> Vec<&str> {
    page.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

/// Runs commands unchanged and returns their output.
pub fn run_by_bash(script: &str, directory: &std::path::Path) -> String {
    let output = Command::new("bash").arg("-c").arg(script).current_dir(directory).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{script}\n{said}");
    said
}

#[test]
fn in_what_an_output_was_built_is_on_the_page() {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    assert!(page.contains("- built in: **the host's own `/usr`**, which is not pinned"), "{page}");
    assert!(page.contains("- compiler: `clang of that ROCm, /opt/rocm/lib/llvm/bin/clang`"), "{page}");
    assert!(page.contains("tree_digest check/llama   # not sealed"), "{page}");
    project.run(&["realize"]).code(0);
    let sealed = project.run(&["realize", "--seal", "--json"]).code(0);
    project.run(&["audit"]).code(0);
    let line = format!("tree_digest check/llama   # {}\n", sealed.tree("llama"));
    assert!(project.read("REPRODUCIBLE.md").contains(&line), "{line}");
}

/// The lines about versions of tools.
fn tools(page: &str) -> Vec<&str> {
    page.lines().filter(|line| line.starts_with("- HIP") || line.starts_with("- clang")).collect()
}

#[test]
fn versions_of_hip_and_clang_are_on_the_page_once_the_tree_is_realized() {
    const UNKNOWN: &str = "- HIP and clang: not known before it is realized";
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    project.run(&["audit"]).code(0);
    let before = project.read("REPRODUCIBLE.md");
    assert_eq!(tools(&before), [UNKNOWN]);
    project.run(&["realize", "rocm"]).code(0);
    project.run(&["audit", "--check"]).code(0);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    let stated = std::fs::read_to_string(project.store("main").join("current/rocm/share/hip/version")).unwrap();
    let hip = format!("- HIP: `{}`", stated.trim().strip_prefix("HIP_VERSION=").unwrap());
    assert_eq!(tools(&page), [hip.as_str(), "- clang: not stated in the tree"]);
    let without =
        |page: &str| page.lines().filter(|line| !tools(page).contains(line)).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(without(&page), without(&before), "all else is the lock's");

    // Somebody who has realized nothing takes the page as it is, and cannot be told something else where the tree is.
    let elsewhere = |arguments: &[&str]| project.run_in_store("empty", arguments);
    elsewhere(&["audit", "--check"]).code(0);
    elsewhere(&["audit"]).code(0);
    assert_eq!(project.read("REPRODUCIBLE.md"), page);
    assert!(!project.store("empty").exists(), "looking makes no store");
    project.write("REPRODUCIBLE.md", &page.replace(&hip, "- HIP: `9.9.9`"));
    project.run(&["audit", "--check"]).code(4);
    elsewhere(&["audit", "--check"]).code(0);
    project.write("REPRODUCIBLE.md", &page.replace(&hip, "- HIP: `9.9.9` and more"));
    elsewhere(&["audit", "--check"]).code(4);
}
