//! Remotes: what one machine pushes to a registry, another receives from there.

mod broken;
mod configuration;
mod hostile;
mod layouts;
pub mod registry;
mod trusted;

use serde_json::Value;

use crate::support::{FIRST, Project, Ran, SECOND};
use registry::{Registry, Relay, name_remote};

/// A project with this nightly in the store `main`, and a registry as its remote.
pub fn shared(version: &str) -> (Project, Registry) {
    let project = Project::new();
    project.realize_rocm(version);
    let registry = Registry::start(project.directory.path());
    name_remote(&project, &registry.address);
    (project, registry)
}

/// Runs a command on another machine: with a store of its own, and without any program of this one.
pub fn elsewhere(project: &Project, arguments: &[&str]) -> Ran {
    let mut command = project.command(arguments);
    command.env("STRIXLOCK_STORE", project.store("other")).env("PATH", "/nonexistent");
    project.finish(command.output().unwrap())
}

/// The digest of the ROCm tree that the lock pins.
pub fn pinned(project: &Project) -> String {
    let lock: Value = serde_json::from_str(&project.lock()).unwrap();
    lock["inputs"]["rocm"]["locked"]["tree"]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn what_one_machine_pushes_another_realizes_without_a_compiler() {
    let mut project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let made = project.run(&["realize", "--seal", "--json"]).code(0);
    let registry = Registry::start(project.directory.path());
    name_remote(&project, &registry.address);
    let pushed = project.run(&["push", "--all", "--json"]).code(0).json();
    assert_eq!(pushed["outputs"].as_array().unwrap().len(), 3);
    // From now on there is nothing but the registry.
    drop(project.upstream.take());
    let ran = elsewhere(&project, &["realize", "--json"]).code(0);
    for output in ["rocm", "llama", "runtime"] {
        assert_eq!(ran.tree(output), made.tree(output));
    }
    let received: Vec<&str> = ran.json()["received"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["output"].as_str().unwrap())
        .map(|name| ["rocm", "llama", "runtime"].into_iter().find(|known| *known == name).unwrap())
        .collect();
    assert_eq!(received.len(), 3, "{received:?}");
    assert!(
        ran.stderr.contains("llama: took ")
            && ran.stderr.contains(" from team, as the lock has it; whoever pushed it says that its build took "),
        "{}",
        ran.stderr
    );
    elsewhere(&project, &["verify"]).code(0);
    // What is there is not asked for again.
    drop(registry);
    assert_eq!(elsewhere(&project, &["realize", "--json"]).code(0).json()["received"], serde_json::json!([]));
}

#[test]
fn of_the_next_nightly_only_what_changed_is_moved() {
    let (project, _registry) = shared(FIRST);
    let first = project.run(&["push", "rocm", "--json"]).code(0).json();
    elsewhere(&project, &["pull", "rocm"]).code(0);
    project.realize_rocm(SECOND);
    let second = project.run(&["push", "rocm", "--json"]).code(0).json();
    let sent = |pushed: &Value| pushed["sent"]["bytes"].as_u64().unwrap();
    assert!(sent(&second) * 2 < sent(&first), "{first:#} {second:#}");
    assert!(second["reused"].as_u64().unwrap() > 0);
    let ran = elsewhere(&project, &["pull", "rocm", "--json"]).code(0).json();
    let taken = &ran["taken"][0];
    assert_eq!(taken["tree"].as_str().unwrap(), pinned(&project));
    // Listing and index come besides.
    let received = taken["bytes"].as_u64().unwrap();
    assert!(received <= sent(&second) + 20_000, "{received} of {second:#}");
    assert!(taken["had"].as_u64().unwrap() > 0);
    elsewhere(&project, &["verify"]).code(0);
    // A push of what is there sends nothing and leaves no new record.
    let again = project.run(&["push", "rocm", "--json"]).code(0).json();
    assert_eq!((sent(&again), &again["outputs"][0]["there"]), (0, &Value::Bool(true)));
    let listed = project.run(&["remote", "ls", "--json"]).code(0).json();
    let pushes: Vec<u64> =
        listed["outputs"].as_array().unwrap().iter().map(|one| one["push"].as_u64().unwrap()).collect();
    assert_eq!(pushes, [2, 1]);
}

#[test]
fn of_a_large_file_that_changed_a_store_without_a_generation_receives_what_is_new() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    let text = project.read("manifests/strix.toml");
    let more = "\n[inputs.own]\ntype = \"directory\"\npath = \"own\"\n\n\
                [outputs.laid]\ntype = \"overlay\"\nlayers = [{ input = \"own\" }]\n";
    project.write("manifests/strix.toml", &format!("{text}{more}"));
    let registry = Registry::start(project.directory.path());
    name_remote(&project, &registry.address);
    let (mut state, size) = (1_u64, 4_000_000);
    let mut noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(size)
    .collect();
    let mut received = Vec::new();
    for _ in 0..2 {
        noise[size / 2] ^= 1;
        project.write("manifests/own/note", "");
        std::fs::write(project.path("manifests/own/large"), &noise).unwrap();
        project.run(&["update"]).code(0);
        project.run(&["realize", "laid", "--seal"]).code(0);
        project.run(&["push", "laid"]).code(0);
        let ran = elsewhere(&project, &["pull", "laid", "--json"]).code(0).json();
        received.push(ran["taken"][0]["bytes"].as_u64().unwrap());
    }
    assert!(received[0] > size as u64 && received[1] < size as u64 / 2, "{received:?}");
    elsewhere(&project, &["verify"]).code(0);
}

