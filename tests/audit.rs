//! `strixlock audit`.

use std::process::Command;

use strixlock_demo::llama::{Mode, SourceFile, add_files};

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

/// All commands of the page, run unchanged by a shell, print what it says.
#[test]
fn a_stranger_can_run_the_commands() {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    let script = format!("set -e\n{}", blocks(&page).join("\n"));
    let said = run_on_page(&project, &script);
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    assert!(said.contains(": OK\n"), "{said}");
    let (rocm, git) = (&lock["inputs"]["rocm"]["locked"], &lock["inputs"]["llama-cpp"]["locked"]);
    for proof in [&rocm["tree"]["digest"], &git["content"]["digest"], &git["tree"]] {
        assert!(said.contains(proof.as_str().unwrap()), "{proof}: {said}");
    }
    // The expected output stands behind each command: both inputs by two digests, and three outputs.
    let expected = |line: &&str| line.contains("   # sha256") && !line.starts_with("curl");
    assert_eq!(script.lines().filter(expected).count(), 7, "{script}");
    for line in script.lines().filter(expected) {
        let (_, expected) = line.split_once("   # ").unwrap();
        assert!(said.lines().any(|said| said == expected), "{line}: {said}");
    }
    assert_eq!(script.matches("nix --extra-experimental-features nix-command hash path").count(), 2);
}

/// Runs commands of the page in the project, with strixlock on PATH and the project's store.
fn run_on_page(project: &Project, script: &str) -> String {
    let mut bash = Command::new("bash");
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_strixlock")).parent().unwrap().display();
    let path = format!("{program}:{}", std::env::var("PATH").unwrap());
    bash.args(["-c", script])
        .current_dir(project.path(""))
        .env("PATH", path)
        .env("STRIXLOCK_STORE", project.store("main"));
    let output = bash.env("STRIXLOCK_NO_PROGRESS", "1").output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{script}\n{said}");
    said
}

/// Returns the blocks of shell commands of a page, the function first, as the page says.
pub fn blocks(page: &str) -> Vec<&str> {
    let mut all: Vec<&str> = page.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    all.sort_by_key(|block| !block.starts_with("tree_digest() ("));
    all
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
    assert!(page.contains("tree_digest check/llama   # not realized"), "{page}");
    assert!(page.contains("| llama | llama | not known | not realized; **holds for one machine only** |"), "{page}");
    assert!(page.contains("* llama: Made with this machine's own `/usr`"), "{page}");
    let realized = project.run(&["realize", "--json"]).code(0);
    project.run(&["audit"]).code(0);
    let line = format!("tree_digest check/llama   # {}\n", realized.tree("llama"));
    let page = project.read("REPRODUCIBLE.md");
    assert!(page.contains(&line), "{page}");
    assert!(page.contains(&format!("| llama | llama | `{}` | realized here once; ", realized.tree("llama"))), "{page}");
    project.run(&["check", "llama"]).code(0);
    project.run(&["audit", "--check"]).code(0);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    assert!(page.contains(" | realized here twice, equal; **holds for one machine only** |"), "{page}");
    project.run(&["realize", "--seal"]).code(0);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    assert!(page.contains(&line) && page.contains(" | sealed; **holds"), "{page}");
}

/// Rows that only realized outputs have.
fn tools(page: &str) -> Vec<&str> {
    page.lines().filter(|line| line.starts_with("| HIP |") || line.starts_with("| clang |")).collect()
}

