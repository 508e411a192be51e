//! Locks that cannot be used, and what is said of them.

use crate::support::{FIRST, Project};

fn with_lock() -> Project {
    let project = Project::new();
    project.rocm_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    project
}

#[test]
fn every_broken_lock_has_one_clear_message() {
    let project = with_lock();
    let good = project.lock();
    let cases = [
        (
            "conflict marker",
            good.replacen("  \"outputs\"", "<<<<<<< HEAD\n  \"outputs\"", 1),
            "line 44 is a conflict marker",
        ),
        (
            "newer format",
            good.replace("\"version\": 1\n", "\"version\": 2\n"),
            "the lock has format 2, and this strixlock",
        ),
        ("no format", good.replace("\"version\": 1\n", "\"version\": \"x\"\n"), "the lock has no format version"),
        (
            "edited pin",
            good.replace("10.1.0a20260901.tar.gz\"", "10.1.0a20260902.tar.gz\""),
            "the block of input `rocm` was edited by hand",
        ),
        ("edited recipe", good.replace("/opt/rocm", "/opt/other"), "the block of output `rocm` was edited by hand"),
        ("truncated", good[..good.len() / 2].to_owned(), "invalid JSON at line"),
        ("unknown field", good.replacen("\"inputs\"", "\"colour\": 1,\n  \"inputs\"", 1), "unknown field `colour`"),
        ("bad digest", good.replacen("sha256:", "sha1:", 1), "invalid digest"),
        ("other requirement", good.replace(">=0.1", ">=9"), "this lock requires strixlock >=9"),
        ("rewritten", good.replace("  \"version\": 1\n", "    \"version\": 1\n"), "the lock is not in canonical form"),
        ("empty", String::new(), "invalid JSON at line 1"),
    ];
    for (what, text, message) in cases {
        assert_ne!(text, good, "{what}: the case changes nothing");
        project.write("lock/strix.lock", &text);
        for command in ["realize", "status", "update", "audit"] {
            // An update resolves again what it cannot trust.
            if command == "update" && ["edited pin", "edited recipe", "rewritten"].contains(&what) {
                project.run(&[command]).code(0);
                assert_eq!(project.lock(), good, "{what}");
                project.write("lock/strix.lock", &text);
                continue;
            }
            let ran = project.run(&[command]);
            assert_eq!(ran.code, 3, "{what}, {command}: {}", ran.all());
            let flat = ran.stderr.replace(|c: char| c.is_ascii_digit(), "0");
            let message = message.replace(|c: char| c.is_ascii_digit(), "0");
            assert!(flat.contains(&message), "{what}, {command}: {}", ran.all());
            assert!(
                ran.stderr.starts_with("error: lock/strix.lock: ") && ran.stderr.contains("\nhint: "),
                "{what}: {}",
                ran.all()
            );
        }
    }
}

#[test]
fn a_missing_lock_says_how_to_get_one() {
    let project = Project::new();
    project.rocm_manifest("latest");
    insta::assert_snapshot!(project.run(&["realize"]).all(), @r"
    exit code 9
    --- stderr
    error: there is no lock
      path  lock/strix.lock
    hint: `strixlock update` writes it
    ");
}

#[test]
fn staleness_is_seen_without_a_network() {
    let mut project = with_lock();
    drop(project.upstream.take());
    project.run(&["status", "--check"]).code(0);
    let manifest = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &manifest.replace("version = \"10.1.0a20260901\"", "version = \"latest\""));
    let ran = project.run(&["status"]).code(0);
    assert!(
        ran.stdout.contains(
            "stale: input `rocm`: the manifest wants `version` `latest`, the lock was made for `10.1.0a20260901`"
        ),
        "{}",
        ran.all()
    );
    project.run(&["status", "--check"]).code(4);
}

