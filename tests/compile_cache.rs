//! The compiler cache: what a build takes from it, what it may not, and what becomes of it.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use strixlock_demo::llama::{Mode, SourceFile, add_files};

use crate::support::{FIRST, Project, REQUIRES, Ran, files};

const SWITCH: &str = "STRIXLOCK_COMPILE_CACHE";

/// Runs a command with the compiler cache.
fn cached(project: &Project, arguments: &[&str]) -> Ran {
    project.finish(project.command(arguments).env(SWITCH, "on").output().unwrap())
}

/// Writes a manifest with a build for the CPU, of HEAD unless `wanted` names another commit.
fn write_manifest(project: &Project, wanted: &str) {
    let git = project.upstream().git_url();
    let manifest = format!(
        "{REQUIRES}[inputs.llama-cpp]\ntype = \"git\"\nurl = \"{git}\"\n{wanted}\n[outputs.llama]\ntype = \"llama\"\nbackend = \"cpu\"\n"
    );
    project.write("manifests/strix.toml", &manifest);
}

/// A project with a build for the CPU, pinned.
fn project() -> Project {
    let project = Project::new();
    write_manifest(&project, "");
    project.run(&["update"]).code(0);
    project
}

/// Compilations of a build, and those that came from the cache.
fn used(ran: &Ran) -> (u64, u64) {
    let used = &ran.json()["outputs"]["llama"]["compile_cache"];
    let number = |name: &str| used[name].as_u64().unwrap_or_else(|| panic!("{}", ran.all()));
    (number("hits"), number("compilations"))
}

fn about(project: &Project) -> serde_json::Value {
    project.run(&["log", "llama", "--about", "--json"]).code(0).json()["about"].clone()
}

/// The record of the output in the store.
fn record(project: &Project) -> PathBuf {
    let id = project.run(&["lock", "digest", "llama"]).code(0).stdout.trim().replace("sha256:", "");
    project.store("main").join("outputs").join(id)
}

/// The tree of a build without a cache.
fn clean(project: &Project) -> String {
    project.run_in_store("clean", &["realize", "--json"]).code(0).tree("llama")
}

#[test]
fn the_next_build_compiles_what_changed_and_comes_out_as_without_a_cache() {
    let project = project();
    let first = cached(&project, &["realize", "--json"]).code(0);
    let (hits, all) = used(&first);
    assert!(hits == 0 && all > 5, "{}", first.all());
    assert_eq!(first.tree("llama"), clean(&project));
    let log = project.run(&["log", "llama"]).code(0);
    assert!(log.stdout.contains(&format!("compiler cache: 0 of {all} compilations from the cache\n")), "{}", log.all());
    assert!(log.stdout.contains("  compiled ggml/src/ggml.c\n"), "{}", log.all());

    let id = project.run(&["lock", "digest", "llama"]).code(0).stdout;
    project.upstream().add_llama_commit().unwrap();
    project.run(&["update"]).code(0);
    assert_ne!(project.run(&["lock", "digest", "llama"]).code(0).stdout, id);
    let ran = cached(&project, &["realize"]).code(0);
    let told = format!("llama: {} of {all} compilations from the cache\n", all - 2);
    assert!(ran.stdout.ends_with(&told), "{}", ran.all());
    let log = project.run(&["log", "llama"]).code(0);
    assert!(log.stdout.contains("  compiled src/llama.cpp\n"), "{}", log.all());
    assert!(!log.stdout.contains("  compiled ggml/src/ggml.c\n"), "{}", log.all());
    // The plan knows the time of whole builds only.
    let record = about(&project);
    assert_eq!(record["compile_cache"], serde_json::json!({ "hits": all - 2, "compilations": all }));
    assert!(!record["variables"].to_string().contains("LAUNCHER"), "{record}");
    let here = cached(&project, &["realize", "--json"]).code(0);
    assert_eq!(here.tree("llama"), clean(&project));
    assert_eq!(here.json()["outputs"]["llama"]["compile_cache"], serde_json::Value::Null);

    let usage = project.run(&["store", "--json"]).code(0).json()["usage"]["compile_cache"].as_u64().unwrap();
    assert!(usage > 10_000, "{usage}");
    assert!(project.run(&["store"]).code(0).stdout.contains(", compiler caches "));
    assert_eq!(project.run(&["gc", "--json"]).code(0).json()["collected"]["compile_caches"], 0);
    let ran = project.run(&["gc", "--compile-cache", "--dry-run"]).code(0);
    assert!(ran.stdout.starts_with("would remove 1 compiler cache: "), "{}", ran.all());
    let ran = project.run(&["gc", "--compile-cache", "--json"]).code(0);
    assert_eq!(ran.json()["collected"]["compile_caches"], 1);
    assert_eq!(project.run(&["store", "--json"]).code(0).json()["usage"]["compile_cache"], 0);
}

