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

/// The page's own commands, run as they stand by a shell, confirm what the lock says.
#[test]
fn a_stranger_can_run_the_commands() {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    let blocks: Vec<&str> = page.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    // The inputs' commands; Nix has a test of its own.
    let lines: Vec<&str> =
        blocks[..2].iter().flat_map(|block| block.lines()).filter(|line| !line.starts_with("nix ")).collect();
    let fetch = lines.join("\n");
    let script = format!("set -e\n{}\n{fetch}", blocks.last().unwrap().replace("tree_digest DIRECTORY", ""));
    std::fs::create_dir(project.path("stranger")).unwrap();
    let output = Command::new("bash").arg("-c").arg(&script).current_dir(project.path("stranger")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{script}\n{said}{}", String::from_utf8_lossy(&output.stderr));
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    assert!(said.contains(": OK\n"), "{said}");
    let (rocm, git) = (&lock["inputs"]["rocm"]["locked"], &lock["inputs"]["llama-cpp"]["locked"]);
    for proof in [&rocm["tree"]["digest"], &git["content"]["digest"], &git["tree"]] {
        assert!(said.contains(proof.as_str().unwrap()), "{proof}: {said}");
    }
}
