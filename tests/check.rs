//! `strixlock check`: equal builds are said to be equal, and whatever made two of them differ is found and named.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Project, REQUIRES};
use crate::verify::spoil;

/// Whoever builds in the host's own root should know that the host has changed.
#[test]
fn another_tool_is_named() {
    let project = stamping("random");
    project.run(&["realize"]).code(0);
    let id = project.run(&["lock", "digest", "llama"]).code(0).stdout.trim().replace("sha256:", "");
    let about = project.store("main").join("outputs").join(id).join("about.json");
    let text = std::fs::read_to_string(&about).unwrap();
    std::fs::write(&about, text.replace("cmake version ", "cmake version 0.")).unwrap();
    let ran = project.run(&["check"]).code(6);
    assert!(ran.stdout.contains("\ncmake has changed: was \"cmake version 0."), "{}", ran.all());
    assert!(!ran.stdout.contains("ninja has changed"), "{}", ran.all());
}

/// A build for the CPU that stamps these things into its programs.
fn stamping(stamps: &str) -> Project {
    let project = Project::new();
    let git = project.upstream().git_url();
    let manifest = format!(
        "{REQUIRES}[inputs.llama-cpp]\ntype = \"git\"\nurl = \"{git}\"\n\n[outputs.llama]\ntype = \"llama\"\nbackend = \"cpu\"\n\
         [outputs.llama.cmake]\nDEMO_STAMPS = \"{stamps}\"\n"
    );
    project.write("manifests/strix.toml", &manifest);
    project.run(&["update"]).code(0);
    project
}

#[test]
fn everything_comes_out_the_same_again() {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    let ran = project.run(&["check"]).code(9);
    assert!(ran.stderr.contains("error: llama: the output is not realized"), "{}", ran.all());
    let realized = project.run(&["realize", "--json"]).code(0);
    let ran = project.run(&["check"]).code(0);
    let digits = |name| realized.tree(name)["sha256:".len()..][..12].to_owned();
    let equal = |name| format!("equal {name}: built again with the same result, {}\n", digits(name));
    assert_eq!(ran.stdout, equal("llama") + &equal("runtime"), "{}", ran.all());
    let json = project.run(&["check", "llama", "--json", "--jobs", "1"]).code(0).json();
    assert_eq!(json["outputs"][0]["equal"], true);
    assert_eq!(json["outputs"][0]["made"], realized.tree("llama"));
    let ran = project.run(&["check", "lama"]).code(9);
    assert!(ran.stderr.contains("the lock has no output `lama`"), "{}", ran.all());
}

#[test]
fn the_date_in_a_program_is_the_pinned_one() {
    let project = stamping("date");
    project.run(&["realize"]).code(0);
    project.run(&["check"]).code(0);
}

#[test]
fn what_differs_is_told_with_its_cause() {
    let project = stamping("clock;path;random");
    let realized = project.run(&["realize", "--json"]).code(0).tree("llama");
    let ran = project.run(&["check"]).code(6);
    for line in [
        "llama: built again with a different result\n",
        &format!("  realized  {realized}\n"),
        "\nbin/llama-cli: ",
        "  .rodata at 0x",
        "    because   a path of the build directory; -ffile-prefix-map avoids it\n",
        "    because   a date or time; programs should take it from SOURCE_DATE_EPOCH\n",
        "\nshare/llama/salt: 33 bytes that differ\n  line 1 at 0x",
        "    because   bytes that look random\n",
    ] {
        assert!(ran.stdout.contains(line), "{line:?} {}", ran.all());
    }
    assert!(
        ran.stderr.ends_with(
            "error: 1 of 1 outputs came out differently\nhint: `strixlock check --keep` keeps the second tree to look at\n"
        ),
        "{}",
        ran.all()
    );
    // What is realized stays what it was, and nothing is left behind.
    assert_eq!(project.run(&["realize", "--json"]).code(0).tree("llama"), realized);
    assert_eq!(std::fs::read_dir(project.store("main").join("tmp")).unwrap().count(), 1, "only tmp/partial is left");
}

#[test]
fn an_embedded_path_is_found() {
    let project = stamping("path");
    project.run(&["realize"]).code(0);
    let json = project.run(&["check", "--json"]).code(6).json();
    let differences = json["outputs"][0]["differences"].as_array().unwrap();
    assert_eq!(json["different"], 1);
    let cli = differences.iter().find(|difference| difference["path"] == "bin/llama-cli").unwrap();
    assert_eq!(cli["change"], "contents");
    let parts = cli["parts"].as_array().unwrap();
    let rodata = parts.iter().find(|part| part["part"] == ".rodata").unwrap();
    assert_eq!(rodata["causes"][0], "build-path");
    assert!(rodata["first"].as_str().unwrap().contains("/build/out/tmp."), "{rodata}");
}

#[test]
fn the_second_tree_is_kept_when_asked() {
    let project = stamping("random");
    project.run(&["realize"]).code(0);
    // A diffoscope of our own, which says that it was asked.
    project.write(
        "bin/diffoscope",
        "#!/bin/sh\nwhile [ \"$1\" != --text ]; do shift; done\necho \"$3 and $4\" > \"$2\"\nexit 1\n",
    );
    std::fs::set_permissions(project.path("bin/diffoscope"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", project.path("bin").display(), std::env::var("PATH").unwrap());
    for _ in 0..2 {
        let ran = project.finish(project.command(&["check", "--keep", "--json"]).env("PATH", &path).output().unwrap());
        let json = ran.code(6).json();
        let kept =
            json["outputs"][0]["kept"].as_str().unwrap().replace("[DIR]", project.directory.path().to_str().unwrap());
        assert_eq!(project.run(&["hash", &kept]).code(0).stdout.trim(), json["outputs"][0]["made"].as_str().unwrap());
        let beside = std::path::Path::new(&kept).parent().unwrap();
        assert!(std::fs::read_to_string(beside.join("log")).unwrap().contains("\n$ cmake "));
        let said = std::fs::read_to_string(beside.join("diffoscope.txt")).unwrap();
        assert!(said.contains("/trees/") && said.trim_end().ends_with("/tree"), "{said}");
    }
    project.run(&["gc"]).code(0);
    project.run(&["verify"]).code(0);
}

/// A store that is damaged is told as such, and not as a build that came out differently; nothing is built of it.
#[test]
fn damage_is_found_before_anything_is_compared_or_built() {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let current = |name: &str| std::fs::canonicalize(project.store("main").join("current").join(name)).unwrap();
    spoil(&current("llama").join("bin/llama-cli"));
    let ran = project.run(&["check", "llama"]).code(7);
    for line in [
        "error: llama: the tree of `llama` in the store is damaged\n",
        "damaged  bin/llama-cli\n",
        "hint: `strixlock verify --repair` repairs it\n",
    ] {
        assert!(ran.stderr.contains(line), "{line:?} {}", ran.all());
    }
    project.run(&["verify", "--repair"]).code(0);
    project.run(&["check", "llama"]).code(0);
    // What it is built from is looked at too.
    spoil(&current("rocm").join(".info/version"));
    for command in ["check", "shell"] {
        let ran = project.run(&[command, "llama"]).code(7);
        assert!(ran.stderr.contains("the tree of `rocm` in the store is damaged"), "{}", ran.all());
    }
}