#[test]
fn a_push_and_a_pull_that_are_killed_are_finished_by_the_next() {
    let (project, registry) = shared(FIRST);
    let relay = Relay::start(&registry.address);
    name_remote(&project, &relay.address);
    for (store, arguments) in [("main", ["push", "rocm"]), ("other", ["pull", "rocm"])] {
        relay.limit(60_000);
        let mut command = project.command(&arguments);
        command.env("STRIXLOCK_STORE", project.store(store)).stderr(std::process::Stdio::null());
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        relay.wait_until_used_up();
        child.kill().unwrap();
        child.wait().unwrap();
        relay.open();
        let trees = |store: &str| std::fs::read_dir(project.store(store).join("trees")).map_or(0, Iterator::count);
        assert_eq!(trees("other"), 0);
        project.run_in_store(store, &arguments).code(0);
    }
    project.run_in_store("other", &["verify"]).code(0);
    assert_eq!(project.run_in_store("other", &["realize", "--json"]).code(0).tree("rocm"), pinned(&project));
}

#[test]
fn old_pushes_are_removed_and_what_newer_ones_need_stays() {
    let (project, registry) = shared(FIRST);
    project.run(&["push", "rocm"]).code(0);
    let first = project.lock();
    project.realize_rocm(SECOND);
    project.run(&["push", "rocm"]).code(0);
    let collected = project.run(&["remote", "gc", "--keep", "1", "--dry-run", "--json"]).code(0).json();
    assert_eq!(collected["collected"]["pushes"], serde_json::json!([1]));
    project.run(&["remote", "gc", "--keep", "2"]).code(0);
    elsewhere(&project, &["--lock", "lock/strix.lock", "pull", "rocm"]).code(0);
    project.run(&["remote", "gc", "--keep", "1"]).code(0);
    let verified = project.run(&["remote", "verify", "--json"]).code(0).json();
    assert_eq!(verified["verified"]["trees"], 1);
    // The registry keeps the packs that the newer tree needs, of both pushes, when it collects its garbage.
    let configuration = project.directory.path().join("registry.yml");
    let mut collect = std::process::Command::new("docker-registry");
    assert!(collect.arg("garbage-collect").arg(configuration).output().unwrap().status.success());
    project.run(&["remote", "verify"]).code(0);
    project.write("lock/first.lock", &first);
    project.run_in_store("third", &["--lock", "lock/first.lock", "pull", "rocm"]).code(9);
    project.run_in_store("third", &["pull", "rocm"]).code(0);
    assert!(!registry.blobs().is_empty());
}

#[test]
fn a_remote_is_not_asked_where_the_user_says_so() {
    let (project, registry) = shared(FIRST);
    project.run(&["push", "rocm"]).code(0);
    let received = |store: &str, arguments: &[&str]| {
        project.run_in_store(store, &[&["realize", "--json"], arguments].concat()).code(0).json()["received"].clone()
    };
    assert_eq!(received("a", &["--no-remotes"]), serde_json::json!([]));
    let asks = project.read("strixlock.toml");
    project.write("strixlock.toml", &format!("ask-remotes = false\n{asks}"));
    assert_eq!(received("b", &[]), serde_json::json!([]));
    project.write("strixlock.toml", &asks);
    assert_eq!(received("c", &[]).as_array().unwrap().len(), 1);
    // One that is down is told, and the tarball is fetched.
    drop(registry);
    let ran = project.run_in_store("d", &["realize", "--json"]).code(0);
    assert!(
        ran.stderr.contains("passed over the remote team for rocm: the server cannot be reached"),
        "{}",
        ran.stderr
    );
    project.run_in_store("e", &["pull", "rocm"]).code(8);
    let offline = project.run_in_store("f", &["realize", "--offline"]).code(8);
    assert!(!offline.stderr.contains("team"), "{}", offline.stderr);
}

#[test]
fn every_command_that_builds_asks_remotes_first() {
    let project = Project::new();
    project.full_manifest(SECOND);
    project.run(&["update"]).code(0);
    project.run(&["realize", "--seal"]).code(0);
    let registry = Registry::start(project.directory.path());
    name_remote(&project, &registry.address);
    project.run(&["push", "--all"]).code(0);
    // Between the ends of the bisect is one nightly: the one that was pushed.
    let ends = ["rocm", "--good", FIRST, "--bad", "10.2.0a20261120", "--output", "rocm", "interactive"];
    for (command, rest) in [("bisect", ends.as_slice()), ("up", &["--validate", "none"])] {
        for (store, option, asks) in [("asks", "--verbose", true), ("does-not", "--no-remotes", false)] {
            let store = format!("{command}-{store}");
            let ran = project.run_in_store(&store, &[&[command, option], rest].concat()).code(0);
            assert_eq!(ran.stderr.contains("rocm: took "), asks, "{}", ran.all());
            project.run_in_store(&store, &["bisect", "reset"]);
        }
    }
}

#[test]
fn an_output_that_is_not_sealed_is_taken_on_nobody_s_word() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let registry = Registry::start(project.directory.path());
    name_remote(&project, &registry.address);
    project.run(&["push", "--all"]).code(0);
    let refused = elsewhere(&project, &["pull", "llama"]).code(9);
    assert!(refused.stderr.contains("nobody is trusted") && refused.stderr.contains("trust add"), "{}", refused.all());
    let ran = project.run_in_store("other", &["realize", "--json"]).code(0);
    assert!(ran.stderr.contains("llama: no remote is asked: it has no seal"), "{}", ran.all());
    let ran = ran.json();
    let received: Vec<&Value> = ran["received"].as_array().unwrap().iter().map(|one| &one["output"]).collect();
    assert_eq!(received, ["rocm"], "the lock has the digest of ROCm alone");
}