#[test]
fn the_digests_are_those_of_standard_tools() {
    let project = with_lock();
    let digest = project.run(&["lock", "digest"]).code(0).stdout;
    let expected = strixlock_ground::digest::Sha256Digest::of(project.lock().as_bytes());
    assert_eq!(digest.trim(), expected.to_string());
    // What `jq -S '.inputs.rocm | del(.entry)'` prints is what `entry` is the digest of.
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    let mut block = lock["inputs"]["rocm"].clone();
    let entry = block.as_object_mut().unwrap().remove("entry").unwrap();
    let text = format!("{}\n", serde_json::to_string_pretty(&block).unwrap());
    assert_eq!(entry, strixlock_ground::digest::Sha256Digest::of(text.as_bytes()).to_string());
    let derivation = project.run(&["lock", "digest", "rocm"]).code(0).stdout;
    let plan = project.run(&["realize", "--dry-run", "--json"]).code(0).json();
    assert_eq!(derivation.trim(), plan["steps"].as_array().unwrap().last().unwrap()["derivation"]);
}

#[test]
fn branches_that_update_different_inputs_merge_clean() {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    std::fs::copy(project.path("lock/strix.lock"), project.path("base")).unwrap();
    project.upstream().add_llama_commit().unwrap();
    project.run(&["update", "llama-cpp"]).code(0);
    std::fs::copy(project.path("lock/strix.lock"), project.path("ours")).unwrap();
    std::fs::copy(project.path("base"), project.path("lock/strix.lock")).unwrap();
    project.full_manifest("10.1.0a20260902");
    project.run(&["update", "rocm"]).code(0);
    std::fs::copy(project.path("lock/strix.lock"), project.path("theirs")).unwrap();
    let merged = std::process::Command::new("git")
        .args(["merge-file", "-p", "ours", "base", "theirs"])
        .current_dir(project.path(""))
        .output()
        .unwrap();
    assert!(merged.status.success(), "{}", String::from_utf8_lossy(&merged.stdout));
    std::fs::write(project.path("lock/strix.lock"), merged.stdout).unwrap();
    project.run(&["status", "--check"]).code(0);
    project.run(&["realize", "llama"]).code(0);
    let lock = project.lock();
    project.run(&["update"]).code(0);
    assert_eq!(project.lock(), lock);
}

#[test]
fn a_lock_from_elsewhere_is_held_to_the_rules_of_a_manifest() {
    let project = with_lock();
    let good: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    let canary = project.directory.path().join("canary");
    for (what, pointer, value) in [
        ("an output that leads elsewhere", "/outputs/rocm", canary.to_str().unwrap()),
        ("a prefix that leads upwards", "/outputs/rocm/recipe/prefix", "/opt/../../tmp"),
        ("a password", "/inputs/rocm/locked/urls/0", "https://me:secret@a.example/x.tar.gz"),
        ("another tarball", "/inputs/rocm/locked/file", "$(touch x)"),
    ] {
        let mut lock = good.clone();
        if pointer == "/outputs/rocm" {
            let block = lock["outputs"].as_object_mut().unwrap().remove("rocm").unwrap();
            lock["outputs"][value] = block;
        } else {
            *lock.pointer_mut(pointer).unwrap() = value.into();
        }
        // Whoever wrote it knows how to compute `entry`.
        for part in ["inputs", "outputs"] {
            for block in lock[part].as_object_mut().unwrap().values_mut() {
                seal(block);
            }
        }
        project.write("lock/strix.lock", &format!("{}\n", serde_json::to_string_pretty(&lock).unwrap()));
        for command in ["realize", "audit"] {
            let ran = project.run(&[command]).code(3);
            assert!(ran.stderr.contains("error: lock/strix.lock: invalid block of "), "{what}: {}", ran.all());
            assert!(!ran.stderr.contains("secret"), "{what}: {}", ran.all());
        }
        assert!(!canary.exists());
    }
}

/// Gives a block the `entry` that fits it.
pub fn seal(block: &mut serde_json::Value) {
    let map = block.as_object_mut().unwrap();
    map.remove("entry");
    let text = format!("{}\n", serde_json::to_string_pretty(&map).unwrap());
    map.insert("entry".to_owned(), strixlock_ground::digest::Sha256Digest::of(text.as_bytes()).to_string().into());
}