#[test]
fn facts_about_realized_outputs_are_stated_and_believed_no_further_than_they_can_be_compared() {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    project.run(&["audit"]).code(0);
    let before = project.read("REPRODUCIBLE.md");
    assert_eq!(tools(&before), [""; 0]);
    project.run(&["realize", "rocm"]).code(0);
    project.run(&["audit", "--check"]).code(0);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    let stated = std::fs::read_to_string(project.store("main").join("current/rocm/share/hip/version")).unwrap();
    let hip = format!("| HIP | `{}` |", stated.trim().strip_prefix("HIP_VERSION=").unwrap());
    assert_eq!(tools(&page), [hip.as_str(), "| clang | `not stated in the tree` |"]);

    // Somebody who has realized nothing takes the page as it is, and cannot be told something else where the tree is.
    let elsewhere = |arguments: &[&str]| project.run_in_store("empty", arguments);
    elsewhere(&["audit", "--check"]).code(0);
    elsewhere(&["audit"]).code(0);
    assert_eq!(project.read("REPRODUCIBLE.md"), page);
    assert!(!project.store("empty").exists(), "looking makes no store");
    project.write("REPRODUCIBLE.md", &page.replace(&hip, "| HIP | `9.9.9` |"));
    project.run(&["audit", "--check"]).code(4);
    elsewhere(&["audit", "--check"]).code(0);
    for other in
        ["| HIP | `9.9.9` and more |", "| HIP | 9.9.9 |", "| AMD signed it | `yes` |", "| HIP | `9` |\n| HIP2 | `9` |"]
    {
        project.write("REPRODUCIBLE.md", &page.replace(&hip, other));
        elsewhere(&["audit", "--check"]).code(4);
    }

    // What another store adds joins what the page has; another version of strixlock is no difference.
    project.write("REPRODUCIBLE.md", &page);
    elsewhere(&["realize", "llama"]).code(0);
    std::fs::remove_dir_all(project.store("main")).unwrap();
    elsewhere(&["audit"]).code(0);
    let both = project.read("REPRODUCIBLE.md");
    assert!(both.contains(&hip) && both.contains("| CMake variables ON | "), "{both}");
    let other = both.replace(&format!("strixlock {} ", env!("CARGO_PKG_VERSION")), "strixlock 0.0.7 ");
    assert_ne!(other, both);
    project.write("REPRODUCIBLE.md", &other);
    elsewhere(&["audit", "--check"]).code(0);
    project.write("REPRODUCIBLE.md", &other.replace("strixlock 0.0.7 ", "strixlock x|y "));
    elsewhere(&["audit", "--check"]).code(4);
}

#[test]
fn a_page_stays_stable_between_machines_that_build_with_their_own_root() {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    // As if another compiler had made another tree.
    let own = page.lines().find(|line| line.starts_with("| tools |")).unwrap();
    project.write("REPRODUCIBLE.md", &page.replace(own, "| tools | `cc: cc 99` |"));
    project.run(&["audit", "--check"]).code(0);
    project.run(&["audit"]).code(0);
    assert_eq!(project.read("REPRODUCIBLE.md"), page, "written anew, it says what is here");
}

#[test]
fn advisories_are_listed_at_the_end() {
    let project = crate::advisories::bad();
    project.run(&["update"]).code(0);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    for part in [
        "| advisories | advisories | 1 advisory (sha256:",
        "* advisories: Nobody signed the advisories: whoever serves them can leave one out.",
        "\n### Advisories of advisories\n\n| id | about | what |\n| --- | --- | --- |\n| crash | ROCm | every program crashes |\n",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    project.run(&["audit", "--check"]).code(0);
}

#[test]
fn licences_are_named_and_a_store_without_the_source_agrees() {
    let project = Project::new();
    let file = |path: &str| SourceFile { path: path.to_owned(), mode: Mode::Plain, bytes: b"Be kind.\n".to_vec() };
    let files = [file("LICENSE"), file("vendor/it's `odd`|/COPYING.txt")];
    add_files(&project.upstream().llama_repository(), &files).unwrap();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    project.run(&["audit"]).code(0);
    let page = project.read("REPRODUCIBLE.md");
    let row = r"| licences of the source | `LICENSE`, `vendor/it's \u{60}odd\u{60}\u{7c}/COPYING.txt` |";
    assert!(page.contains(row), "{page}");
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    let content = lock["inputs"]["llama-cpp"]["locked"]["content"]["digest"].as_str().unwrap();
    let tree = project.store("main").join("trees").join(content.trim_start_matches("sha256:"));
    assert!(Command::new("chmod").args(["-R", "u+w"]).arg(&tree).status().unwrap().success());
    std::fs::remove_dir_all(&tree).unwrap();
    project.run(&["audit", "--check"]).code(0);
    project.run(&["audit"]).code(0);
    assert_eq!(project.read("REPRODUCIBLE.md"), page);
}