/// The demo's ROCm has a `clang` that is the host's gcc, to which ccache passes options of clang.
#[test]
fn a_compiler_that_ccache_cannot_work_with_runs_without_it() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let ran = cached(&project, &["realize", "--json"]).code(0);
    assert_eq!((ran.tree("llama"), used(&ran).0), (clean(&project), 0));
    let note =
        ran.stderr.lines().find(|line| line.contains("compiled without the compiler cache where ccache failed: "));
    assert!(note.is_some_and(|note| note.contains("error: unrecognized")), "{}", ran.all());
}

#[test]
fn builds_of_another_project_or_of_a_pull_request_see_nothing_of_it() {
    let project = project();
    let (_, all) = used(&cached(&project, &["realize", "--json"]).code(0));
    let beside = project.directory.path().join("beside");
    std::fs::create_dir_all(beside.join("manifests")).unwrap();
    std::fs::copy(project.path("manifests/strix.toml"), beside.join("manifests/strix.toml")).unwrap();
    let run = |arguments: &[&str]| {
        project.finish(project.command(arguments).env(SWITCH, "on").current_dir(&beside).output().unwrap())
    };
    run(&["update"]).code(0);
    std::fs::remove_dir_all(record(&project)).unwrap();
    assert_eq!(used(&run(&["realize", "--json"]).code(0)), (0, all));
    // Anybody can write a pull request, and with it into the cache of its builds.
    write_manifest(&project, "pull = 1\n");
    project.run(&["update"]).code(0);
    let (hits, all) = used(&cached(&project, &["realize", "--json"]).code(0));
    assert!(hits == 0 && all > 5);
    project.upstream().add_llama_commit().unwrap();
    write_manifest(&project, "");
    project.run(&["update"]).code(0);
    assert_eq!(used(&cached(&project, &["realize", "--json"]).code(0)), (all - 2, all));
}

/// Adds a commit in which `src/llama.cpp` compiles to a large object of its own.
fn commit_large(project: &Project, seed: u64) {
    let repository = project.upstream().llama_repository();
    let mut state = seed;
    let numbers: Vec<String> = (0..50_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33).to_string()
        })
        .collect();
    let text = format!(
        "#include \"llama.h\"\nextern \"C\" {{ extern const unsigned demo_large[] = {{{}}}; }}\n",
        numbers.join(",")
    );
    let usual = include_str!("../crates/demo/src/templates/llama/src/llama.cpp").replace("@REVISION@", "9");
    let source = format!("{text}{usual}");
    let source = SourceFile { path: "src/llama.cpp".to_owned(), mode: Mode::Plain, bytes: source.into_bytes() };
    add_files(&repository, &[source]).unwrap();
    project.run(&["update"]).code(0);
}

/// The objects of the two large files in the cache, swapped: each has the key of the other.
fn poison(project: &Project) {
    let mut large = files(&project.store("main").join("compile-cache"));
    large.retain(|path| path.metadata().unwrap().size() > 100_000);
    let [one, other] = &large[..] else { panic!("{large:?}") };
    let aside = one.with_extension("aside");
    std::fs::rename(one, &aside).unwrap();
    std::fs::rename(other, one).unwrap();
    std::fs::rename(&aside, other).unwrap();
}

#[test]
fn a_wrong_object_is_found_by_check_and_never_sealed() {
    let project = project();
    commit_large(&project, 1);
    cached(&project, &["realize"]).code(0);
    commit_large(&project, 2);
    cached(&project, &["realize"]).code(0);
    let clean = clean(&project);
    poison(&project);
    std::fs::remove_dir_all(record(&project)).unwrap();
    let wrong = cached(&project, &["realize", "--json"]).code(0).tree("llama");
    assert_ne!(wrong, clean, "the test puts no wrong object into the cache");

    let ran = cached(&project, &["check"]).code(6);
    assert!(ran.stdout.contains("llama: built again with a different result"), "{}", ran.all());
    assert!(ran.stderr.contains("`strixlock gc --compile-cache`"), "{}", ran.all());

    let ran = cached(&project, &["realize", "--seal", "--json"]).code(0);
    assert_eq!(ran.tree("llama"), clean);
    assert!(ran.stderr.contains("llama: came out differently without the compiler cache"), "{}", ran.all());
    assert!(project.lock().contains(&clean));
    assert_eq!(about(&project)["compile_cache"], serde_json::Value::Null);
    // What is sealed stays.
    let ran = cached(&project, &["realize", "--seal", "--json"]).code(0);
    assert_eq!(ran.json()["outputs"]["llama"]["made"], false);

    std::fs::remove_dir_all(record(&project)).unwrap();
    let ran = cached(&project, &["realize"]).code(6);
    assert!(ran.stderr.contains("hint: an object in the compiler cache may be wrong"), "{}", ran.all());
    project.run(&["gc", "--compile-cache"]).code(0);
    assert_eq!(cached(&project, &["realize", "--json"]).code(0).tree("llama"), clean);
}