/// Writes outputs as the first locks had them: with their derivation and tree, and without a digest of the block.
fn in_first_form(lock: &str) -> String {
    let known = strixlock::parts::Lock::parse(lock).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(lock).unwrap();
    for (name, output) in &known.outputs {
        let mut block = serde_json::json!({ "recipe": output.recipe, "derivation": output.derivation });
        if let Some(tree) = output.tree {
            block["tree"] = serde_json::json!(tree);
        }
        value["outputs"][name] = block;
    }
    format!("{}\n", serde_json::to_string_pretty(&value).unwrap())
}

#[test]
fn a_lock_of_the_first_form_is_refused_with_a_way_out_that_works() {
    let project = with_lock();
    let today = project.lock();
    project.write("lock/strix.lock", &in_first_form(&today));
    for command in ["realize", "status", "update", "audit", "outdated", "lock digest"] {
        let ran = project.run(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, 3, "{command}: {}", ran.all());
        for part in [
            "error: lock/strix.lock: invalid contents of the lock",
            "unknown field `derivation`",
            "remove it and run `strixlock update`",
        ] {
            assert!(ran.stderr.contains(part), "{command}, {part}: {}", ran.all());
        }
    }
    std::fs::remove_file(project.path("lock/strix.lock")).unwrap();
    project.run(&["update"]).code(0);
    assert_eq!(project.lock(), today);
    project.run(&["realize"]).code(0);
}

/// A lock as strixlock wrote it on 28 November 2026, with all outputs sealed.
const EARLIER: &str = include_str!("lock/earlier.lock");

#[test]
fn a_seal_of_a_forgotten_recipe_is_named_and_the_way_out_works() {
    let project = Project::new();
    let index = EARLIER.lines().find_map(|line| line.trim().strip_suffix("tarball/\"")).unwrap();
    let index = format!("{}tarball/", index.trim_start_matches('"'));
    let git = index.replace("rocm/core/tarball/", "ggml-org/llama.cpp.git");
    let manifest = format!(
        "{}{}[inputs.llama-cpp]\ntype = \"git\"\nurl = \"{git}\"\n\n[outputs.llama]\ntype = \"llama\"\n\n\
         [outputs.runtime]\ntype = \"runtime\"\n\n\
         [outputs.image]\ntype = \"image\"\nllama = \"llama\"\nruntime = \"runtime\"\nprogram = \"llama-server\"\n",
        crate::support::REQUIRES,
        crate::support::rocm_input(&index, "10.1.0a20260901"),
    );
    project.write("manifests/strix.toml", &manifest).write("lock/strix.lock", EARLIER);
    // The runtime was trimmed by an older revision, whose id cannot be computed any more.
    let ran = project.run(&["--offline", "status"]);
    assert_eq!(ran.code, 3, "{}", ran.all());
    assert!(ran.stderr.contains("the output `runtime` was sealed for other pins or another recipe"), "{}", ran.all());
    assert!(ran.stderr.contains("`strixlock update` removes the seal"), "{}", ran.all());
    assert_eq!(project.lock(), EARLIER);

    let ran = project.run(&["--offline", "update", "llama-cpp"]);
    assert_ne!(ran.code, 3, "{}", ran.all());
}

#[test]
fn a_block_of_the_lock_is_shown_to_a_person() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let ran = project.run(&["lock", "show"]).code(0);
    let words = |name: &str| -> Vec<String> {
        let mut lines = ran.stdout.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        lines.find(|words| words.first().is_some_and(|word| word == name)).unwrap_or_else(|| panic!("{}", ran.all()))
    };
    assert_eq!(words("rocm")[..4], ["rocm", "rocm", FIRST, "2026-09-01"]);
    assert_eq!(words("llama")[..3], ["llama", "llama", "b8"]);
    let ran = project.run(&["lock", "show", "rocm"]).code(0);
    for part in
        ["input rocm\n", "  version ", "  sha256 ", " bytes (", "  requested.target ", "output rocm\n", "  derivation "]
    {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.all());
    }
    let json = project.run(&["lock", "show", "rocm", "--json"]).code(0).json();
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    assert_eq!(json["input"]["entry"], lock["inputs"]["rocm"]["entry"]);
    assert_eq!(json["input"]["locked"]["tree"], lock["inputs"]["rocm"]["locked"]["tree"]);
    assert_eq!(json["output"]["recipe"], lock["outputs"]["rocm"]["recipe"]);
}