#[test]
fn a_build_that_is_killed_leaves_a_cache_that_the_next_one_uses() {
    let project = project();
    let clean = clean(&project);
    let mut child = project.command(&["realize", "--jobs", "1"]);
    let mut child = child.env(SWITCH, "on").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let has_compiled = || {
        let logs = files(&project.store("main")).into_iter().filter(|path| path.ends_with("log"));
        logs.filter_map(|path| std::fs::read_to_string(path).ok()).any(|log| log.contains("\n[3/"))
    };
    while !has_compiled() {
        assert!(child.try_wait().unwrap().is_none(), "the build ended before it could be killed");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    let ran = cached(&project, &["realize", "--json"]).code(0);
    // On a busy machine all files may have been compiled by then.
    assert!(used(&ran).0 > 0, "{}", ran.all());
    assert_eq!(ran.tree("llama"), clean);
}

#[test]
fn without_a_place_for_the_cache_the_build_goes_on() {
    let project = project();
    std::fs::create_dir_all(project.store("main")).unwrap();
    project.run(&["store"]).code(0);
    std::fs::write(project.store("main").join("compile-cache"), "").unwrap();
    let ran = cached(&project, &["realize", "--json"]).code(0);
    assert!(
        ran.stderr.contains("compiling without the compiler cache: expected a directory in the store"),
        "{}",
        ran.all()
    );
    assert_eq!(ran.json()["outputs"]["llama"]["compile_cache"], serde_json::Value::Null);
    assert_eq!(ran.tree("llama"), clean(&project));
}

#[test]
fn all_caches_together_keep_to_their_limit() {
    let project = project();
    commit_large(&project, 3);
    let mut command = project.command(&["realize"]);
    command.env(SWITCH, "on").env("STRIXLOCK_COMPILE_CACHE_BYTES", "1000000");
    project.finish(command.output().unwrap()).code(0);
    let size = || project.run(&["store", "--json"]).code(0).json()["usage"]["compile_cache"].as_u64().unwrap();
    assert!(0 < size() && size() <= 1_000_000, "{}", size());
    // Another one makes room by removing the first.
    let fill = project.store("main").join("compile-cache");
    let scope = files(&fill).into_iter().find(|path| path.ends_with("scope.json")).unwrap();
    std::fs::write(scope.parent().unwrap().join("objects/fill"), vec![1; 900_000]).unwrap();
    write_manifest(&project, "pull = 1\n");
    project.run(&["update"]).code(0);
    let mut command = project.command(&["realize"]);
    command.env(SWITCH, "on").env("STRIXLOCK_COMPILE_CACHE_BYTES", "1000000");
    project.finish(command.output().unwrap()).code(0);
    assert!(!scope.exists() && 0 < size() && size() <= 1_000_000, "{}", size());
    let ran = project.finish(project.command(&["realize"]).env("STRIXLOCK_COMPILE_CACHE_BYTES", "9").output().unwrap());
    assert!(ran.code(3).stderr.contains("expected a number from 1000000"));
}

#[test]
fn the_setting_has_a_file_a_variable_and_a_default() {
    let project = project();
    let setting = |value: &str| {
        let ran = project.finish(project.command(&["config", "show", "--json"]).env(SWITCH, value).output().unwrap());
        let all = ran.code(0).json()["settings"].as_array().unwrap().clone();
        all.into_iter().find(|setting| setting["name"] == "compile-cache").unwrap()
    };
    assert_eq!((&setting("")["value"], &setting("")["origin"]["kind"]), (&true.into(), &"default".into()));
    project.write("strixlock.toml", "compile-cache = false\ncompile-cache-bytes = 2000000\n");
    assert_eq!((&setting("")["value"], &setting("")["origin"]["line"]), (&false.into(), &1.into()));
    assert_eq!(setting("yes")["value"], true);
    project.write("strixlock.toml", "compile-cache = 1\n");
    let ran = project.run(&["status"]).code(3);
    assert!(ran.stderr.contains("true or false"), "{}", ran.all());
}
